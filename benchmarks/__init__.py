"""Measures Unlist against its peers, on one machine, on the same data, in one run.

`python -m benchmarks` lists the benches, `make bench` runs them. What always holds: nothing of the
product imports this package; a figure is saved with the facts of the machine that gave it; a run
that fails says so by its exit code. This module is imported by the peers' own interpreters too,
so it and `benchmarks.peers` need the standard library alone.
"""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"


def bench_dir(*parts: str) -> Path:
    """A folder for what benches make (peers' environments, data, logs), made if it is not there.

    It lies under `UNLIST_DATA_DIR` (`var/` where that is not set) and may be deleted at any time.
    """
    data = Path(os.environ.get("UNLIST_DATA_DIR") or ROOT / "var")
    folder = (data / "bench").joinpath(*parts).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
