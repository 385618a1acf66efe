"""What a dataset of any size takes: machines, disks, hours and money, from what was measured.

The plan never stretches a group beyond the largest size that was measured: a larger dataset is
more groups of that size, searched independently, so disk, building and searching grow with their
number. Prices are assumptions, each with its source; give your own:

    python -m benchmarks.scale_plan --rows 400e6 --vcpu-hour 0.05 --ssd-tb-month 100
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from benchmarks import RESULTS
from benchmarks.report import load, table

HOURS_A_MONTH: Final = 730
DAY: Final = 86_400
DATASETS: Final = {"LAION-400M": 400_000_000, "LAION-5B": 5_850_000_000}


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the reader may know better.

    Attributes:
        vcpu_hour: dollars for a virtual processor and 4 GiB of memory for an hour.
        ssd_tb_month: dollars for 10^12 bytes of local or block SSD for a month.
        vcpus: of one machine.
        ssd_tb, ssd_gb_s: of one machine: size, and 10^9 bytes read a second in small pieces.
        wait_s: how long one person may wait for the search of one photo, with nothing in memory.
        photos_day: photos to search a day, taken 64 at a time.
        busy: the share of the processors' time that searching may take.
        spare: of the disks, kept free; a group is built beside the one it replaces.
    """

    vcpu_hour: float = 0.0408
    ssd_tb_month: float = 80.0
    vcpus: int = 32
    ssd_tb: float = 7.5
    ssd_gb_s: float = 2.0
    wait_s: float = 60.0
    photos_day: float = 10_000
    busy: float = 0.5
    spare: float = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dataset takes.

    Attributes:
        rows, groups: its size.
        disk_tb: of indexes, spare room included.
        build_core_hours: processor time to index it once from published embeddings.
        build_hours: the same on the machines below.
        alone_s: processor seconds to search one photo with nothing in memory.
        together_s: and as one of 64, with what is needed in memory.
        read_gb: read from the disks for one photo with nothing in memory.
        machines: how many, and `bound` what decides their number: disk, wait, reading or load.
        build_money: dollars, once.
        month_money: dollars a month.
    """

    rows: int
    groups: int
    disk_tb: float
    build_core_hours: float
    build_hours: float
    alone_s: float
    together_s: float
    read_gb: float
    machines: int
    bound: str
    build_money: float
    month_money: float


def plan(rows: int, point: Mapping[str, Any], given: Assumptions) -> Plan:
    """Plan for a dataset of so many rows.

    Args:
        rows: of the dataset.
        point: the largest measured group, as `scale_group.measure` describes it.
        given: prices, machines and wishes.
    """
    groups = math.ceil(rows / point["rows"])
    disk = rows * point["bytes"] / point["rows"] / 1e12 / (1 - given.spare)
    alone, together = groups * point["cold_s"], groups * point["warm_batch_s"]
    read = groups * point["cold_read_bytes"] / 1e9
    cores = {
        "wait": alone / given.wait_s,
        "load": given.photos_day * together / DAY / given.busy,
    }
    needed = {name: value / given.vcpus for name, value in cores.items()}
    needed["disk"] = disk / given.ssd_tb
    needed["reading"] = read / given.ssd_gb_s / given.wait_s
    bound = max(needed, key=lambda name: needed[name])
    machines = max(1, math.ceil(needed[bound]))
    core_hours = rows * point["build_core_s"] / point["rows"] / 3600
    month = machines * given.vcpus * given.vcpu_hour * HOURS_A_MONTH + disk * given.ssd_tb_month
    return Plan(
        rows=rows,
        groups=groups,
        disk_tb=disk,
        build_core_hours=core_hours,
        build_hours=core_hours / (machines * given.vcpus),
        alone_s=alone,
        together_s=together,
        read_gb=read,
        machines=machines,
        bound=bound,
        build_money=core_hours * given.vcpu_hour,
        month_money=month,
    )


def plans_rows(plans: Mapping[str, Plan]) -> tuple[list[str], list[list[object]]]:
    """Headers and lines of a table, a dataset a column."""
    lines: tuple[tuple[str, str, float], ...] = (
        ("rows", "rows", 1),
        ("groups", "groups", 1),
        ("disk, TB", "disk_tb", 1),
        ("indexing once, core hours", "build_core_hours", 1),
        ("indexing once, hours on these machines", "build_hours", 1),
        ("one photo with nothing in memory, core seconds", "alone_s", 1),
        ("read from disk for it, GB", "read_gb", 1),
        ("one photo of 64 in memory, core seconds", "together_s", 1),
        ("machines", "machines", 1),
        ("indexing once, $", "build_money", 1),
        ("a month, $", "month_money", 1),
    )
    body: list[list[object]] = [
        [label, *(float(getattr(one, name)) for one in plans.values())] for label, name, _ in lines
    ]
    body.append(["what decides the machines", *(one.bound for one in plans.values())])
    return ["", *plans], body


def largest_point() -> Mapping[str, Any]:
    """The largest group in the saved results.

    Raises:
        FileNotFoundError: nothing was measured; `python -m benchmarks.scale` does.
    """
    whole, _ = load(RESULTS / "scale.json")
    points: Sequence[Mapping[str, Any]] = whole["results"]["points"]
    return max(points, key=lambda point: point["rows"])


def main(words: Sequence[str] | None = None) -> int:
    """Print the plan."""
    asked = _parser().parse_args(words)
    given = Assumptions(**{one.name: getattr(asked, one.name) for one in fields(Assumptions)})
    sizes = {f"{int(rows):,} rows": int(rows) for rows in asked.rows or ()} or DATASETS
    point = largest_point()
    print(f"From a group of {point['rows']:,} rows measured {point['date']}")
    print(table(*plans_rows({name: plan(rows, point, given) for name, rows in sizes.items()})))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rows", type=float, action="append", help="of a dataset (repeatable)")
    for one in fields(Assumptions):
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, type=type(one.default), default=one.default)
    return parser


if __name__ == "__main__":
    sys.exit(main())
