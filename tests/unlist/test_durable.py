"""What is written is there whole or not at all, for its owner alone where that is asked."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from unlist import durable


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was forced to disk, in order, each by the name it had then."""
    paths: list[Path] = []
    real = os.fsync

    def noted(handle: int) -> None:
        paths.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc, to see which file is synced")
    monkeypatch.setattr(os, "fsync", noted)
    return paths


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_takes_the_place_of_the_one_before_once_it_is_on_disk(
    tmp_path: Path, synced: list[Path]
) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(b"old")
    durable.file_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert synced == [tmp_path / ".list.json.part", tmp_path]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.json"
    durable.file_write(path, b"old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        durable.file_write(path, b"new")
    assert path.read_bytes() == b"old"


def test_what_a_killed_writer_left_beside_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".list.json.part").write_bytes(b"much more than what comes")
    durable.json_write(tmp_path / "list.json", {"a": 1})
    assert (tmp_path / "list.json").read_text() == '{\n  "a": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["list.json"]


@pytest.mark.parametrize("write", [durable.private_write, durable.secret_write])
def test_a_private_file_is_its_owners_alone_and_never_replaced(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        write(path, b"first")
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
    with pytest.raises(FileExistsError):
        write(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    for write in (durable.private_write, durable.secret_write):
        with pytest.raises(FileExistsError):
            write(tmp_path / "key", b"secret")
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_is_on_disk_before_it_has_its_name(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.secret_write(tmp_path / "key", b"secret")
    beside, folder = synced
    assert (beside.parent, beside.name[:5], folder) == (tmp_path, ".key.", tmp_path)
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        durable.secret_write(tmp_path / "other", b"secret")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_folders_are_made_from_the_top_down_and_only_where_missing(
    tmp_path: Path, synced: list[Path]
) -> None:
    durable.folder_make(tmp_path / "a" / "b", mode=0o700)
    assert mode_of(tmp_path / "a" / "b") == 0o700
    assert synced == [tmp_path, tmp_path / "a"]
    durable.folder_make(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_folder_gets_its_name_when_all_below_it_is_on_disk(
    tmp_path: Path, synced: list[Path]
) -> None:
    made = tmp_path / ".made"
    (made / "below").mkdir(parents=True)
    (made / "one").write_bytes(b"1")
    (made / "below" / "two").write_bytes(b"2")
    (made / "gone").symlink_to(tmp_path / "nowhere")
    durable.folder_place(made, tmp_path / "final")
    assert set(synced[:-1]) == {made, made / "one", made / "below", made / "below" / "two"}
    assert synced[-1] == tmp_path
    assert (tmp_path / "final" / "below" / "two").read_bytes() == b"2"
    assert not made.exists()
