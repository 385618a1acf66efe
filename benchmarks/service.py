"""How many submissions and status look-ups a second the whole service answers, and how fast.

The service is started as `serve` starts it, proof of work and its bounds off, on SQLite and on a
private PostgreSQL that syncs its writes; nothing is indexed, so that requests wait and the web
process has the machine beside its clients, which share the same cores. Photos are decoded, sealed
and written as ever. Where the time goes is sampled in a process of its own (`service_shares`).

    python -m benchmarks.service --quick
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import ROOT, bench_dir, report
from benchmarks.service_shares import NAMES
from scripts.house import House
from scripts.postgres import private_postgres

NAME: Final = "service"
CORES: Final = 2
OPEN: Final = {"UNLIST_POW_COST": "0", "UNLIST_REQUESTS_PER_HOUR": "0"}
DATABASES: Final = ("sqlite", "postgresql")
KINDS: Final = ("submit", "status")
_PROCESSES: Final = ("site", "worker", "scheduler")


def main(words: list[str] | None = None) -> int:
    """Measure on each database, print, save."""
    asked = _parser().parse_args(words)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # children inherit it
    results, load_before = {}, os.getloadavg()
    for name in asked.databases:
        folder = bench_dir(NAME) / name
        shutil.rmtree(folder, ignore_errors=True)
        with database(name) as env, House(folder, {**OPEN, **env}) as house:
            results[name] = measured(house, asked)
        print(shown(name, results[name]), flush=True)
    whole = {"cores": CORES, "load_before": load_before, "databases": results}
    report.finish(NAME, whole, quick=asked.quick)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = report.quick_parser(__doc__)
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 8], help="one round with each"
    )
    parser.add_argument("--seconds", type=float, help="of a round (30; 2 with --quick)")
    return parser


@contextlib.contextmanager
def database(name: str) -> Iterator[Mapping[str, str]]:
    """Yield what the service's environment says of its database."""
    if name == "sqlite":
        yield {}
        return
    with private_postgres(durable=True) as url:
        yield {"DATABASE_URL": url}


def measured(house: House, asked: argparse.Namespace) -> dict[str, Any]:
    """Play every round against a running service, then sample where the time goes."""
    seconds = asked.seconds or (2.0 if asked.quick else 30.0)
    rounds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        played(house, kind, clients=max(asked.clients), seconds=1.0)  # what starts on first use
        for clients in asked.clients:
            rounds[kind].append(played(house, kind, clients=clients, seconds=seconds))
    out = house.folder / "shares.json"
    words = ["--seconds", str(seconds), "--receipts", str(_receipts(house)), "--out", str(out)]
    child("service_shares", words, house.env)
    return {**rounds, "shares": json.loads(out.read_text())}


def played(house: House, kind: str, *, clients: int, seconds: float) -> dict[str, Any]:
    """Play one round; add what the service's processes spent on it."""
    out = house.folder / "round.json"
    words = [kind, "--port", str(house.port), "--clients", str(clients)]
    words += ["--seconds", str(seconds), "--receipts", str(_receipts(house)), "--out", str(out)]
    before = spent(house)
    child("service_load", words, house.env)
    after = spent(house)
    facts: dict[str, Any] = json.loads(out.read_text())
    core = {name: after[name] - before[name] for name in before}
    core["clients"] = facts.pop("client_core_seconds")
    facts["core_ms_each"] = {name: 1e3 * took / facts["count"] for name, took in core.items()}
    return facts


def spent(house: House) -> dict[str, float]:
    """Return the core seconds that each of the service's processes has used, with its children."""
    return {name: _core_seconds(house.process_id(name)) for name in _PROCESSES}


def _core_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    living = psutil.Process(pid).children(recursive=True)
    ended = times.children_user + times.children_system
    whole = sum([times.user, times.system, ended, *(sum(one.cpu_times()[:2]) for one in living)])
    return float(whole)


def child(module: str, words: list[str], env: Mapping[str, str]) -> None:
    """Run a module of the benchmarks to its end, with the service's environment."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    whole = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    subprocess.run(command, check=True, cwd=ROOT, env=whole)


def _receipts(house: House) -> Path:
    return house.folder / "receipts.txt"


def shown(name: str, results: Mapping[str, Any]) -> str:
    """Return one database's figures as tables."""
    rows: list[list[object]] = [
        [kind, one["clients"], one["per_second"], one["p50_ms"], one["p99_ms"], one["max_ms"],
         *one["core_ms_each"].values()]
        for kind in KINDS
        for one in results[kind]
    ]  # fmt: skip
    heads = ["what", "clients", "a second", "p50 ms", "p99 ms", "worst ms"]
    heads += [f"{process}, core ms" for process in (*_PROCESSES, "clients")]
    parts: list[list[object]] = [
        [kind, facts["ms_each"], *(f"{facts['shares'][group]:.0%}" for group in NAMES)]
        for kind, facts in results["shares"].items()
    ]
    return (
        f"\n{name}\n{report.table(heads, rows)}\n\n"
        f"{report.table(['one after the other', 'ms each', *NAMES], parts)}"
    )


if __name__ == "__main__":
    sys.exit(main())
