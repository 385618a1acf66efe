import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from releases import places, signing
from releases.models import Release
from tests.releases.conftest import listed
from tests.removal import factories

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_operators_story() -> None:
    factories.decided()
    assert "root, targets, snapshot, timestamp, public" in run("make_release_keys")
    assert "already" in run("make_release_keys")
    plan = run("build_release", "--dry-run")
    assert "Release 1 of the list 'public' would hold" in plan
    assert "Requests that wait for it: 1. Nothing was written." in plan
    built = run("build_release", "--list", "public")
    assert "Built release 1" in built
    assert Release.objects.get().manifest_sha256 in built
    assert "Nothing to release" in run("build_release")
    assert "Nothing to release" in run("build_release", "--dry-run")
    published = run("publish_release")
    assert "Published release 1." in published
    assert "Requests told that they are released: 1." in published
    assert "No release was waiting; the signatures were renewed." in run("publish_release")
    assert "is what its frozen input gives: every byte the same" in run("verify_release", "1")


def test_a_difference_ends_verify_release_with_1_and_says_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed(1)
    run("build_release")
    (places.release_dir("public", 1) / "keys-url.parquet").write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        call_command("verify_release", "1")
    assert ended.value.code == 1
    assert "keys-url.parquet differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["verify_release", "3"], "There is no release 3"),
        (["verify_release", "3", "--list", "x"], "There is no list called 'x'"),
        (["build_release", "--list", "x"], "There is no list called 'x'"),
        (["publish_release"], "make keys for a new repository with `make_release_keys`"),
    ],
)
def test_refusals_are_sentences(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)


@pytest.mark.parametrize("command", ["publish_release", "make_release_keys"])
def test_a_worker_is_told_who_signs(settings: Any, command: str) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "worker"})
    with pytest.raises(CommandError, match="UNLIST_ROLE is release"):
        run(command)
    assert not signing.key_path("root").exists()
