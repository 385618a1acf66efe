"""A publisher for tests: makes releases and signs them into a TUF repository in a folder.

Small and obvious on purpose, and independent of ``releases``: the client is tested against the
contract, not against our own signer.
"""

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from unlist.keyfile import keyfile_read, keyfile_write, keyset_sha256, tree_leaves
from unlist.keys import Kind, row_key
from unlist.manifest import (
    Counts,
    DatasetCovered,
    ListFile,
    Manifest,
    Tree,
    manifest_dump,
    manifest_sha256,
)
from unlist.merkle import tree_root

TOP = ("root", "timestamp", "snapshot", "targets")
Listed = dict[Kind, list[str]]


class Publisher:
    """A site in a folder: ``metadata/``, ``targets/`` and the root file to pin."""

    def __init__(self, folder: Path, list_name: str = "public") -> None:
        self.folder, self.list = folder, list_name
        self.keys = {role: CryptoSigner.generate_ed25519() for role in (*TOP, "list")}
        self.expires = {role: datetime.now(UTC) + timedelta(days=30) for role in (*TOP, "list")}
        self.versions = dict.fromkeys((*TOP, "list"), 0)
        self.targets: dict[str, TargetFile] = {}
        self.previous: str | None = None
        (folder / "metadata").mkdir(parents=True)
        self._root()

    @property
    def root(self) -> Path:
        return self.folder / "metadata" / "1.root.json"

    def release(self, number: int, listed: Listed, **changes: Any) -> Manifest:
        """Make and sign a release that lists these values."""
        made = self.folder / "made" / str(number)
        made.mkdir(parents=True, exist_ok=True)
        manifest = replace(manifest_of(made, self.list, number, listed, self.previous), **changes)
        data = manifest_dump(manifest)
        (made / "manifest.json").write_bytes(data)
        self.previous = manifest_sha256(data)
        for path in sorted(made.iterdir()):
            self.target(f"lists/{self.list}/{number}/{path.name}", path)
        self.sign()
        return manifest

    def target(self, name: str, source: Path) -> None:
        self.targets[name] = TargetFile.from_file(name, str(source), ["sha256"])
        target = self.folder / "targets" / self.targets[name].get_prefixed_paths()[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def sign(self) -> None:
        """Sign everything anew: delegated list, targets, snapshot, timestamp."""
        self._write(self.list, Targets(targets=dict(self.targets)), "list")
        role = DelegatedRole(self.list, [], 1, terminating=True, paths=[f"lists/{self.list}/*/*"])
        targets = Targets(delegations=Delegations({}, {self.list: role}))
        targets.add_key(self.keys["list"].public_key, self.list)
        self._write("targets", targets, "targets")
        meta = {
            f"{self.list}.json": MetaFile(self.versions["list"]),
            "targets.json": MetaFile(self.versions["targets"]),
        }
        self._write("snapshot", Snapshot(meta=meta), "snapshot")
        timestamp = Timestamp(snapshot_meta=MetaFile(self.versions["snapshot"]))
        self._write("timestamp", timestamp, "timestamp")

    def _root(self) -> None:
        root = Root(consistent_snapshot=True)
        for role in TOP:
            root.add_key(self.keys[role].public_key, role)
        self._write("root", root, "root")

    def _write(self, name: str, signed: Any, role: str) -> None:
        self.versions[role] += 1
        signed.version = self.versions[role]
        signed.expires = self.expires[role].replace(microsecond=0)
        metadata = Metadata(signed)
        metadata.sign(self.keys[role])
        versioned = name if role == "timestamp" else f"{signed.version}.{name}"
        metadata.to_file(str(self.folder / "metadata" / f"{versioned}.json"))


def manifest_of(
    folder: Path, list_name: str, number: int, listed: Listed, previous: str | None = None
) -> Manifest:
    """A release's key files, written to ``folder``, and its manifest."""
    files, triples = [], []
    for kind, values in sorted(listed.items()):
        path = f"keys-{kind}.parquet"
        facts = keyfile_write(folder / path, [row_key(kind, value) for value in values])
        files.append(ListFile(path, kind, "exact", None, facts.rows, facts.bytes, facts.sha256))
        triples.append((path, kind, keyfile_read(folder / path)))
    leaves = tree_leaves(triples)
    today = datetime.now(UTC).date()
    return Manifest(
        list=list_name,
        release=number,
        created_on=today,
        valid_until=today + timedelta(days=30),
        previous_manifest_sha256=previous,
        audit_head=hashlib.sha256(b"head").hexdigest(),
        datasets=(DatasetCovered("sample", None, 1000),),
        files=tuple(files),
        keyset_sha256=keyset_sha256([(path, keys) for path, _, keys in triples]),
        tree=Tree(len(leaves), tree_root(leaves).hex()),
        counts=Counts(len(leaves), len(leaves), 0),
    )


def days_ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)
