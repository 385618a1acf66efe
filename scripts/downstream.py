"""What a downstream user does with their copy of a dataset: the `unlist` command, and counting."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.web import Unexpected

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Held:
    """What a folder in img2dataset form holds: rows in its tables, pictures in its tars."""

    urls: frozenset[str]
    rows: int
    pictures: int


def unlist_run(*words: str | Path, code: int = 0) -> str:
    """Run `unlist WORDS` in a process of its own; return what it printed.

    Raises:
        Unexpected: the exit code is not `code`.
    """
    # `pip install .` gives this entry as the command `unlist`; here it runs from the checkout.
    program = "import sys; from unlist.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode != code:
        raise Unexpected(
            f"`unlist {words[0]}` ended with {done.returncode} in place of {code}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def held(folder: Path) -> Held:
    """Count what a dataset folder holds."""
    tables = [pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    pictures = 0
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            pictures += sum(name.endswith(".jpg") for name in tar.getnames())
    urls = [str(url) for table in tables for url in table.column("url").to_pylist()]
    return Held(frozenset(urls), sum(table.num_rows for table in tables), pictures)


def report_read(path: Path) -> dict[str, Any]:
    """Return the report that `unlist apply --report` wrote."""
    report = json.loads(path.read_text())
    if not isinstance(report, dict):
        raise Unexpected(f"{path} holds no report")
    return report
