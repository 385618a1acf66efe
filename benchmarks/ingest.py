"""Pictures to fingerprints and embeddings to an index: how fast, and in how much memory.

    python -m benchmarks.ingest [--quick] [--pictures-only]

Hashing is timed as it runs in production: one worker process, pictures sent to it and results
sent back through its pipes, digests, decoding, PDQ and pHash of each. Its peers run in their own
process on the same files: threatexchange from bytes to PDQ alone, and `pdqhash` on pictures that
are already decoded. Each has one thread. The bare encoder is open_clip's own model as it comes,
on pixels that are already prepared, at the best of many ways to run it on these cores.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import psutil
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import bench_dir
from benchmarks.ingest_memory import memory_measured
from benchmarks.peers import Peer
from benchmarks.photos import load_pool
from benchmarks.report import Target, finish, quick_parser, table
from benchmarks.timing import interleaved, ratios
from indexer import DEFAULT_ENCODER
from indexer.encoder import load as encoders
from indexer.encoder.known import known_encoder
from indexer.encoder.memory import keep_freed_memory
from indexer.machine import cores
from indexer.prepare.batches import prepare
from indexer.prepare.pictures import Task
from indexer.prepare.pool import PicturePool
from indexer.storage.manifest import EncoderFacts
from shards.reader import BATCH_SCHEMA

_SEED: Final = 12
_GRAIN: Final = 5.0
_SENT: Final = 16
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PictureSet:
    """JPEG files of one size: `size` in pixels, how many, and their quality."""

    name: str
    size: tuple[int, int]
    count: int
    quality: int

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return bench_dir("ingest") / f"{self.name}-{self.count}"

    def files(self) -> list[bytes]:
        """Their bytes, in the order in which the peers read them."""
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, save."""
    parser = quick_parser(__doc__)
    parser.add_argument("--pictures-only", action="store_true", help="not the memory of indexing")
    asked = parser.parse_args(arguments)
    sets = picture_sets(quick=asked.quick)
    for one in sets:
        pictures_write(one)
    hashed = {one.name: hashing_measured(one, rounds=2 if asked.quick else 5) for one in sets}
    embedded = embedding_measured(sets[0], quick=asked.quick)
    memory = None if asked.pictures_only else memory_measured(20_000 if asked.quick else 1_000_000)
    print(shown(hashed, embedded, memory))
    results = {"hashing": hashed, "embedding": embedded, "memory": memory}
    finish("ingest", results, promised(hashed, embedded, memory), quick=asked.quick)
    return 0


def picture_sets(*, quick: bool) -> tuple[PictureSet, PictureSet]:
    """Pictures as datasets keep them, and as phones make them."""
    return (
        PictureSet("512px", (512, 512), 64 if quick else 256, 95),
        PictureSet("12mp", (4000, 3000), 2 if quick else 16, 90),
    )


def pictures_write(one: PictureSet) -> None:
    """Cut and scale pool photos to the set's size.

    No photo of the pool has 12 megapixels: they are enlarged and given a sensor's grain, so
    that their files weigh what such files weigh, about 3 MB: decoding takes time by the byte.
    """
    if one.folder.is_dir():
        return
    working = one.folder.with_suffix(".tmp")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    pool = [photo for photo in load_pool() if photo.split == "fit"][: one.count]
    for number, photo in enumerate(pool):
        with Image.open(photo.path) as image:
            picture = _fitted(image.convert("RGB"), one.size, number)
        picture.save(working / f"{number:05}.jpg", quality=one.quality)
    working.rename(one.folder)


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


def parts(items: Sequence[_T], most: int) -> Iterator[list[_T]]:
    """Items in order, at most `most` at a time."""
    return (list(items[start : start + most]) for start in range(0, len(items), most))


def shown(hashed: dict[str, Any], embedded: dict[str, Any], memory: dict[str, Any] | None) -> str:
    """The figures as tables."""
    lines = [
        [name, who, speed, one["times_ours"].get(who, 1.0)]
        for name, one in hashed.items()
        for who, speed in one["per_second"].items()
    ]
    parts = [
        table(["pictures", "who", "per second and core", "times ours"], lines),
        table(
            ["pictures", "who", "processor ms each"],
            [[name, *one] for name, part in hashed.items() for one in part["cpu_ms"].items()],
        ),
        table(["embedding", "per second"], [list(one) for one in embedded["per_second"].items()]),
        table(
            ["of the bare encoder's best", "share"],
            [list(one) for one in embedded["share_of_bare"].items()],
        ),
    ]
    if memory is not None:
        parts.append(table(["memory of indexing", ""], [list(one) for one in memory.items()]))
    return "\n\n".join(parts)


def promised(
    hashed: dict[str, Any], embedded: dict[str, Any], memory: dict[str, Any] | None
) -> list[Target]:
    """The issue's targets."""
    speed = [
        Target(
            f"{name}: all hashes against threatexchange's PDQ, per core",
            2,
            one["times_ours"]["threatexchange"],
            unit="times",
        )
        for name, one in hashed.items()
    ]
    shares = embedded["share_of_bare"]
    return [
        *speed,
        Target("embedding, share of the bare encoder's best", 0.9, shares["ours"]),
        Target(
            "1M embeddings indexed, peak memory",
            1e9,
            None if memory is None or memory["rows"] < 1_000_000 else memory["peak_bytes"],
            at_least=False,
            unit="bytes",
            note="resident, mapped files included",
        ),
    ]


def _fitted(image: Image.Image, size: tuple[int, int], number: int) -> Image.Image:
    scale = max(size[0] / image.width, size[1] / image.height)
    large = image.resize(
        (max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))),
        Image.Resampling.LANCZOS,
    )
    left, top = (large.width - size[0]) // 2, (large.height - size[1]) // 2
    cut = large.crop((left, top, left + size[0], top + size[1]))
    return cut if scale <= 1 else _grained(cut, number)


def _grained(image: Image.Image, number: int) -> Image.Image:
    pixels: NDArray[np.float64] = np.asarray(image, np.float64)
    grain = np.random.default_rng([_SEED, number]).normal(0, _GRAIN, (*pixels.shape[:2], 1))
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    sys.exit(main())
