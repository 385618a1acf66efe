"""Looking keys up in the trees of releases, so that a proof takes milliseconds.

Each release has its tree in a file (`treefile.py`), made when it is published, else by whoever
needs it first; one process makes it while the others wait. Where the file cannot be kept (a full
or read-only disk), the tree is built in memory for the call at hand, which takes seconds.
"""

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from releases import places
from releases.models import Release
from releases.selectors import release_manifest
from releases.treefile import TreeDamaged, TreeFile, tree_open, tree_write
from unlist.keyfile import keyfile_read
from unlist.keys import Keys, Kind
from unlist.manifest import ListFile, Manifest, ManifestInvalid
from unlist.proof import ReleaseTree, proof_document

KEPT: Final = 8
"""How many trees of a list are kept; an older one is made again where it is asked for."""
Pair = tuple[Kind, bytes]
Proof = dict[str, Any]
T = TypeVar("T")

log = logging.getLogger(__name__)


def proofs_find(number: int, wanted: Iterable[Pair]) -> dict[Pair, Proof]:
    """Prove those of the keys that a release of the public list holds.

    Args:
        number: the release.
        wanted: kinds and keys; what the release does not list is left out.

    Raises:
        Release.DoesNotExist, OSError, ManifestInvalid, KeyFileInvalid: there is no such release,
            or its files are away or not those that were signed.
    """
    release = Release.objects.get(list_name=places.PUBLIC_LIST, number=number)
    manifest, pairs = _manifest_of(release), list(wanted)
    try:
        return _with_tree(release, manifest, lambda tree: dict(_proven(tree, manifest, pairs)))
    except (OSError, TreeDamaged) as fault:
        log.warning("tree of release %s cannot be kept: %s", number, type(fault).__name__)
    whole = ReleaseTree(manifest, {f.kind: _keys_of(release, f) for f in manifest.files})
    return {pair: whole.proof(*pair) for pair in pairs if whole.holds(*pair)}


def tree_prepare(release: Release) -> None:
    """Make the tree of a release, so that the first who asks for a proof need not wait."""
    try:
        _with_tree(release, _manifest_of(release), lambda _tree: None)
    except (OSError, TreeDamaged) as fault:
        log.warning("tree of release %s cannot be kept: %s", release.number, type(fault).__name__)


def _with_tree(release: Release, manifest: Manifest, act: Callable[[TreeFile], T]) -> T:
    """Do something with the tree's file; where it is away or damaged, with a new one."""
    path = places.tree_path(release.list_name, release.number)

    def acted() -> T:
        with tree_open(path, manifest) as tree:
            return act(tree)

    with contextlib.suppress(FileNotFoundError, TreeDamaged):
        return acted()
    with _making(release.list_name):
        with contextlib.suppress(FileNotFoundError, TreeDamaged):
            return acted()  # another made it meanwhile
        tree_write(path, manifest, lambda file: _keys_of(release, file))
        _old_forget(path.parent)
    return acted()


def _proven(
    tree: TreeFile, manifest: Manifest, pairs: Iterable[Pair]
) -> Iterator[tuple[Pair, Proof]]:
    for kind, key in pairs:
        entry = tree.entry(kind, key)
        if entry is not None:
            yield (kind, key), proof_document(manifest, kind, key, entry.index, entry.path)


@contextlib.contextmanager
def _making(list_name: str) -> Iterator[None]:
    """Wait until no other process makes a tree; clear what a killed one left."""
    lock = places.trees_lock_path(list_name)
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in lock.parent.glob(".*.tree.*.part"):
            left.unlink()
        yield


def _old_forget(folder: Path) -> None:
    """Keep the trees that were made last."""
    made = sorted(folder.glob("[0-9]*.tree"), key=lambda path: path.stat().st_mtime)
    for path in made[:-KEPT]:
        path.unlink()


def _manifest_of(release: Release) -> Manifest:
    manifest = release_manifest(release)
    if manifest.tree.root != release.tree_root:
        raise ManifestInvalid(
            f"The manifest of release {release.number} is not the one that was built: "
            f"restore it (`verify_release {release.number}` says what differs)."
        )
    return manifest


def _keys_of(release: Release, file: ListFile) -> Keys:
    return keyfile_read(places.release_dir(release.list_name, release.number) / file.path)
