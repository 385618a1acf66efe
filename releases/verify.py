"""Verifying a release: make it again from its frozen input and compare.

With the same writers (the versions of `unlist` and pyarrow that the input names) every byte must
come out again. With others the files may be encoded otherwise, so what is compared is what they
say: the keys, the tree's root, the digest of the set, the counts.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from releases import freeze, places, produce
from releases.models import Release
from releases.repository import ListRepository
from removal.models import AuditEntry
from unlist.keyfile import KeyFileInvalid, keyfile_read
from unlist.manifest import Manifest, ManifestInvalid, manifest_load


class ReleaseUnknown(Exception):
    """There is no release of this number."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was compared, and what differs: best nothing."""

    compared: str
    differences: list[str]


def release_verify(*, number: int, list_name: str = places.PUBLIC_LIST) -> Report:
    """Compare a release with what its frozen input gives.

    Also compares with the database, with the release before, and with the published copy.

    Raises:
        ReleaseUnknown: no folder holds it.
    """
    folder = places.release_dir(list_name, number)
    if not folder.is_dir():
        raise ReleaseUnknown(
            f"There is no release {number} of the list {list_name!r}: "
            "`build_release` makes the next one, /releases/ lists those that there are."
        )
    report = folder_verify(folder)
    if report.differences:
        return report
    around = [
        *_previous_differences(folder),
        *_book_differences(list_name, number, folder),
        *_audit_differences(folder),
        *_published_differences(list_name, number, folder),
    ]
    return Report(compared=report.compared, differences=around)


def folder_verify(folder: Path) -> Report:
    """Replay the frozen input in `folder`, wherever that lies, and compare its files."""
    try:
        frozen, entries = freeze.input_read(folder)
    except freeze.InputDamaged as error:
        return Report(compared="nothing", differences=[f"the frozen input: {error}"])
    with tempfile.TemporaryDirectory(prefix="unlist-replay-") as replayed:
        produce.files_make(frozen, entries, Path(replayed))
        if frozen.writers == freeze.writers_now():
            differences = _byte_differences(folder, Path(replayed))
            return Report(compared="every byte the same", differences=differences)
        differences = _root_differences(folder, Path(replayed))
        return Report(compared="the same keys and roots, by other writers", differences=differences)


def _byte_differences(folder: Path, replayed: Path) -> list[str]:
    there = {path.name for path in folder.iterdir()} - places.INPUT_NAMES
    made = {path.name for path in replayed.iterdir()}
    differences = [f"{name} is missing" for name in sorted(made - there)]
    differences += [f"{name} does not belong to the release" for name in sorted(there - made)]
    differences += [
        f"{name} differs from what the frozen input gives"
        for name in sorted(made & there)
        if (folder / name).read_bytes() != (replayed / name).read_bytes()
    ]
    return differences


def _root_differences(folder: Path, replayed: Path) -> list[str]:
    made = manifest_load((replayed / places.MANIFEST_NAME).read_bytes())
    try:
        there = manifest_load((folder / places.MANIFEST_NAME).read_bytes())
    except (OSError, ManifestInvalid) as error:
        return [f"{places.MANIFEST_NAME} cannot be read: {error}"]
    differences = [
        f"{places.MANIFEST_NAME}: {name} differs from what the frozen input gives"
        for name in ("list", "release", "created_on", "tree", "keyset_sha256", "counts")
        if getattr(there, name) != getattr(made, name)
    ]
    return differences + _key_differences(folder, there, replayed, made)


def _key_differences(folder: Path, there: Manifest, replayed: Path, made: Manifest) -> list[str]:
    if [file.path for file in there.files] != [file.path for file in made.files]:
        return [f"{places.MANIFEST_NAME}: it names other files than the frozen input gives"]
    differences = []
    for file in there.files:
        try:
            data = (folder / file.path).read_bytes()
            keys = keyfile_read(folder / file.path)
        except (OSError, KeyFileInvalid) as error:
            differences.append(f"{file.path} cannot be read: {error}")
            continue
        if hashlib.sha256(data).hexdigest() != file.sha256:
            differences.append(f"{file.path} is not the file that the manifest names")
        if list(keys) != list(keyfile_read(replayed / file.path)):
            differences.append(f"{file.path} holds other keys than the frozen input")
    return differences


def _previous_differences(folder: Path) -> list[str]:
    frozen, entries = freeze.input_read(folder)
    before: list[freeze.Entry] = []
    if frozen.previous:
        previous = folder.with_name(str(frozen.previous.release))
        if not previous.is_dir():
            return []
        data = (previous / places.MANIFEST_NAME).read_bytes()
        if hashlib.sha256(data).hexdigest() != frozen.previous.manifest_sha256:
            return [f"it follows another release {previous.name} than the one that lies here"]
        before = freeze.input_read(previous)[1]
    counted = (frozen.ledger.added, frozen.ledger.withdrawn)
    if freeze.ledger_changes(before, entries) != counted:
        return ["the counts of added and withdrawn keys are not those since the release before"]
    return []


def _book_differences(list_name: str, number: int, folder: Path) -> list[str]:
    release = Release.objects.filter(list_name=list_name, number=number).first()
    digest = hashlib.sha256((folder / places.MANIFEST_NAME).read_bytes()).hexdigest()
    if release and release.manifest_sha256 != digest:
        return ["the database names another manifest: the release was built again or replaced"]
    return []


def _audit_differences(folder: Path) -> list[str]:
    head = freeze.input_read(folder)[0].audit_head
    entry = AuditEntry.objects.filter(seq=head.seq).first()
    if entry is not None and bytes(entry.digest).hex() != head.digest:
        return [f"the audit log's entry {head.seq} is not the one that the manifest names"]
    return []


def _published_differences(list_name: str, number: int, folder: Path) -> list[str]:
    repository = ListRepository.reader(places.repository_dir())
    if not repository.exists(list_name):
        return []
    published = repository.list_targets(list_name)
    prefix = places.target_name(list_name, number, "")
    names = {name.removeprefix(prefix) for name in published if name.startswith(prefix)}
    differences = []
    for name in sorted(names):
        target = published[prefix + name]
        data = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if hashlib.sha256(data).hexdigest() != target.hashes["sha256"]:
            differences.append(f"{name} is not the one that was published")
        if not repository.target_path(target).is_file():
            differences.append(f"the published copy of {name} is missing")
    return differences
