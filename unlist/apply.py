"""``apply``: a dataset without its listed rows, in a new folder or in place.

First every shard is planned (nothing is written yet), then shard after shard is written by a
journal, then the report is made from the shards' records.  A killed run is continued by the same
command; a shard is either as it was or as it shall be, with all its files.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from unlist import durable
from unlist.blocklist import Blocklist
from unlist.files import Advance, DatasetFiles, FileFacts, dataset_files, digest
from unlist.formats import Layout, rewritable
from unlist.formats.refused import DatasetRefused
from unlist.journal import FORMAT, Journal, RunMismatch
from unlist.manifest import manifest_sha256
from unlist.plan import ShardPlan, shard_plan
from unlist.rewrite import Rewriter
from unlist.version import __version__

OTHERS: Final = "(other files)"

Stage = Callable[[str, int], AbstractContextManager[Advance]]
"""Opens a progress display for a stage of so many bytes; gives what to tell of each advance."""


class OutRefused(DatasetRefused):
    """The output folder cannot be used; the message says why."""


@dataclass(frozen=True)
class ShardReport:
    """One shard's rows before, dropped and after."""

    name: str
    rows_in: int
    rows_removed: int
    rows_out: int


@dataclass(frozen=True)
class Report:
    """What applying a release did.

    ``input_digest`` and ``output_digest`` are SHA-256, in hex, over the sorted lines
    ``path size sha256`` (each ended by a newline) of every file of the dataset before and after.
    """

    list: str
    release: int
    manifest_sha256: str
    dataset_format: str
    rows_in: int
    rows_removed: int
    rows_out: int
    shards: tuple[ShardReport, ...]
    input_digest: str
    output_digest: str
    format: str = FORMAT
    unlist: str = __version__

    def as_json(self) -> dict[str, Any]:
        """The report as it is written to a file."""
        return asdict(self)


def silent(_: str, __: int) -> AbstractContextManager[Advance]:
    """A stage display that shows nothing."""
    return nullcontext(lambda _: None)


def apply(
    dataset: Path,
    blocklist: Blocklist,
    *,
    out: Path | None,
    format: str | None = None,  # noqa: A002  # the command's own word, as in `rewritable`
    report: Path | None = None,
    stage: Stage = silent,
) -> Report:
    """Write a dataset without its listed rows.

    Args:
        dataset: a folder, or a single table.
        blocklist: the list to apply.
        out: a new or empty folder for the result; ``None`` changes the dataset in place.
        format: the dataset's form; told from the file names unless given.
        report: where to write the report as JSON.
        stage: opens progress displays.

    Raises:
        NotADataset, UnknownFormat, DatasetUnreadable: there is no dataset to read.
        ShardUnsure, ShardChanged, TableBroken, TarBroken, StatsBroken: a shard cannot be cleaned.
        OutRefused, RunMismatch: the output folder is in use for something else.
    """
    target = _target(dataset, out)
    journal = Journal(target)
    journal.recover()
    files = dataset_files(dataset)
    layout = rewritable(files.names, format)
    _links_check(files, layout, in_place=out is None)
    run = _run(dataset, layout, blocklist, in_place=out is None)
    _run_check(journal, run, out)
    done = journal.done() if journal.run() == run else {}
    _done_check(done, target, journal.folder if out is None else target)
    plans = _plan(files, layout, blocklist, done, stage)
    target.mkdir(parents=True, exist_ok=True)
    journal.begin(run)
    _carry_out(files, layout, plans, journal, in_place=out is None, stage=stage)
    made = _report(blocklist, layout, journal.done())
    if report is not None:
        durable.json_write(report, made.as_json())
    journal.discard()
    return made


def _target(dataset: Path, out: Path | None) -> Path:
    root = (dataset.parent if dataset.is_file() else dataset).resolve()
    if out is None:
        return root
    target = out.resolve()
    if target == root:
        raise OutRefused("--out is the dataset itself; to change it there, use --in-place instead.")
    if target.is_relative_to(root) or root.is_relative_to(target):
        raise OutRefused(
            f"{out} and the dataset lie inside each other; choose a folder apart from it."
        )
    if out.exists() and not out.is_dir():
        raise OutRefused(f"{out} is a file; --out must be a new or empty folder.")
    return target


def _links_check(files: DatasetFiles, layout: Layout, *, in_place: bool) -> None:
    """In place a link would be replaced while what it points at keeps the listed rows."""
    for shard in layout.shards if in_place else ():
        for name in shard.files:
            if files.path(name).is_symlink():
                raise OutRefused(
                    f"{name} is a link: changed in place, the file it points at would keep its "
                    "listed rows. Use --out, or apply the list where the files are."
                )


def _run(
    dataset: Path, layout: Layout, blocklist: Blocklist, *, in_place: bool
) -> Mapping[str, Any]:
    """What makes a run the same run, so that it may be continued."""
    return {
        "format": FORMAT,
        "dataset": str(dataset.resolve()),
        "dataset_format": layout.format,
        "in_place": in_place,
        "list": blocklist.manifest.list,
        "release": blocklist.release,
        "manifest_sha256": manifest_sha256(blocklist.manifest_data),
    }


def _run_check(journal: Journal, run: Mapping[str, Any], out: Path | None) -> None:
    """Refuse an output folder that holds anything but the same run, unfinished.

    In place an unfinished run of another release is simply given up: its finished shards are sound,
    and the new run goes over all of them.
    """
    if out is None or not out.is_dir() or journal.run() == run:
        return
    begun = journal.run()
    if begun is not None:
        raise RunMismatch(
            f"{out} holds an unfinished run of release {begun.get('release')} from "
            f"{begun.get('dataset')}; delete it, or choose another folder."
        )
    journal.discard()  # of a run that was killed before its first step, or after its last
    if any(out.iterdir()):
        raise OutRefused(f"{out} is not empty; --out must be a new or empty folder.")


def _done_check(done: Mapping[str, Any], target: Path, leftover: Path) -> None:
    """Refuse to go on where a shard that was done is another now: fetched again, say."""
    for record in done.values():
        now = {fact["path"]: fact["size"] for fact in record["after"]}
        written = {fact["path"] for fact in record["before"]} | now.keys()
        for name in sorted(written):
            path = target / name
            size = path.stat().st_size if path.is_file() else None
            if size != now.get(name):
                raise RunMismatch(
                    f"{name} is not as the unfinished run left it, so it may hold listed rows "
                    f"again; delete {leftover} and run the command again."
                )


def _plan(
    files: DatasetFiles,
    layout: Layout,
    blocklist: Blocklist,
    done: Mapping[str, Any],
    stage: Stage,
) -> list[ShardPlan]:
    """The plans of all shards that are not done yet."""
    shards = [shard for shard in layout.shards if shard.name not in done]
    names = frozenset(files.names)
    with stage("looking for listed rows", _bytes(files, (s.files for s in shards))) as advance:
        return [shard_plan(files.root, shard, names, blocklist, advance) for shard in shards]


def _carry_out(
    files: DatasetFiles,
    layout: Layout,
    plans: list[ShardPlan],
    journal: Journal,
    *,
    in_place: bool,
    stage: Stage,
) -> None:
    """Write every planned shard, then the files that belong to none."""
    taken = {name for shard in layout.shards for name in shard.files}
    taken |= {name for plan in plans for name in plan.dropped_files}
    taken |= {fact["path"] for record in journal.done().values() for fact in record["before"]}
    others = [name for name in files.names if name not in taken]
    total = _bytes(files, [*(plan.shard.files for plan in plans), others])
    with stage("writing", total) as advance:
        rewriter = Rewriter(files.root, journal, in_place=in_place, advance=advance)
        for plan in plans:
            rewriter.shard(plan)
        if OTHERS not in journal.done():
            rewriter.others(OTHERS, others)


def _bytes(files: DatasetFiles, groups: Iterable[Iterable[str]]) -> int:
    return sum(files.path(name).stat().st_size for group in groups for name in group)


def _report(blocklist: Blocklist, layout: Layout, done: Mapping[str, Any]) -> Report:
    records = [done[name] for name in sorted(done) if name != OTHERS]
    shards = tuple(
        ShardReport(r["name"], r["rows_in"], r["rows_removed"], r["rows_in"] - r["rows_removed"])
        for r in records
    )
    rows_in, removed = sum(s.rows_in for s in shards), sum(s.rows_removed for s in shards)
    return Report(
        list=blocklist.manifest.list,
        release=blocklist.release,
        manifest_sha256=manifest_sha256(blocklist.manifest_data),
        dataset_format=layout.format,
        rows_in=rows_in,
        rows_removed=removed,
        rows_out=rows_in - removed,
        shards=shards,
        input_digest=digest(_facts(done, "before")),
        output_digest=digest(_facts(done, "after")),
    )


def _facts(done: Mapping[str, Any], when: str) -> list[FileFacts]:
    return [FileFacts(**fact) for record in done.values() for fact in record[when]]


__all__ = ["OutRefused", "Report", "ShardReport", "apply", "silent"]
