"""The commands as processes: killed in the middle, and spread over workers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.shards.factories import picture, write_dataset

pytestmark = pytest.mark.functional

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a service with folders of its own and groups of one shard."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "UNLIST_DATA_DIR": str(tmp_path / "data"),
        "UNLIST_SECRET_DIR": str(tmp_path / "secrets"),
        "UNLIST_GROUP_ROWS": "41",
        "DATABASE_URL": "",
    }
    write_dataset(tmp_path / "dataset", shards=4, rows=40)
    # The very first command: it makes the tables too.
    manage(
        environment,
        "add_dataset",
        "sample",
        "--format=img2dataset",
        f"--path={tmp_path / 'dataset'}",
    )
    return environment


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def indexes(environment: dict[str, str]) -> set[str]:
    folder = Path(environment["UNLIST_DATA_DIR"]) / "indexes" / "sample"
    return {path.parent.name for path in folder.glob("[0-9]*/index.json")}


def test_a_killed_run_goes_on_where_it_was(home: dict[str, str]) -> None:
    run = subprocess.Popen(
        [sys.executable, "manage.py", "index_dataset", "sample"],
        cwd=ROOT,
        env=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not indexes(home) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    done = indexes(home)
    assert 1 <= len(done) < 4
    kept = {
        name: (Path(home["UNLIST_DATA_DIR"]) / "indexes/sample" / name / "index.json").stat().st_ino
        for name in done
    }
    told = manage(home, "index_dataset", "sample")
    assert "160 of 164 rows can be searched, 4 of 4 groups are ready" in told
    folder = Path(home["UNLIST_DATA_DIR"]) / "indexes" / "sample"
    assert {path.name for path in folder.iterdir()} == {"0", "1", "2", "3", ".lock"}
    assert kept == {name: (folder / name / "index.json").stat().st_ino for name in kept}


def test_workers_give_the_same_answers_as_one(home: dict[str, str], tmp_path: Path) -> None:
    manage(home, "index_dataset", "sample", "--limit-groups=2")
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(6):
        (photos / f"{seed}.jpg").write_bytes(picture(seed))
    found = []
    for workers in ("1", "2"):
        output = tmp_path / f"{workers}.jsonl"
        manage(
            home,
            "match_images",
            "--dataset=sample",
            f"--input={photos}",
            f"--output={output}",
            f"--workers={workers}",
        )
        found.append([json.loads(line) for line in output.read_text().splitlines()])
    assert [record["image"] for record in found[0]] == [f"{seed}.jpg" for seed in range(6)]
    keys = [
        [(match["key"], match["kind"], round(match["score"], 2)) for match in record["matches"][:1]]
        for record in found[0]
    ]
    assert keys == [
        [(match["key"], match["kind"], round(match["score"], 2)) for match in record["matches"][:1]]
        for record in found[1]
    ]
    assert [best[0][0] for best in keys] == [f"{seed:09d}" for seed in range(6)]
