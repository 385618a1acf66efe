"""One dataset, from its files to requests concluded: what a hundred cost against one.

A dataset is indexed (or one that is indexed already is taken), then requests are searched in it
twice: by the service's own processes, started as `serve` starts them, from the queue to the last
conclusion; and in one process, stage by stage. Nothing is faked: photos are sealed, stored,
fingerprinted, searched, their best rows' pictures compared, and what was found is sealed.

    python -m benchmarks.endtoend --folder F --format clip-retrieval --encoder E
    python -m benchmarks.endtoend --data UNLIST_DATA_DIR
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import django
import psutil

from benchmarks import ROOT, bench_dir, report
from benchmarks.endtoend_stages import STAGES, NotConcluded, photos, submitted
from benchmarks.timing import watched_memory, watched_run
from scripts.house import House
from scripts.sample.dataset import write

NAME: Final = "endtoend"
PATIENCE: Final = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Service:
    """The service to measure: its data folder, and the environment of its processes."""

    data: Path
    env: dict[str, str]

    @classmethod
    def at(cls, data: Path) -> "Service":
        """The service whose UNLIST_DATA_DIR is given."""
        secrets = data.with_name(f"{data.name}-secrets")
        own = {"UNLIST_DATA_DIR": str(data), "UNLIST_SECRET_DIR": str(secrets)}
        foreign = ("UNLIST_", "DJANGO_", "DATABASE_URL", "REDIS_URL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return cls(data, {**kept, **own, "DJANGO_SETTINGS_MODULE": "config.settings"})

    def manage(self, *words: str | Path) -> None:
        """Run a management command to its end, its output on this terminal."""
        command = [sys.executable, "manage.py", *map(str, words)]
        subprocess.run(command, check=True, cwd=ROOT, env=self.env)


def main() -> None:
    """Index what is to be indexed, measure, print, save."""
    asked = _asked()
    service = Service.at(_data_dir(asked))
    indexed = _indexed(service, asked)
    # The embedded default's own broker would be `serve`'s; here nobody is to take the messages.
    stages = _stages(service, asked)
    processes = _processes(service, asked)
    results = {"indexing": indexed, "stages": stages, "processes": processes}
    print("\n\n".join(report.table(*one) for one in tables(results)))
    report.finish(NAME, results, quick=asked.quick)


def _asked() -> argparse.Namespace:
    parser = report.quick_parser(__doc__)
    parser.add_argument("--data", type=Path, help="an UNLIST_DATA_DIR with an indexed dataset")
    parser.add_argument("--folder", type=Path, help="a dataset to index first")
    parser.add_argument("--format", default="clip-retrieval", help="its format")
    parser.add_argument("--encoder", default="", help="its encoder")
    parser.add_argument("--photos", type=Path, help="a folder of pictures to search for")
    parser.add_argument("--requests", type=int, help="how many (100; 6 with --quick)")
    asked = parser.parse_args()
    asked.requests = asked.requests or (6 if asked.quick else 100)
    return asked


def _data_dir(asked: argparse.Namespace) -> Path:
    if asked.data:
        return Path(asked.data).absolute()
    folder = bench_dir(NAME) / "data"
    for old in (folder, folder.with_name("data-secrets")):
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _indexed(service: Service, asked: argparse.Namespace) -> dict[str, Any]:
    """Add and index the dataset, where it is not there already."""
    service.manage("migrate", "--verbosity", "0")
    service.manage("make_secrets")
    if asked.data:
        return _coverage(service)
    folder, form = asked.folder, asked.format
    if folder is None:
        folder, form = bench_dir(NAME) / "sample", "img2dataset"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, generated=96)
    add = ["add_dataset", NAME, "--format", form, "--path", str(folder)]
    service.manage(*add, *(["--encoder", asked.encoder] if asked.encoder else []))
    command = [sys.executable, "manage.py", "index_dataset", NAME]
    with _environment(service):
        ran = watched_run(command, cwd=ROOT)
    return {**_coverage(service), "seconds": ran.seconds, "peak": ran.peak.as_json()}


def _coverage(service: Service) -> dict[str, Any]:
    listed = subprocess.run(
        [sys.executable, "manage.py", "list_datasets", "--json"],
        check=True, cwd=ROOT, env=service.env, capture_output=True, text=True,
    )  # fmt: skip
    datasets = json.loads(listed.stdout)
    rows = sum(dataset["rows_indexed"] for dataset in datasets)
    files = (path for path in (service.data / "indexes").rglob("*") if path.is_file())
    return {
        "rows": rows,
        "groups": sum(dataset["groups_ready"] for dataset in datasets),
        "index_bytes": sum(path.stat().st_size for path in files),
    }


@contextmanager
def _environment(service: Service, **more: str) -> Iterator[None]:
    """Let this process, and the children it starts, have the service's environment."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({**service.env, **more})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _stages(service: Service, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure stage by stage, in one process of its own."""
    out = bench_dir(NAME) / "stages.json"
    words = ["--requests", str(asked.requests), "--out", str(out)]
    words += ["--photos", str(asked.photos)] if asked.photos else []
    with _environment(service, REDIS_URL="memory://"):
        command = [sys.executable, "-m", "benchmarks.endtoend_stages", *words]
        ran = watched_run(command, cwd=ROOT)
    measured: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return {**measured, "peak": ran.peak.as_json()}


def _processes(service: Service, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure the service's own processes, from the queue to the last conclusion."""
    with _environment(service):
        django.setup()
        house = House(bench_dir(NAME) / "house", service.env)
        with house:
            worker = psutil.Process(house.process_id("worker"))
            first = 10_000
            cold = _concluded(worker, photos(asked.photos, 1, first=first))
            one = _concluded(worker, photos(asked.photos, 1, first=first + 1))
            many = _concluded(worker, photos(asked.photos, asked.requests, first=first + 2))
    return {"cold": cold, "one": one, "many": many}


def _concluded(worker: psutil.Process, pictures: list[bytes]) -> dict[str, Any]:
    """Queue requests while the worker is stopped; let it go on; wait for the last conclusion.

    Raises:
        NotConcluded: not all were concluded within `PATIENCE`.
    """
    os.kill(worker.pid, signal.SIGSTOP)
    began = time.perf_counter()
    names = submitted(pictures)
    queued = time.perf_counter() - began
    cpu = sum(worker.cpu_times()[:2])
    with watched_memory(worker.pid) as peak:
        os.kill(worker.pid, signal.SIGCONT)
        began = time.perf_counter()
        milestones = _milestones(names, began)
    return {
        "requests": len(names),
        "submit_seconds": queued,
        "seconds": milestones["concluded"],
        "milestones": milestones,
        "core_seconds": sum(worker.cpu_times()[:2]) - cpu,
        "peak": peak.as_json(),
    }


def _milestones(names: list[uuid.UUID], began: float) -> dict[str, float]:
    """Seconds until all were fingerprinted, until all groups answered, until all concluded."""
    from removal.models import RemovalRequest, SearchUnit  # noqa: PLC0415  # apps loaded by now

    requests = RemovalRequest.objects.filter(pk__in=names)
    searches = SearchUnit.objects.filter(request__in=names, stage=SearchUnit.Stage.SEARCH)
    reached: dict[str, float] = {}
    while "concluded" not in reached:
        now = time.perf_counter() - began
        received = requests.filter(state="received").exists()
        unsearched = received or searches.exclude(state=SearchUnit.State.DONE).exists()
        over = not requests.filter(state__in=("received", "searching")).exists()
        for name, done in (
            ("fingerprinted", not received),
            ("searched", not unsearched),
            ("concluded", over),
        ):
            if done:
                reached.setdefault(name, now)
        if now > PATIENCE:
            raise NotConcluded(f"after {now:.0f} s: {requests.count()} requests, not all concluded")
        time.sleep(0.05)
    return reached


def tables(results: Mapping[str, Any]) -> list[tuple[list[str], list[list[object]]]]:
    """Headers and rows of the two tables: stage by stage, and the service's own processes."""
    stages, runs = results["stages"], results["processes"]
    count = stages["many"]["requests"]
    lines: list[list[object]] = []
    for stage in STAGES:
        one, many = (stages[which]["stages"][stage] for which in ("one", "many"))
        each = many["seconds"] / count
        lines.append([stage, one["seconds"], many["seconds"], each, one["seconds"] / each])
    return [
        (["stage, s", "1 request", f"{count}", "each of them", "1 : each"], lines),
        (
            ["run", "requests", "s", "core s", "worker MiB of its own"],
            [
                [name, run["requests"], run["seconds"], run["core_seconds"], _own_mib(run)]
                for name, run in runs.items()
            ],
        ),
    ]


def _own_mib(run: Mapping[str, Any]) -> float:
    return float(run["peak"]["anon"]) / 2**20


if __name__ == "__main__":
    main()
