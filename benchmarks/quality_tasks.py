"""Labeled datasets that quality is measured on: the evaluation kit's, and the pool's trials."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.photos import Split
from benchmarks.product import SMALL, Examined, Mode
from benchmarks.scoring import Asked
from benchmarks.trial import make_trial


@dataclass(frozen=True, slots=True)
class Task:
    """A labeled dataset on disk.

    Attributes:
        name: of its results.
        folder: holds `dataset`, `queries`.
        truth: as the kit writes it.
    """

    name: str
    folder: Path
    truth: Mapping[str, Any]

    @property
    def files(self) -> list[str]:
        """The queries."""
        return sorted(self.truth["queries"])

    def asked(self, examined: Examined, mode: Mode) -> Asked:
        """A query with its truth and what a mode found."""
        fact = self.truth["queries"][examined.file]
        copies = frozenset(f"{SMALL}/{key}" for key in fact["copies"])
        related = self.related(examined.file)
        found = tuple(one for one in examined.found[mode] if one.row not in related)
        return Asked(fact["transform"], copies, found)

    def related(self, file: str) -> frozenset[str]:
        """Rows that are neither right nor wrong for a query."""
        return frozenset(f"{SMALL}/{key}" for key in self.truth["queries"][file].get("related", ()))

    def part(self, file: str) -> str:
        """`portraits` or `photos`; of the kit's, all are photos."""
        return "portraits" if self.truth["queries"][file].get("face") else "photos"


def kit_task(kit: Path, seed: int, work: Path) -> Task:
    """The evaluation kit's own dataset and queries for a seed."""
    folder = work / f"kit-{seed}"
    if not (folder / "truth.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        spec = importlib.util.spec_from_file_location("copybench", kit / "copybench.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError(f"There is no copybench.py in {kit}: name the kit's folder.")
        module = importlib.util.module_from_spec(spec)
        sys.modules["copybench"] = module
        spec.loader.exec_module(module)
        module.make(kit / "images", folder, module.PUBLIC, seed, 40, 100, 200)
    return _task(f"quality-kit-{seed}", folder)


def trial_task(split: Split, seed: int, per_edit: int, work: Path) -> Task:
    """A trial from the pool's photographs."""
    folder = work / f"trial-{split}-{seed}-{per_edit}"
    if not (folder / "truth.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        make_trial(split, folder, seed=seed, per_edit=per_edit)
    return _task(f"quality-{split}", folder)


def _task(name: str, folder: Path) -> Task:
    return Task(name, folder, json.loads((folder / "truth.json").read_text(encoding="utf-8")))
