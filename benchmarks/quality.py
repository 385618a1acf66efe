"""How well the product finds copies, and whether its scores mean what they say.

    python -m benchmarks.quality --kit DIR --seed 7            the evaluation kit, one seed
    python -m benchmarks.quality --trial test                  the pool's photographs, own edits
        [--gallery DIR] [--limit N] [--processes 2] [--table FILE.jsonl]

Makes the dataset and its queries, takes them into a product of its own, looks every query up and
scores it in every mode (`benchmarks.product`): with pictures, with pictures withheld, and with
`--gallery` among a large gallery's rows, both ways. A sample of the queries is asked again through
`match_images`, with the shards in place and with their tars moved away: it must say the same.
Writes `results/quality-*.json`, the reliability plots, and with `--table` the labeled candidates
that `indexer.fit` reads.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks import ROOT, bench_dir
from benchmarks.product import GALLERY, SMALL, Examined, Mode, Product, Row
from benchmarks.quality_tasks import Task, kit_task, trial_task
from benchmarks.reliability import reliability_plot
from benchmarks.report import Target, finish, table
from benchmarks.scoring import Found, figures, figures_by_label

_CHECKED: Final = 24
_GOALS: Final = {"micro_ap": 0.990, "recall_at_p90": 0.990, "copy_recall": 0.95}
_MODE_WORDS: Final[dict[Mode, str]] = {
    "pictures": "with pictures",
    "withheld": "pictures withheld",
    "large": "in a large gallery",
    "large_withheld": "in a large gallery, pictures withheld",
}


class PicturesUnreadable(RuntimeError):
    """No stored picture could be compared: figures "with pictures" would be none."""


class Disagreement(AssertionError):
    """`match_images` said otherwise than the steps it is made of."""


def prepared(task: Task, work: Path, gallery: Path | None) -> Product:
    """A product that has the task's dataset, and the gallery, indexed."""
    put_back(task.folder / "dataset")
    product = Product(work / f"product-{task.folder.name}")
    listed = product.manage("list_datasets") if (product.folder / "data").is_dir() else ""
    if SMALL not in listed:
        product.take_in(SMALL, "img2dataset", task.folder / "dataset")
    if gallery is not None and GALLERY not in listed:
        product.take_in(GALLERY, "clip-retrieval", gallery)
    return product


def checked(product: Product, task: Task, examined: Sequence[Examined], work: Path) -> int:
    """Ask some queries through the command itself; how many.

    Raises:
        Disagreement: it said otherwise.
    """
    step = max(1, len(examined) // _CHECKED)
    sample = [one for one in examined[::step] if one.error is None][:_CHECKED]
    folder = work / "checked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for one in sample:
        shutil.copy(task.folder / "queries" / one.file, folder)
    _agree(product.match_images(folder), sample, "pictures")
    with _withheld(task.folder / "dataset"):
        _agree(product.match_images(folder), sample, "withheld")
    return len(sample)


def _agree(said: Mapping[str, Sequence[Found]], sample: Iterable[Examined], mode: Mode) -> None:
    for one in sample:
        if tuple(said[one.file]) != tuple(one.found[mode]):
            raise Disagreement(
                f"{one.file}, {_MODE_WORDS[mode]}: match_images says {said[one.file][:3]}, its "
                f"steps say {one.found[mode][:3]}. Index anew, or look for a step left out."
            )


@contextmanager
def _withheld(dataset: Path) -> Iterator[None]:
    """Move the shards' tars away while the block runs."""
    away = _away(dataset)
    away.mkdir(exist_ok=True)
    try:
        for tar in sorted(dataset.glob("*.tar")):
            tar.rename(away / tar.name)
        yield
    finally:
        put_back(dataset)


def put_back(dataset: Path) -> None:
    """Undo what a run that was killed while pictures were withheld left behind."""
    for tar in sorted(_away(dataset).glob("*.tar")):
        tar.rename(dataset / tar.name)


def _away(dataset: Path) -> Path:
    return dataset.with_name("withheld")


def scored(task: Task, examined: Sequence[Examined]) -> dict[str, Any]:
    """The figures of every mode: of all queries, by part, by edit."""
    modes = list(next(one for one in examined if one.error is None).found)
    results: dict[str, Any] = {"refused": sum(one.error is not None for one in examined)}
    for mode in modes:
        asked = {one.file: task.asked(one, mode) for one in examined}
        parts = {
            part: figures([asked[file] for file in asked if task.part(file) == part])
            for part in sorted({task.part(file) for file in asked})
        }
        whole = list(asked.values())
        results[mode] = {
            "all": figures(whole), "parts": parts, "edits": figures_by_label(whole)
        }  # fmt: skip
    return results


def candidate_lines(task: Task, examined: Iterable[Examined]) -> Iterable[str]:
    """The labeled candidates, as `indexer.fit` reads them."""
    for one in examined:
        fact = task.truth["queries"][one.file]
        photo, related = fact.get("photo", one.file), task.related(one.file)
        for kind, rows in (("small", one.measures), ("large", one.large_measures)):
            for row in rows:
                if row.row in related:
                    continue
                yield json.dumps(_line(task, f"{task.name}/{kind}/{one.file}", photo, fact, row))


def _line(task: Task, query: str, photo: str, fact: Mapping[str, Any], row: Row) -> dict[str, Any]:
    copies = {f"{SMALL}/{key}" for key in fact["copies"]}
    return {
        "query": query,
        "photo": photo,
        "copy": row.row in copies,
        "transform": fact["transform"],
        "task": task.name,
        "rows": task.truth["dataset_rows"],
        **{name: value for name, value in asdict(row).items() if name != "row"},
    }


def run(task: Task, options: argparse.Namespace) -> None:
    """Measure one task and save its results."""
    product = prepared(task, options.work, options.gallery)
    files = task.files[: options.limit or None]
    began = time.perf_counter()
    looked_up = product.examine(
        task.folder / "queries", files,
        gallery=options.gallery is not None, processes=options.processes,
    )  # fmt: skip
    examined = list(tqdm(looked_up, total=len(files), unit="query"))
    seconds = time.perf_counter() - began
    if not any(row.pixels for one in examined for row in one.measures):
        raise PicturesUnreadable(
            f"No stored picture of {task.folder} could be read: delete {product.folder} to index "
            "it anew."
        )
    if options.table is not None:
        with options.table.open("a", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in candidate_lines(task, examined))
    results = scored(task, examined) | {
        "queries": len(files),
        "evidence_kept_before": (again := sum(one.again for one in examined)),
        "seconds_per_query": None if again else seconds / max(1, len(files)),
        "processes": options.processes,
        "checked_through_match_images": checked(product, task, examined, options.work),
        "gallery": str(options.gallery.name) if options.gallery else None,
    }
    _say(results)
    for mode in _shown(results):
        title = f"{task.name}, {_MODE_WORDS[mode]}"
        asked = [task.asked(one, mode) for one in examined]
        reliability_plot(asked, title, options.plots / f"calibration-{task.name}-{mode}.svg")
    finish(task.name, results, _targets(task, results), quick=bool(options.limit))


def _shown(results: Mapping[str, Any]) -> list[Mode]:
    return [mode for mode in _MODE_WORDS if mode in results]


def _say(results: Mapping[str, Any]) -> None:
    modes = _shown(results)
    names = list(results[modes[0]]["all"])
    rows = [[name, *(_cell(results[mode]["all"][name]) for mode in modes)] for name in names]
    print("\n" + table(["figure", *(_MODE_WORDS[mode] for mode in modes)], rows))
    edits = results[modes[0]]["edits"]
    lines = [
        [name, *(_cell(results[mode]["edits"][name]["copy_recall"]) for mode in modes),
         _cell(edits[name]["false_copy_rate"])]
        for name in edits
    ]  # fmt: skip
    print("\n" + table(["copy recall", *(_MODE_WORDS[m] for m in modes), "false copies"], lines))


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _targets(task: Task, results: Mapping[str, Any]) -> list[Target]:
    """The issue's goals that this run speaks to."""
    parts, targets = results["pictures"]["parts"], []
    if task.name.startswith("quality-kit"):
        whole = results["pictures"]["all"]
        targets += [Target(f"{task.name} {n}", goal, whole[n]) for n, goal in _GOALS.items()]
        targets.append(
            Target(f"{task.name} false copies", 0.003, whole["false_copy_rate"], at_least=False)
        )
        withheld = results["withheld"]["all"]["micro_ap"]
        targets.append(Target(f"{task.name} µAP, pictures withheld", 0.90, withheld))
    else:
        for part, goal in (("photos", 0.98), ("portraits", 0.96)):
            found = parts.get(part)
            if found is None:  # of few queries
                continue
            targets += [
                Target(f"{task.name} {part} {n}", goal, found[n])
                for n in ("micro_ap", "copy_recall")
            ]
            targets.append(
                Target(f"{task.name} {part} false copies", 0.01, found["false_copy_rate"], False)
            )
    for mode in ("pictures", "large"):
        if mode in results:
            error = results[mode]["all"]["ece_width"]
            targets.append(Target(f"{task.name} ECE, {_MODE_WORDS[mode]}", 0.03, error, False))
    if "large" in results:
        loss = results["pictures"]["all"]["micro_ap"] - results["large"]["all"]["micro_ap"]
        targets.append(Target(f"{task.name} µAP lost in the gallery", 0.02, loss, False))
    return targets


def _kit(text: str) -> Path:
    if not (Path(text) / "copybench.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is no kit: it holds no copybench.py.")
    return Path(text)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measure how well copies are found.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--kit", type=_kit, help="the evaluation kit's folder")
    what.add_argument("--trial", choices=("fit", "calibration", "test"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-edit", type=int, default=4, help="of a trial")
    parser.add_argument(
        "--gallery",
        type=Path,
        help="a folder that benchmarks.gallery wrote, for a trial from other splits",
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="the first queries only: proves nothing"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", type=Path, help="append labeled candidates for indexer.fit")
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--plots", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    options.work = options.work or bench_dir("quality")
    task = (
        kit_task(options.kit, options.seed, options.work)
        if options.kit
        else trial_task(options.trial, options.seed, options.per_edit, options.work)
    )
    run(task, options)


if __name__ == "__main__":
    main()
