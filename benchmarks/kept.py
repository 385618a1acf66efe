"""What a query's search found, kept, so that other weights can be tried in seconds.

Embedding a query and comparing pixels take nearly all of the time, and neither depends on how the
evidence is weighed. So hits and geometry are kept under the digest of everything that they
depend on: the query's bytes, the indexes, and the code, but for the modules that weigh. Another
calibration may shortlist other rows: those are compared when they are asked for, and kept too.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from benchmarks import ROOT

FOLDER: Final = "UNLIST_BENCH_EVIDENCE"  # of the environment: where evidence is kept
_WEIGHING: Final = {"verdict.py", "measures.py", "calibration.py", "fit.py"}


@dataclass(slots=True)
class Kept:
    """A query's evidence.

    Attributes:
        path: the file that keeps it.
        again: whether it was there.
        hits: by dataset, one a group; None until they are known.
        geometry: by row; None where the stored picture cannot be read.
    """

    path: Path
    again: bool
    hits: Mapping[str, Sequence[Any]] | None = None
    geometry: dict[tuple[str, str, int], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: bytes, indexes: Iterable[str]) -> Self:
        """What is kept for a query's bytes and the digests of the indexes searched."""
        facts = "/".join([_code(), hashlib.sha256(data).hexdigest(), *indexes])
        name = hashlib.sha256(facts.encode()).hexdigest()
        kept = cls(Path(os.environ[FOLDER], f"{name}.zip"), again=False)
        if kept.path.is_file():
            kept._read()
        return kept

    def keep(self, hits: Mapping[str, Sequence[Any]]) -> None:
        """Take hits."""
        self.hits = hits
        self._write()

    def verified(self, data: bytes, rows: Sequence[Any]) -> Mapping[tuple[str, str, int], Any]:
        """The geometry of these rows at least, as `rows_verify` gives it for the query."""
        from catalog.search import rows_verify  # noqa: PLC0415  # needs Django set up
        from indexer.query.fingerprint import photo_probe  # noqa: PLC0415

        lacking = [one for one in rows if one.id not in self.geometry]
        if lacking:
            found = rows_verify(photo_probe(data), lacking)
            self.geometry |= {one.id: found.get(one.id) for one in lacking}
            self._write()
        return self.geometry

    def _read(self) -> None:
        from indexer.evidence.hits import GroupHits  # noqa: PLC0415
        from indexer.geometry.verify import Geometry  # noqa: PLC0415

        with zipfile.ZipFile(self.path) as stored:
            facts = json.loads(stored.read("facts.json"))
            self.hits = {
                name: [GroupHits.from_bytes(stored.read(f"{name}/{at}")) for at in range(count)]
                for name, count in facts["hits"].items()
            }
        self.geometry = {
            (dataset, shard, index): None if text is None else Geometry.from_json(text)
            for dataset, shard, index, text in facts["geometry"]
        }
        self.again = True

    def _write(self) -> None:
        hits = self.hits or {}
        facts = {
            "hits": {name: len(some) for name, some in hits.items()},
            "geometry": [
                [*row, None if seen is None else seen.as_json()]
                for row, seen in self.geometry.items()
            ],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("facts.json", json.dumps(facts))
            for name, some in hits.items():
                for at, hit in enumerate(some):
                    out.writestr(f"{name}/{at}", hit.to_bytes())
        part.replace(self.path)


@cache
def _code() -> str:
    """The digest of the code that evidence comes from."""
    sources = [*sorted((ROOT / "indexer").rglob("*.py")), ROOT / "catalog" / "search.py"]
    known = hashlib.sha256()
    for path in sources:
        if path.name not in _WEIGHING:
            known.update(path.name.encode() + b"\0" + path.read_bytes())
    return known.hexdigest()
