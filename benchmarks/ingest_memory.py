"""How much memory `index_dataset` takes for a dataset of published embeddings.

The dataset has the form that clip-retrieval writes. Its embeddings are random directions, which
cost as much memory as real ones: what is measured is bytes, not recall.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import ROOT, bench_dir

_ENCODER: Final = "ViT-L-14/openai"
_DIM: Final = 768
_PART: Final = 100_000
_BLOCK: Final = 10_000


def memory_measured(rows: int) -> dict[str, Any]:
    """Index so many embeddings by the real command; its peak memory and time."""
    folder = bench_dir("ingest") / f"embeddings-{rows}"
    embeddings_write(folder, rows)
    home = bench_dir("ingest") / "home"
    shutil.rmtree(home, ignore_errors=True)
    env = {**os.environ, "UNLIST_DATA_DIR": str(home), "UNLIST_SECRET_DIR": f"{home}-secrets"}
    env |= {"DATABASE_URL": "", "UNLIST_GROUP_ROWS": str(max(rows, 1))}
    manage = [sys.executable, str(ROOT / "manage.py")]
    add = ["add_dataset", "bench", "--format=clip-retrieval", f"--path={folder}"]
    subprocess.run(
        [*manage, *add, f"--encoder={_ENCODER}"], check=True, env=env, stdout=subprocess.DEVNULL
    )
    began = time.perf_counter()
    peak = highest([*manage, "index_dataset", "bench"], env)
    seconds = time.perf_counter() - began
    manifest = json.loads(next(home.glob("indexes/bench/*/index.json")).read_text())
    bytes_ = sum(file["bytes"] for file in manifest["files"])
    shutil.rmtree(home)
    return {
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "peak_bytes": peak,
        "index_bytes_per_row": bytes_ / rows,
    }


def highest(command: list[str], env: dict[str, str]) -> int:
    """Run a command; the most bytes it had in memory, mapped files too, by the kernel's word."""
    tell = (
        "import resource, subprocess, sys; "
        "code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", tell, *command], check=True, env=env, stdout=subprocess.PIPE
    )
    return int(done.stdout)


def embeddings_write(folder: Path, rows: int) -> None:
    """Write the dataset, unless it is there."""
    if folder.is_dir():
        return
    working = folder.with_suffix(".tmp")
    shutil.rmtree(working, ignore_errors=True)
    for name in ("img_emb", "metadata"):
        (working / name).mkdir(parents=True)
    rng = np.random.default_rng(7)
    for part, first in enumerate(range(0, rows, _PART)):
        count = min(_PART, rows - first)
        array = np.lib.format.open_memmap(
            working / f"img_emb/img_emb_{part:02}.npy", "w+", np.float16, (count, _DIM)
        )
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            array[start:stop] = rng.standard_normal((stop - start, _DIM), np.float32)
        array.flush()
        urls = [f"https://example.org/{number}.jpg" for number in range(first, first + count)]
        captions = [f"picture {number}" for number in range(first, first + count)]
        names = {"image_path": [f"{number:09}" for number in range(first, first + count)]}
        pq.write_table(
            pa.table({**names, "caption": captions, "url": urls}),
            working / f"metadata/metadata_{part:02}.parquet",
        )
    working.rename(folder)
