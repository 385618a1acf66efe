"""The command: exit codes, sentences on standard error, results on standard output."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unlist.datasets import GONE, LISTED, dataset_make, files_in, url
from tests.unlist.publisher import Publisher
from unlist.blocklist import Blocklist
from unlist.cli import main
from unlist.keys import row_key
from unlist.proof import proof_make


@pytest.fixture
def pulled(publisher: Publisher, cache: Path) -> Path:
    publisher.release(1, LISTED)
    result = unlist("pull", publisher.folder, "--root", publisher.root, "--cache", cache)
    assert result.exit_code == 0
    return cache


def unlist(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def refused(code: int, *words: object) -> str:
    """Run a command that must refuse: its code, one sentence, nothing on standard output."""
    result = unlist(*words)
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_help_names_every_command() -> None:
    result = unlist("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("pull", "apply", "check", "verify-proof"))
    assert unlist("--version").stdout.startswith("unlist, version ")


def test_pull_again_says_unchanged(publisher: Publisher, pulled: Path) -> None:
    result = unlist("pull", publisher.folder, "--root", publisher.root, "--cache", pulled)
    assert "release 1 (unchanged), 4 entries" in result.stdout


def test_pull_refuses_with_code_3(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    publisher.expires["timestamp"] = datetime.now(UTC) - timedelta(days=1)
    publisher.release(1, LISTED)
    words = ("pull", publisher.folder, "--root", publisher.root, "--cache", cache)
    assert "has expired" in refused(3, *words)
    assert "cannot be read" in refused(3, *words[:3], tmp_path / "no-root.json")
    assert "neither an http" in refused(3, "pull", tmp_path / "nowhere", *words[2:])


def test_a_cache_that_cannot_be_written_is_no_usable_list(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.release(1, LISTED)
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"
    said = refused(3, "pull", publisher.folder, "--root", publisher.root, "--cache", cache)
    assert "The cache cannot be used" in said
    assert "--cache" in said


def test_a_refused_connection_is_said_in_words(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    words = ("--root", publisher.root, "--cache", cache)
    assert "(no connection, or no answer in time)" in refused(3, "pull", _closed_port(), *words)


def _closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


def test_check(pulled: Path) -> None:
    cached = ("--cache", pulled)
    assert unlist("check", "--url", "https://fine.example/", *cached).exit_code == 0
    result = unlist(
        "check", "--url", url(GONE), "--url", "https://x/", "--sha256", LISTED["sha256"][0], *cached
    )
    assert result.exit_code == 10
    assert result.stdout.splitlines() == [
        f"listed: url {url(GONE)}",
        f"listed: sha256 {LISTED['sha256'][0]}",
    ]
    assert unlist("check", "--md5", "AB" * 16, *cached).exit_code == 0


def test_check_cannot_tell(tmp_path: Path, pulled: Path) -> None:
    assert "pull it first" in refused(3, "check", "--url", "x", "--cache", tmp_path / "none")
    assert "Give at least one" in refused(2, "check", "--cache", pulled)
    for wrong in ("ab", "zz" * 32, " " + "ab" * 32):
        assert "64 hex digits" in refused(2, "check", "--sha256", wrong, "--cache", pulled)


def test_apply(pulled: Path, tmp_path: Path) -> None:
    dataset_make(tmp_path / "data")
    words = ("apply", tmp_path / "data", "--out", tmp_path / "clean", "--cache", pulled)
    result = unlist(*words, "--report", tmp_path / "r.json", "--release", 1)
    assert result.exit_code == 0
    assert "60 rows in, 3 removed, 57 left; 2 of 3 shards changed" in result.stdout
    assert "looking for listed rows" in result.stderr  # the progress bar
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert report["rows_out"] == 57
    assert "is not empty" in unlist(*words).stderr
    assert unlist("apply", tmp_path / "data", "--in-place", "--cache", pulled).exit_code == 0
    assert files_in(tmp_path / "data") == files_in(tmp_path / "clean")


def test_apply_refuses(pulled: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "clean", "--cache", pulled)
    assert "no such folder or file" in refused(1, "apply", tmp_path / "absent", *out)
    assert "is not known" in refused(1, "apply", pulled, *out, "--format", "coyote")
    assert "either --out DIR or --in-place" in refused(2, "apply", pulled, "--cache", pulled)
    assert "either --out" in refused(2, "apply", pulled, *out, "--in-place")
    report = ("--report", tmp_path / "absent" / "report.json")
    assert "there is no folder" in refused(2, "apply", pulled, *out, *report)
    assert "not release 9" in refused(3, "apply", pulled, *out, "--release", 9)
    assert "pull it first" in refused(3, "apply", pulled, *out, "--list", "other")
    assert not (tmp_path / "clean").exists()


def test_apply_tells_where_writing_failed(
    pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_make(tmp_path / "data")
    before = files_in(tmp_path / "data")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "00000.tar")

    monkeypatch.setattr("unlist.rewrite.tar_rewrite", full)
    result = unlist("apply", tmp_path / "data", "--in-place", "--cache", pulled)
    assert result.exit_code == 1
    assert "00000.tar: No space left on device. " in result.stderr
    monkeypatch.undo()
    kept = {n: d for n, d in files_in(tmp_path / "data").items() if not n.startswith(".unlist")}
    assert kept == before
    assert unlist("apply", tmp_path / "data", "--in-place", "--cache", pulled).exit_code == 0


@pytest.fixture
def proof(publisher: Publisher, pulled: Path, tmp_path: Path) -> Path:
    blocklist = Blocklist.open(pulled)
    keys = {f.kind: blocklist._cached.keys[f.path] for f in blocklist.manifest.files}
    made = proof_make(blocklist.manifest, keys, "url", row_key("url", url(GONE)))
    (tmp_path / "proof.json").write_text(json.dumps(made), "utf-8")
    return tmp_path / "proof.json"


def test_verify_proof(proof: Path, pulled: Path, tmp_path: Path) -> None:
    result = unlist("verify-proof", proof, "--cache", pulled)
    assert result.exit_code == 0
    assert f"release 1 of public, made {datetime.now(UTC).date()}" in result.stdout
    assert "is the signed one in the cache" in result.stdout
    result = unlist("verify-proof", proof, "--cache", tmp_path / "none")
    assert result.exit_code == 0
    assert "follows from pulling that release" in result.stdout


def test_a_file_with_several_proofs_holds_if_each_does(proof: Path, pulled: Path) -> None:
    words = ("verify-proof", proof, "--cache", pulled)
    good = json.loads(proof.read_text("utf-8"))
    proof.write_text(json.dumps({"proofs": [good, good]}), "utf-8")
    result = unlist(*words)
    assert result.exit_code == 0
    assert result.stdout.count("The proof holds") == 2
    proof.write_text(json.dumps({"proofs": [good, {**good, "value": "00" * 16}]}), "utf-8")
    assert "does not lead to the root" in refused(2, *words)
    assert "holds" not in unlist(*words).stdout
    proof.write_text('{"proofs": []}', "utf-8")
    assert "no proof in this file" in refused(2, *words)


def test_verify_proof_refuses(proof: Path, pulled: Path, publisher: Publisher) -> None:
    words = ("verify-proof", proof, "--cache", pulled)
    content = json.loads(proof.read_text("utf-8"))
    content["manifest"]["counts"]["entries"] = 400
    proof.write_text(json.dumps(content), "utf-8")
    assert "not that of release 1 as it was signed" in refused(2, *words)
    content["value"] = "00" * 16
    proof.write_text(json.dumps(content), "utf-8")
    assert "does not lead to the root" in refused(2, *words)
    for text in ("", "[]", "null", '{"format": "unlist-proof/1"}', "{", "[" * 200_000):
        proof.write_text(text, "utf-8")
        refused(2, *words)
    proof.write_bytes(b"\xff\xfe\x00")
    assert "not a proof" in refused(2, *words)
    refused(2, "verify-proof", publisher.folder / "absent.json")
