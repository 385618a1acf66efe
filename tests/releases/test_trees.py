"""Trees beside the releases: made once, made again when they are away or wrong, bounded."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from releases import places, treefile, trees
from releases.models import Release
from releases.trees import Pair, proofs_find
from tests.conftest import ROOT
from tests.releases.conftest import out
from unlist.keyfile import keyfile_read
from unlist.keys import row_key
from unlist.manifest import ManifestInvalid
from unlist.proof import ReleaseTree, proof_verify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("root")]


def wanted(*numbers: int) -> list[Pair]:
    return [("url", row_key("url", f"https://example.org/{n}.jpg")) for n in numbers]


def plain(release: Release) -> ReleaseTree:
    manifest = trees._manifest_of(release)
    return ReleaseTree(manifest, {f.kind: trees._keys_of(release, f) for f in manifest.files})


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Count the trees that are made."""
    made: list[Path] = []
    write = treefile.tree_write

    def counted(path: Path, *rest: Any) -> None:
        made.append(path)
        write(path, *rest)

    monkeypatch.setattr(trees, "tree_write", counted)
    return made


def test_a_tree_is_made_when_its_release_is_published_and_then_read(writes: list[Path]) -> None:
    release = out(*range(20))
    assert writes == [places.tree_path("public", 1)]
    for _ in range(3):
        proofs = proofs_find(1, wanted(3, 7, 99))
        assert proofs == {pair: plain(release).proof(*pair) for pair in wanted(3, 7)}
        assert {proof_verify(proof).release for proof in proofs.values()} == {1}
    assert len(writes) == 1


def test_each_release_is_proven_by_its_own_tree() -> None:
    out(1, 2)
    assert proofs_find(1, wanted(3)) == {}
    out(3)
    assert proofs_find(1, wanted(3)) == {}
    [proof] = proofs_find(2, wanted(3)).values()
    assert proof_verify(proof).release == 2
    first, second = (proofs_find(n, wanted(1)).popitem()[1] for n in (1, 2))
    assert first["manifest"]["tree"] != second["manifest"]["tree"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def rotten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40:] = bytes(len(data) - 40)
    path.write_bytes(bytes(data))


def of_another(path: Path) -> None:
    out(50, 51)
    places.tree_path("public", 2).replace(path)


@pytest.mark.parametrize("damage", [Path.unlink, cut, rotten, of_another])
def test_a_tree_that_is_away_or_wrong_is_made_again(
    writes: list[Path], damage: Callable[[Path], None]
) -> None:
    release = out(*range(20))
    path = places.tree_path("public", 1)
    damage(path)
    writes.clear()
    assert proofs_find(1, wanted(3)) == {pair: plain(release).proof(*pair) for pair in wanted(3)}
    assert proofs_find(1, wanted(4)).keys() == set(wanted(4))
    assert writes == [path]
    assert not list(path.parent.glob(".*.part"))


def test_where_it_cannot_be_kept_proofs_are_made_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trees, "tree_write", full)
    release = out(*range(5))
    expected = {pair: plain(release).proof(*pair) for pair in wanted(2)}
    assert proofs_find(1, wanted(2, 9)) == expected
    assert "cannot be kept: OSError" in caplog.text
    assert not places.tree_path("public", 1).exists()


def test_many_who_ask_at_once_have_it_made_once(writes: list[Path]) -> None:
    release = out(*range(20))
    manifest = trees._manifest_of(release)
    places.tree_path("public", 1).unlink()
    writes.clear()
    [pair] = wanted(5)
    with ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit(trees._with_tree, release, manifest, lambda tree: tree.entry(*pair))
            for _ in range(8)
        ]
    indexes = {one.result().index for one in asked if one.result()}
    assert indexes == {plain(release).proof(*pair)["leaf_index"]}
    assert len(writes) == 1


# Reads the tree while another process replaces it, again and again.
READS = """
import sys
from pathlib import Path
from releases.treefile import tree_open
from unlist.manifest import manifest_load
path, manifest = Path(sys.argv[1]), manifest_load(Path(sys.argv[2]).read_bytes())
found = set()
for _ in range(3000):
    with tree_open(path, manifest) as tree:
        entry = tree.entry("url", bytes.fromhex(sys.argv[3]))
    found.add(entry.index if entry else None)
print(*found)
"""


def test_processes_read_on_while_it_is_made_again() -> None:
    release = out(*range(40))
    manifest, path, [pair] = trees._manifest_of(release), places.tree_path("public", 1), wanted(7)
    named = places.release_dir("public", 1) / places.MANIFEST_NAME
    command = [sys.executable, "-c", READS, str(path), str(named), pair[1].hex()]
    readers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    replaced = 0
    while any(reader.poll() is None for reader in readers):
        treefile.tree_write(path, manifest, lambda file: trees._keys_of(release, file))
        replaced += 1
    told = [reader.communicate()[0].split() for reader in readers]
    assert told == [[str(plain(release).proof(*pair)["leaf_index"])]] * 2
    assert replaced > 1


def test_what_a_killed_process_left_is_cleared() -> None:
    out(1)
    path = places.tree_path("public", 1)
    left = path.with_name(".1.tree.0123456789abcdef.part")
    left.write_bytes(b"half")
    path.unlink()
    assert proofs_find(1, wanted(1))
    assert not left.exists()


def test_a_bounded_number_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "KEPT", 2)
    for n in range(1, 5):
        out(n)
        os.utime(places.tree_path("public", n), (n, n))
    folder = places.list_dir("public")
    assert sorted(path.name for path in folder.glob("*.tree")) == ["3.tree", "4.tree"]
    assert proofs_find(1, wanted(1)), "an old one is made again"
    assert len(list(folder.glob("*.tree"))) == 2


def test_a_manifest_that_is_not_the_one_that_was_built_proves_nothing() -> None:
    release = out(1, 2)
    Release.objects.update(tree_root="0" * 64)
    release.refresh_from_db()
    with pytest.raises(ManifestInvalid, match="not the one that was built"):
        proofs_find(1, wanted(1))


def test_the_tree_is_no_part_of_the_release() -> None:
    release = out(1, 2)
    folder = places.release_dir("public", 1)
    assert not list(folder.glob("*.tree"))
    assert keyfile_read(folder / "keys-url.parquet").tolist() == sorted(
        key for _, key in wanted(1, 2)
    )
    assert release.entries == 5
