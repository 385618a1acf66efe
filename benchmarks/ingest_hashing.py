"""How fast pictures become hashes, beside the peers that make one of them."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import psutil
import pyarrow as pa

from benchmarks.ingest_pictures import PictureSet, parts
from benchmarks.peers import Peer
from benchmarks.timing import interleaved, ratios
from indexer.prepare.pictures import Task
from indexer.prepare.pool import PicturePool

_SENT: Final = 16


def hashing_measured(one: PictureSet, *, rounds: int) -> dict[str, Any]:
    """Pictures per second and core: ours, threatexchange's PDQ, `pdqhash` on decoded ones."""
    files = one.files()
    with (
        Peer("threatexchange", threads=1, worker="threatexchange_hashing") as peer,
        PicturePool(Task(None), 1) as pool,
    ):
        peer.call("load", folder=str(one.folder))
        peer.call("decode")
        timings = interleaved(
            {
                "ours": lambda: pooled(pool, files),
                "threatexchange": lambda: peer.timed("hash_bytes"),
                "pdqhash, decoded": lambda: peer.timed("hash_decoded"),
            },
            rounds=rounds,
        )
        cpu = {
            "ours": cpu_seconds([*pool.pids(), os.getpid()], lambda: pooled(pool, files)),
            "threatexchange": cpu_seconds([peer.pid], lambda: peer.call("hash_bytes")),
        }
    return {
        "pictures": len(files),
        "cpu_ms": {name: seconds / len(files) * 1e3 for name, seconds in cpu.items()},
        "mean_bytes": sum(map(len, files)) / len(files),
        "per_second": {name: len(files) / timing.median for name, timing in timings.items()},
        "times_ours": ratios(timings),
    }


def cpu_seconds(pids: Sequence[int], function: Callable[[], object]) -> float:
    """Processor time that processes take for a call: what a busy machine disturbs least."""

    def so_far() -> float:
        times = [psutil.Process(pid).cpu_times() for pid in pids]
        return float(sum(one.user + one.system for one in times))

    before = so_far()
    function()
    return so_far() - before


def pooled(pool: PicturePool, files: Sequence[bytes]) -> None:
    """Have files prepared, as many at a time as a batch of them holds."""
    pending = [pool.submit(pa.array(part, pa.binary())) for part in parts(files, _SENT)]
    told = [reason for one in pending for reason in one.result().column("refused").to_pylist()]
    if refused := {str(reason) for reason in told if reason}:
        raise RuntimeError(f"pictures of the bench were refused: {sorted(refused)}")
