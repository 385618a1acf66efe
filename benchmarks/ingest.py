"""Pictures to fingerprints and embeddings to an index: how fast, and in how much memory.

    python -m benchmarks.ingest [--quick] [--pictures-only]

Hashing is timed as it runs in production: one worker process, pictures sent to it and results
sent back through its pipes, digests, decoding, PDQ and pHash of each. Its peers run in their own
process on the same files: threatexchange from bytes to PDQ alone, and `pdqhash` on pictures that
are already decoded. Each has one thread. The bare encoder is open_clip's own model as it comes,
on pixels that are already prepared, at the best of many ways to run it on these cores.
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.ingest_embedding import embedding_measured
from benchmarks.ingest_hashing import hashing_measured
from benchmarks.ingest_memory import memory_measured
from benchmarks.ingest_pictures import picture_sets, pictures_write
from benchmarks.report import Target, finish, quick_parser, table


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


if __name__ == "__main__":
    sys.exit(main())
