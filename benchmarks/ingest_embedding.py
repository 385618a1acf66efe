"""How fast pictures become embeddings, beside the bare encoder at its best."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch

from benchmarks.ingest_pictures import PictureSet, parts
from benchmarks.timing import interleaved, ratios
from indexer import DEFAULT_ENCODER
from indexer.encoder import load as encoders
from indexer.encoder.known import known_encoder
from indexer.encoder.memory import keep_freed_memory
from indexer.machine import cores
from indexer.prepare.batches import prepare
from indexer.storage.manifest import EncoderFacts
from shards.reader import BATCH_SCHEMA

_SEED: Final = 12


def embedding_measured(one: PictureSet, *, quick: bool) -> dict[str, Any]:
    """Pictures per second on all cores: the bare encoder, ours on pixels, ours from files."""
    torch.set_num_threads(1)
    keep_freed_memory()
    ours = encoders.load_encoder(DEFAULT_ENCODER)
    bare = encoders._lite0_visual()  # noqa: SLF001  # the model before anything of ours is done to it
    pixels = np.random.default_rng(_SEED).integers(
        0, 256, (64 if quick else 256, ours.input.side, ours.input.side, 3), dtype=np.uint8
    )
    ways = bare_ways(bare, len(pixels), quick=quick)
    # Enough that the start of the worker processes, two seconds a run, is lost among them.
    files = one.files() * (2 if quick else 8)
    contestants: dict[str, Callable[[], object]] = {
        **ways,
        "ours": lambda: ours.embed_pixels(pixels),
        "ours, from files": lambda: from_files(files, ours),
    }
    timings = interleaved(contestants, rounds=2 if quick else 5)
    counts = dict.fromkeys(contestants, len(pixels)) | {"ours, from files": len(files)}
    timings = {name: timing.per(counts[name]) for name, timing in timings.items()}
    speeds = {name: 1 / timing.median for name, timing in timings.items()}
    best = max(ways, key=lambda name: speeds[name])
    shares = {
        name: 1 / ratio for name, ratio in ratios(timings, ours=best).items() if "ours" in name
    }
    return {"cores": cores(), "per_second": speeds, "best_bare": best, "share_of_bare": shares}


def bare_ways(bare: Any, count: int, *, quick: bool) -> dict[str, Callable[[], object]]:
    """Ways to run the bare model: batches of a size, threads within one or several at once."""
    model = bare.to(memory_format=torch.channels_last)
    side = known_encoder(DEFAULT_ENCODER).input.side

    def run(batch: int, within: int) -> None:
        one = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
        _run_batches(model, one, count // batch, within)

    sizes = (4, 16) if quick else (1, 4, 8, 16, 32)
    return {
        f"bare, batches of {batch}, {how}": partial(run, batch, within)
        for batch in sizes
        for how, within in (("one thread each", 1), ("all threads in one", cores()))
    }


def _run_batches(model: Any, one: Any, count: int, within: int) -> None:
    def forward(_: int) -> None:
        with torch.inference_mode():
            model(one)

    torch.set_num_threads(within)
    try:
        with ThreadPoolExecutor(max(1, cores() // within)) as pool:
            list(pool.map(forward, range(count)))
    finally:
        torch.set_num_threads(1)


def from_files(files: Sequence[bytes], encoder: Any) -> None:
    """All that indexing does with pictures, but writing the index."""
    facts = EncoderFacts(encoder.name, encoder.preprocessing, encoder.dim)
    found = sum(len(part.vectors) for part in prepare(rows(files), encoder=encoder, facts=facts))
    if found != len(files):
        raise RuntimeError(f"{len(files) - found} pictures of the bench were refused")


def rows(files: Sequence[bytes]) -> list[pa.RecordBatch]:
    """Files as a reader of shards gives them."""
    named = [{"key": str(number), "image": data} for number, data in enumerate(files)]
    return [pa.RecordBatch.from_pylist(part, BATCH_SCHEMA) for part in parts(named, 256)]
