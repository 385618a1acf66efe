"""The product as an operator has it, in a folder of its own: what quality is measured through.

Datasets are added and indexed by `manage.py`. Queries are then examined by the functions that
`catalog.search.match_photo` is made of, in its order, so that one pass over a query's costly
parts (embedding, keypoints) serves every mode that is compared:

`pictures` the small dataset alone; `withheld` the same with no stored picture readable, as for a
dataset of embeddings and metadata; `large` and `large_withheld` likewise, among the gallery's
rows. `checked` proves on some queries that `match_images` itself says the same.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks import ROOT
from benchmarks.kept import FOLDER, Kept
from benchmarks.scoring import Found

Mode = Literal["pictures", "withheld", "large", "large_withheld"]
SMALL: Final = "trial"
GALLERY: Final = "gallery"
ENCODER: Final = "efficientnet-lite0/imagenet"
TOP: Final = 20


class ProductFailed(RuntimeError):
    """A command of the product failed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate's measures, as the calibration is fitted to."""

    row: str
    fingerprints: dict[str, float]
    pixels: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Examined:
    """One query, looked up in every mode.

    Attributes:
        file: its name.
        error: why it was refused, else None.
        found: its matches by mode.
        measures: its candidates in the small dataset, the pixels of the shortlist compared.
        large_measures: likewise among the gallery's rows; empty without a gallery.
        again: whether its costly parts had been kept by an earlier run.
    """

    file: str
    error: str | None
    found: Mapping[Mode, tuple[Found, ...]]
    measures: tuple[Row, ...]
    large_measures: tuple[Row, ...]
    again: bool = False


class Product:
    """One installation under a folder, on the embedded database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("UNLIST_", "DJANGO_"))
            and name not in {"DATABASE_URL", "REDIS_URL"}
        } | {
            "UNLIST_DATA_DIR": str(self.folder / "data"),
            "UNLIST_SECRET_DIR": str(self.folder / "secrets"),
            FOLDER: str(self.folder / "evidence"),
        }

    def manage(self, *arguments: str) -> str:
        """Run one command of `manage.py`; what it printed.

        Raises:
            ProductFailed: it failed.
        """
        ran = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ran.returncode:
            raise ProductFailed(f"manage.py {' '.join(arguments)}: {ran.stderr.strip()[-2000:]}")
        return ran.stdout

    def take_in(self, name: str, form: str, path: Path) -> None:
        """Add and index a dataset."""
        self.manage(
            "add_dataset", name, "--format", form, "--path", str(path), "--encoder", ENCODER
        )
        self.manage("index_dataset", name)

    def examine(
        self, folder: Path, files: Sequence[str], *, gallery: bool, processes: int
    ) -> Iterator[Examined]:
        """Look up queries in every mode, in the order of `files`."""
        jobs = [(str(folder), file, gallery) for file in files]
        with ProcessPoolExecutor(
            processes,
            mp_context=get_context("spawn"),
            initializer=_start,
            initargs=(self.environment,),
        ) as pool:
            yield from pool.map(_examine, jobs, chunksize=4)

    def match_images(self, folder: Path) -> dict[str, tuple[Found, ...]]:
        """What the command itself finds in the small dataset for a folder of queries."""
        out = self.folder / "matched.jsonl"
        self.manage(
            "match_images", "--dataset", SMALL, "--input", str(folder), "--output", str(out),
            "--top", str(TOP),
        )  # fmt: skip
        records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        return {
            record["image"]: tuple(
                Found(
                    f"{one['dataset']}/{one['key']}",
                    one["score"],
                    one["kind"] in {"exact", "copy"},
                )
                for one in record["matches"]
            )
            for record in records
        }


def _start(environment: Mapping[str, str]) -> None:
    """Set a spawned process up as one of the product's own."""
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import django  # noqa: PLC0415  # after the environment is as it must be

    django.setup()


def _examine(job: tuple[str, str, bool]) -> Examined:
    """What `match_photo` does, its steps shared by the modes."""
    from indexer.decode import ImageRefused  # noqa: PLC0415
    from indexer.evidence.verdict import shortlist  # noqa: PLC0415

    folder, file, gallery = job
    data = Path(folder, file).read_bytes()
    try:
        kept, small, everything = _searched(data, gallery)
    except ImageRefused as refusal:
        return Examined(file, refusal.sentence, dict.fromkeys(_modes(gallery), ()), (), ())

    def listed(hits: Sequence[Any]) -> list[Any]:
        return shortlist(hits, datasets={SMALL})  # the gallery holds no pictures

    chosen = {one.id: one for hits in (small, everything) for one in listed(hits)}
    geometry = kept.verified(data, list(chosen.values()))

    def seen(hits: Sequence[Any]) -> dict[Any, Any]:
        rows = (one.id for one in listed(hits))
        return {row: geometry[row] for row in rows if geometry.get(row) is not None}

    found: dict[Mode, tuple[Found, ...]] = {
        "pictures": _concluded(small, seen(small)),
        "withheld": _concluded(small, {}),
    }
    if gallery:
        found |= {
            "large": _concluded(everything, seen(everything)),
            "large_withheld": _concluded(everything, {}),
        }
    large_measures = _measured(everything, seen(everything)) if gallery else ()
    measures = _measured(small, seen(small))
    return Examined(file, None, found, measures, large_measures, again=kept.again)


def _searched(data: bytes, gallery: bool) -> tuple[Kept, list[Any], list[Any]]:
    """A query's hits in the small dataset and in all, and where its evidence is kept.

    Raises:
        ImageRefused: it is no picture that is read.
    """
    from catalog import search  # noqa: PLC0415  # needs Django set up
    from catalog.selectors import groups_ready  # noqa: PLC0415

    groups = {name: list(groups_ready([name])) for name in (SMALL, GALLERY)[: 1 + gallery]}
    kept = Kept.of(data, (one.manifest_sha256 for some in groups.values() for one in some))
    if kept.hits is None:
        fingerprint = search.photo_fingerprint(data, [ENCODER])
        kept.keep(
            {
                name: [
                    hit
                    for group in some
                    for hit in search.group_search(group, [fingerprint], top=TOP)
                ]
                for name, some in groups.items()
            }
        )
    hits = kept.hits or {}
    return kept, list(hits[SMALL]), [hit for some in hits.values() for hit in some]


def _modes(gallery: bool) -> tuple[Mode, ...]:
    small: tuple[Mode, ...] = ("pictures", "withheld")
    return (*small, "large", "large_withheld") if gallery else small


def _concluded(hits: Sequence[Any], geometry: Mapping[Any, Any]) -> tuple[Found, ...]:
    from indexer.evidence.verdict import conclude  # noqa: PLC0415

    return tuple(
        Found(f"{one.dataset}/{one.key}", one.score, one.kind in {"exact", "copy"})
        for one in conclude(hits, top=TOP, geometry=geometry)
    )


def _measured(hits: Sequence[Any], geometry: Mapping[Any, Any]) -> tuple[Row, ...]:
    from indexer.evidence.verdict import measured  # noqa: PLC0415

    keys = {
        (hit.dataset, one.row.shard, one.row.index): one.row.key
        for hit in hits
        for one in hit.candidates
    }
    return tuple(
        Row(f"{row[0]}/{keys[row]}", alone, pixels)
        for row, alone, pixels in measured(hits, geometry)
    )
