"""The examples of docs/client.md, run as they stand there."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

from tests.conftest import ROOT
from tests.unlist.datasets import GONE, LISTED, dataset_make, url
from tests.unlist.publisher import Publisher
from unlist import Blocklist
from unlist.cli import main
from unlist.client import pull
from unlist.keys import row_key
from unlist.proof import proof_make

TEXT = (ROOT / "docs" / "client.md").read_text("utf-8")
ADDRESS = "https://unlist.example/"
_VARYING = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d|\b[0-9a-f]{32}\b|\b(\d,)?\d+ entries")


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found, name
    return found[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the examples assume it: a site, a root file, a dataset, a proof."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    publisher = Publisher(tmp_path / "site")
    manifest = publisher.release(1, LISTED)
    (tmp_path / "root.json").write_bytes(publisher.root.read_bytes())
    dataset_make(tmp_path / "dataset")
    pull(str(publisher.folder), publisher.root, cache=tmp_path / "other")
    keys = {f.kind: Blocklist.open(tmp_path / "other")._cached.keys[f.path] for f in manifest.files}
    proof = proof_make(manifest, keys, "url", row_key("url", url(GONE)))
    (tmp_path / "proof.json").write_text(json.dumps(proof), "utf-8")
    return tmp_path


def run(name: str, home: Path) -> int:
    """Run a console example and compare what it prints, days and keys aside."""
    command, *expected = example(name).strip().splitlines()
    words = [str(home / "site") if w == ADDRESS else w for w in shlex.split(command)[2:]]
    result = CliRunner().invoke(main, words)
    assert _VARYING.sub("…", result.stdout) == _VARYING.sub("…", "\n".join(expected) + "\n")
    return result.exit_code


def test_the_commands_do_what_the_page_says(home: Path) -> None:
    assert run("pull", home) == 0
    assert run("apply", home) == 0
    report = json.loads((home / "report.json").read_text("utf-8"))
    shown = json.loads(example("report"))
    assert {name: report[name] for name in shown} == shown
    assert run("check", home) == 10
    assert run("verify-proof", home) == 0


def test_the_python_example_does_what_the_page_says(home: Path) -> None:
    Blocklist.pull(str(home / "site"), home / "root.json")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(example("python"), {})  # noqa: S102  # our own page
    expected = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert expected
    assert printed.getvalue() == expected[1]


def test_the_sql_example_does_what_the_page_says(home: Path) -> None:
    con = duckdb.connect()
    con.register("data", pa.table({"url": [url(GONE), "https://img.example/1.jpg"]}))
    Blocklist.pull(str(home / "site"), home / "root.json").duckdb_view(con)
    assert con.execute(example("duckdb")).fetchall() == [("https://img.example/1.jpg",)]


def test_every_command_and_option_is_on_the_page() -> None:
    for name, command in main.commands.items():
        assert f"unlist {name}" in TEXT
        for option in command.params:
            if option.param_type_name == "option":
                assert option.opts[0] in TEXT, (name, option.opts)
