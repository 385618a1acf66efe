"""A labeled trial from the pool's photographs: a dataset, queries, and the truth about them.

    python -m benchmarks.trial --split test --out DIR [--seed 1] [--per-edit 4]

The photographs of one split are dealt three ways: `stored` ones are the dataset's rows, `ground`
ones appear in the dataset's halves of negative pairs, `stranger` ones are never in the dataset
and are what queries without a copy, collages and backdrops show. Every edit is asked for with
stored photos and portraits, and with strangers. The layout and `truth.json` are those of the
evaluation kit (img2dataset's webdataset form; `queries`: file -> transform and copies), with
fields more: `photo` edited, `face`, `group`, and `related`. There are fewer ground photos than
pairs, so that one appears in several rows, once framed, say, and once captioned. Whether such rows
are copies of each other is a question of words: to a query they are `related`, neither right nor
wrong.
"""

import argparse
import io
import itertools
import json
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from benchmarks.edits import Scene, encode, finish
from benchmarks.edits.combos import EDITS
from benchmarks.edits.negatives import NEGATIVES, Cast
from benchmarks.photos import Photo, Split, load_pool

STORED_SIDE: Final = 384
_SHARD_ROWS: Final = 200
_SECOND_COPIES: Final = 0.06
_SHARES: Final = (0.60, 0.72)  # stored, then ground, then strangers


@dataclass(frozen=True, slots=True)
class Query:
    """What a query is.

    Attributes:
        transform: the edit's name, `plain`, or the kind of negative pair.
        group: the edit's group, `plain` or `negative`.
        photo: the name of the photo edited; of a pair, the pair's.
        face: whether it is a portrait.
        copies: keys of the rows that are copies of it.
        shows: the photos that other rows may show, too: of a pair, those drawn for it.
    """

    transform: str
    group: str
    photo: str
    face: bool
    copies: tuple[str, ...]
    shows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Deal:
    """Who plays which part."""

    stored: tuple[Photo, ...]
    ground: tuple[Photo, ...]
    strangers: tuple[Photo, ...]


def deal(photos: Sequence[Photo], seed: int) -> Deal:
    """Deal photographs and portraits in the same shares."""
    parts: tuple[list[Photo], list[Photo], list[Photo]] = ([], [], [])
    for face in (True, False):
        some = sorted((one for one in photos if one.face is face), key=lambda one: one.name)
        random.Random(f"deal/{seed}/{face}").shuffle(some)
        first, second = (round(len(some) * share) for share in _SHARES)
        for part, dealt in zip(
            parts, (some[:first], some[first:second], some[second:]), strict=True
        ):
            part.extend(dealt)
    return Deal(*(tuple(part) for part in parts))


class Trial:
    """Writes one trial into a folder."""

    def __init__(self, photos: Sequence[Photo], out: Path, *, seed: int, per_edit: int) -> None:
        self._deal = deal(photos, seed)
        self._out, self._seed, self._per_edit = out, seed, per_edit
        self._rows: list[tuple[str, bytes]] = []
        self._shown: dict[str, tuple[str, frozenset[str]]] = {}  # by row: its pair, its photos
        self._queries: list[tuple[Query, bytes, str]] = []

    def write(self) -> dict[str, Any]:
        """Write dataset, queries and truth.

        Returns:
            The truth.

        Raises:
            FileExistsError: the folder is there already.
        """
        self._out.mkdir(parents=True)
        keys = self._store()
        for query in tqdm(self._all(keys), unit="query"):
            self._queries.append(query)
        self._write_shards()
        return self._write_queries()

    def _store(self) -> dict[str, tuple[str, ...]]:
        """The dataset's rows; the keys of each stored photo."""
        rng = random.Random(f"rows/{self._seed}")
        keys: dict[str, tuple[str, ...]] = {}
        for photo in self._deal.stored:
            keys[photo.name] = (self._row(photo.image()),)
            if rng.random() < _SECOND_COPIES:
                small = photo.image()
                small.thumbnail((300, 300))
                keys[photo.name] += (self._row(small),)
        return keys

    def _row(self, image: Image.Image) -> str:
        small = image.copy()
        small.thumbnail((STORED_SIDE, STORED_SIDE), Image.Resampling.BOX)
        key = f"{len(self._rows):09d}"
        self._rows.append((key, encode(small, "jpg", 95)[0]))
        return key

    def _all(self, keys: dict[str, tuple[str, ...]]) -> Iterator[tuple[Query, bytes, str]]:
        for name in ("plain", *EDITS):
            rng = random.Random(f"choice/{self._seed}/{name}")
            for face in (True, False):
                for photo in _some(self._deal.stored, face, self._per_edit, rng):
                    yield self._edited(name, photo, keys[photo.name])
                for photo in _some(self._deal.strangers, face, max(1, self._per_edit // 3), rng):
                    yield self._edited(name, photo, ())
        for kind in NEGATIVES:
            for number in range(2 * self._per_edit):
                yield from self._pair(kind, number)

    def _edited(self, name: str, photo: Photo, copies: tuple[str, ...]) -> tuple[Query, bytes, str]:
        group = EDITS[name].group if name in EDITS else "plain"
        query = Query(name, group, photo.name, photo.face, copies)
        if name == "plain":
            return query, photo.read(), "jpg"
        rng = random.Random(f"edit/{self._seed}/{name}/{photo.name}")
        scene = Scene(rng, _drawn(self._deal.strangers, rng, but=photo))
        return query, *finish(EDITS[name].make(photo.image(), scene), rng)

    def _pair(self, kind: str, number: int) -> Iterator[tuple[Query, bytes, str]]:
        """The query's half, without a copy; and every second time the row's own half, edited."""
        rng = random.Random(f"pair/{self._seed}/{kind}/{number}")
        # The row's half shows ground photos alone, the query's strangers, but for what they share.
        of_row, of_query = set[str](), set[str]()
        row_half, _ = NEGATIVES[kind](self._cast(self._deal.ground, kind, number, of_row))
        _, query_half = NEGATIVES[kind](self._cast(self._deal.strangers, kind, number, of_query))
        key, name = self._row(row_half), f"{kind}-{number}"
        self._shown[key] = name, frozenset(of_row)
        face = kind in {"same_flag", "same_studio", "same_place"}
        query = Query(kind, "negative", name, face, (), frozenset(of_query))
        yield query, *finish(query_half, rng)
        if number % 2 and kind not in {"gradients", "dark_frames"}:
            again = encode(row_half, "jpg", rng.randint(30, 70))
            yield Query(kind, "negative", name, face, (key,), frozenset(of_row)), *again

    def _related(self, query: Query) -> list[str]:
        """Rows of other pairs that show a photo which the query shows."""
        return [
            key
            for key, (pair, photos) in self._shown.items()
            if pair != query.photo and photos & query.shows
        ]

    def _cast(self, photos: Sequence[Photo], kind: str, number: int, shown: set[str]) -> Cast:
        """The same chances for both halves of a pair, other photos; `shown` gets their names."""
        chances = random.Random(f"cast/{self._seed}/{kind}/{number}")
        draws = random.Random(f"draw/{self._seed}/{kind}/{number}")
        faces = [one for one in photos if one.face]
        turns = random.Random(f"common/{self._seed}/{kind}/{number}")
        common = _drawn(self._deal.ground, turns, shown=shown)
        return Cast(
            chances, _drawn(photos, draws, shown=shown), _drawn(faces, draws, shown=shown), common
        )

    def _write_shards(self) -> None:
        folder = self._out / "dataset"
        folder.mkdir()
        for number, at in enumerate(range(0, len(self._rows), _SHARD_ROWS)):
            write_shard(folder, number, self._rows[at : at + _SHARD_ROWS])

    def _write_queries(self) -> dict[str, Any]:
        folder = self._out / "queries"
        folder.mkdir()
        order = list(range(len(self._queries)))
        random.Random(f"order/{self._seed}").shuffle(order)
        known = {}
        for place, number in enumerate(order):
            query, data, extension = self._queries[number]
            file = f"q{place:05d}.{extension}"
            (folder / file).write_bytes(data)
            fact = asdict(query) | {"related": self._related(query)}
            known[file] = {name: value for name, value in fact.items() if name != "shows"}
        truth = {
            "queries": known,
            "dataset_rows": len(self._rows),
            "dataset_images": len(self._rows),
            "dataset_keys": [key for key, _ in self._rows],
            "seed": self._seed,
        }
        (self._out / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
        return truth


def write_shard(folder: Path, number: int, rows: Sequence[tuple[str, bytes]]) -> None:
    """One shard as img2dataset writes it: a tar and a parquet of (key, JPEG) rows."""
    table = []
    with tarfile.open(folder / f"{number:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, data in rows:
            row = {
                "key": key,
                "url": f"https://photos.example/{key}.jpg",
                "caption": f"Picture {key}",
                "status": "success",
                "error_message": None,
            }
            table.append(row)
            for extension, content in (("jpg", data), ("json", json.dumps(row).encode())):
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    columns = pa.schema([(name, pa.string()) for name in table[0]])
    pq.write_table(pa.Table.from_pylist(table, columns), folder / f"{number:05d}.parquet")
    stats = {"count": len(rows), "successes": len(rows)}
    (folder / f"{number:05d}_stats.json").write_text(json.dumps(stats), encoding="utf-8")


def _some(photos: Sequence[Photo], face: bool, count: int, rng: random.Random) -> list[Photo]:
    chosen = [one for one in photos if one.face is face]
    return rng.sample(chosen, min(count, len(chosen)))


def _drawn(
    photos: Sequence[Photo],
    rng: random.Random,
    but: Photo | None = None,
    shown: set[str] | None = None,
) -> Callable[[], Image.Image]:
    """Draws one of the photos after the other, in random order, over and over.

    The name of each one drawn is added to `shown`.
    """
    order = [one for one in photos if one != but]
    rng.shuffle(order)
    turns = itertools.cycle(order)

    def draw() -> Image.Image:
        photo = next(turns)
        if shown is not None:
            shown.add(photo.name)
        return photo.image()

    return draw


def make_trial(
    split: Split, out: Path, *, seed: int, per_edit: int, photos: Path | None = None
) -> dict[str, Any]:
    """Write a trial of a split's photographs; its truth."""
    pool = [photo for photo in load_pool(photos) if photo.split == split]
    return Trial(pool, out, seed=seed, per_edit=per_edit).write()


def main() -> None:
    """Write a trial."""
    parser = argparse.ArgumentParser(description="Write a labeled trial of one split.")
    parser.add_argument("--split", choices=("fit", "calibration", "test"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-edit", type=int, default=4, help="photos, and portraits, an edit")
    parser.add_argument("--photos", type=Path, help="the pool's folder")
    options = parser.parse_args()
    truth = make_trial(
        options.split,
        options.out,
        seed=options.seed,
        per_edit=options.per_edit,
        photos=options.photos,
    )
    print(f"{truth['dataset_rows']} rows, {len(truth['queries'])} queries in {options.out}")


if __name__ == "__main__":
    main()
