"""The embedded servers listen where nobody else can."""

from pathlib import Path

import pytest

from config.embedded import ServerMissing, redis_child
from config.environ import Environment


def environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("UNLIST_DATA_DIR", str(folder))
    return Environment()


def test_the_socket_lies_in_a_folder_of_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlist = environment(tmp_path / "data", monkeypatch)
    redis_child(unlist)
    assert unlist.redis_socket.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlist = environment(tmp_path / "data", monkeypatch)
    unlist.redis_socket.parent.mkdir(parents=True)
    unlist.redis_socket.parent.chmod(0o777)
    with pytest.raises(ServerMissing, match="not this user's alone"):
        redis_child(unlist)


def test_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlist = environment(tmp_path / "data", monkeypatch)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    unlist.redis_socket.parent.parent.mkdir(parents=True)
    unlist.redis_socket.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServerMissing, match="not this user's alone"):
        redis_child(unlist)
