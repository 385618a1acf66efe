from pathlib import Path

import pytest

from releases import places, publish
from releases.build import release_build
from releases.intact import published_check
from releases.models import Release
from releases.publish import releases_publish
from removal.models import State
from tests.releases.conftest import listed, metadata, out, pulled
from tests.removal import factories
from unlist import durable

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it on the way."""


def count_steps(monkeypatch: pytest.MonkeyPatch, kill_at: int | None, *, before: bool) -> list[str]:
    """Count the durable writes of a run, and die before or after one of them."""
    steps: list[str] = []
    write = durable.file_write

    def counted(path: Path, data: bytes) -> None:
        steps.append(path.name)
        if before and len(steps) == kill_at:
            raise Killed
        write(path, data)
        if not before and len(steps) == kill_at:
            raise Killed

    monkeypatch.setattr(durable, "file_write", counted)
    return steps


ALL_STEPS = 4 + 5  # four files of the release; root, targets, list, snapshot, timestamp


def test_timestamp_is_written_last(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(1)
    release_build()
    steps = count_steps(monkeypatch, None, before=True)
    releases_publish()
    assert len(steps) == ALL_STEPS
    assert steps[4:] == [
        "1.root.json",
        "1.targets.json",
        "1.public.json",
        "1.snapshot.json",
        "timestamp.json",
    ]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, ALL_STEPS + 1))
def test_killed_at_any_first_write_a_second_run_completes(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: int, before: bool
) -> None:
    case = factories.decided()
    listed(1)
    release_build()
    with monkeypatch.context() as patch:
        count_steps(patch, step, before=before)
        with pytest.raises(Killed):
            releases_publish()
    releases_publish()
    assert pulled(root, tmp_path / "cache") == 1
    assert published_check(places.repository_dir()) == []
    assert case.request.released_in == [1]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 4 + 3 + 1))
def test_killed_while_publishing_the_second_clients_keep_the_first(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: int, before: bool
) -> None:
    out(1)
    immutable = {name: data for name, data in metadata().items() if name != "timestamp.json"}
    listed(2, 3)
    release_build()
    with monkeypatch.context() as patch:
        steps = count_steps(patch, step, before=before)
        with pytest.raises(Killed):
            releases_publish()
    switched = len(steps) == 7 and not before
    assert pulled(root, tmp_path / "one") == (2 if switched else 1)
    outcome = releases_publish()
    assert outcome.releases == (2,)
    assert pulled(root, tmp_path / "one") == 2
    assert pulled(root, tmp_path / "two") == 2
    assert published_check(places.repository_dir()) == []
    now = metadata()
    assert all(now[name] == data for name, data in immutable.items())


def test_killed_after_the_switch_the_requests_are_told_by_the_next_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.decided()
    release_build()
    with monkeypatch.context() as patch:
        patch.setattr(publish, "request_release", lambda **_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            releases_publish()
    assert Release.objects.get().state == "published"
    assert case.request.state == State.APPROVED
    assert releases_publish().requests_told == 1
    assert case.request.state == State.RELEASED
    assert Release.objects.get().state == "settled"
