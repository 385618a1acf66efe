"""What python-tuf's client is asked, the same way for a site and for the cache.

Given an ``Updater`` (which checks signatures, versions, lengths, hashes and expiry), this finds the
current release of a list and the signed facts of its files.  The current release is the highest
``lists/<list>/<n>/manifest.json`` among the targets of the role that the list is delegated to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tuf.api.metadata import Metadata, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater

from unlist.manifest import Manifest, ManifestInvalid, ManifestTooNew, manifest_load
from unlist.refusals import ListDamaged, ListNotUnderstood, ListUnknown

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class SignedRelease:
    """The current release as the metadata names it; its bytes are not looked at yet."""

    list: str
    release: int
    manifest: TargetFile

    def target_name(self, path: str) -> str:
        """The target name of a file beside the manifest."""
        return f"lists/{self.list}/{self.release}/{path}"


def release_current(updater: Updater, metadata: Path, list_name: str) -> SignedRelease:
    """The current release of a list, by metadata that ``updater`` verifies into ``metadata``.

    Raises:
        ListUnknown: there is no such list, or nothing is released on it.
        Exception: what python-tuf raises where a check fails (``refusals.refusal_for``).
    """
    updater.get_targetinfo(
        f"lists/{list_name}/1/{MANIFEST_NAME}"
    )  # loads and checks the list's role
    numbers = _released(metadata, list_name)
    if not numbers:
        raise ListUnknown(
            f"There is no release of a list named {list_name!r} here yet; check the name (--list)."
        )
    name = f"lists/{list_name}/{max(numbers)}/{MANIFEST_NAME}"
    found = updater.get_targetinfo(name)
    if found is None:
        raise ListUnknown(
            f"The metadata names {name} but does not delegate it; tell the publisher."
        )
    return SignedRelease(list_name, max(numbers), found)


def _released(metadata: Path, list_name: str) -> set[int]:
    """The release numbers that the list's delegated role has manifests for."""
    pattern = re.compile(rf"lists/{re.escape(list_name)}/([1-9][0-9]*)/{re.escape(MANIFEST_NAME)}")
    top = _targets(metadata, "targets")
    numbers: set[int] = set()
    if top.delegations is None:
        return numbers
    for role, _ in top.delegations.get_roles_for_target(f"lists/{list_name}/1/{MANIFEST_NAME}"):
        names = _targets(metadata, role).targets
        numbers |= {int(match[1]) for match in map(pattern.fullmatch, names) if match}
    return numbers


def _targets(metadata: Path, role: str) -> Targets:
    path = metadata / f"{quote(role, '')}.json"
    return Metadata[Targets].from_file(str(path)).signed


def fresh_until(metadata: Path) -> datetime:
    """When the timestamp, the only clock of a list, runs out (UTC)."""
    timestamp = Metadata[Timestamp].from_file(str(metadata / "timestamp.json")).signed
    return timestamp.expires


def manifest_of(signed: SignedRelease, data: bytes) -> Manifest:
    """The manifest in bytes that were checked against the signature.

    Raises:
        ListDamaged: it is no manifest, or that of another release.
        ListNotUnderstood: this version of the client cannot apply it.
    """
    try:
        manifest = manifest_load(data)
        manifest.require_understood()
    except ManifestTooNew as error:
        raise ListNotUnderstood(str(error)) from error
    except ManifestInvalid as error:
        raise ListDamaged(
            f"{error} The release is signed but faulty; tell the publisher."
        ) from error
    if (manifest.list, manifest.release) != (signed.list, signed.release):
        raise ListDamaged(
            f"The manifest signed as release {signed.release} of {signed.list!r} says it is "
            f"release {manifest.release} of {manifest.list!r}; tell the publisher."
        )
    return manifest


def files_of(
    updater: Updater, signed: SignedRelease, manifest: Manifest
) -> Mapping[str, TargetFile]:
    """The signed facts of every file that the manifest names, by its path.

    Raises:
        ListDamaged: a file is not signed, or signature and manifest disagree about it.
    """
    found: dict[str, TargetFile] = {}
    for file in manifest.files:
        info = updater.get_targetinfo(signed.target_name(file.path))
        stated: Any = (file.bytes, file.sha256)
        if info is None or (info.length, info.hashes.get("sha256")) != stated:
            raise ListDamaged(
                f"The manifest names {file.path}, which is not signed as it says; "
                "tell the publisher."
            )
        found[file.path] = info
    return found
