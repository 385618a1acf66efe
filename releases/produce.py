"""From a frozen input to a release's files: pure, so that the same input gives the same bytes.

Nothing here asks the database, the clock or the settings.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from releases.freeze import Entry, FrozenInput
from releases.places import MANIFEST_NAME
from unlist import durable
from unlist.keyfile import keyfile_read, keyfile_write, keyset_sha256, tree_leaves
from unlist.keys import Keys
from unlist.manifest import (
    Counts,
    DatasetCovered,
    ListFile,
    Manifest,
    Tree,
    manifest_dump,
)
from unlist.merkle import tree_root

EXACT = "exact"


def files_make(frozen: FrozenInput, entries: Iterable[Entry], out: Path) -> Manifest:
    """Write `keys-<kind>.parquet` for each kind that has keys, and `manifest.json`, into `out`.

    Raises:
        ValueError: an entry is of a tier that has no file form here.
    """
    by_kind: dict[str, list[bytes]] = defaultdict(list)
    for tier, kind, key in entries:
        if tier != EXACT:
            raise ValueError(f"Entries of the tier {tier!r} cannot be written.")
        by_kind[kind].append(key)
    files = [_key_file(out, kind, keys) for kind, keys in sorted(by_kind.items())]
    # From here on by what was read back: the digests are over what a client will see.
    written = [(file, keyfile_read(out / file.path)) for file in files]
    manifest = _manifest(frozen, written)
    durable.file_write(out / MANIFEST_NAME, manifest_dump(manifest))
    return manifest


def _key_file(out: Path, kind: str, keys: list[bytes]) -> ListFile:
    path = f"keys-{kind}.parquet"
    facts = keyfile_write(out / path, keys)
    return ListFile(
        path=path,
        kind=kind,
        tier=EXACT,
        bits=None,
        rows=facts.rows,
        bytes=facts.bytes,
        sha256=facts.sha256,
    )


def _manifest(frozen: FrozenInput, written: list[tuple[ListFile, Keys]]) -> Manifest:
    leaves = tree_leaves((file.path, file.kind, keys) for file, keys in written)
    return Manifest(
        list=frozen.list,
        release=frozen.release,
        created_on=frozen.created_on,
        valid_until=frozen.valid_until,
        previous_manifest_sha256=frozen.previous.manifest_sha256 if frozen.previous else None,
        audit_head=frozen.audit_head.digest,
        datasets=tuple(
            DatasetCovered(name=covered.name, revision=covered.revision, rows=covered.rows)
            for covered in frozen.datasets
        ),
        files=tuple(file for file, _ in written),
        keyset_sha256=keyset_sha256((file.path, keys) for file, keys in written),
        tree=Tree(size=len(leaves), root=tree_root(leaves).hex()),
        counts=Counts(
            entries=len(leaves), added=frozen.ledger.added, withdrawn=frozen.ledger.withdrawn
        ),
    )
