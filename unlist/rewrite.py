"""One planned shard: its files without the dropped rows, staged and committed together.

Files that lose nothing are copied byte for byte (``--out``) or left alone (in place); either way
they are read once, for the digests of the report.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unlist.files import Advance, FileFacts, file_copy, file_facts
from unlist.formats.refused import DatasetRefused
from unlist.formats.stats import stats_dump, stats_load, stats_without
from unlist.formats.tables import table_rewrite
from unlist.formats.tars import tar_rewrite
from unlist.journal import Journal
from unlist.plan import ShardPlan, seen_now


class ShardChanged(DatasetRefused):
    """A shard was changed by somebody else while the list was being applied."""


@dataclass
class _Outcome:
    """What becomes of a shard's files."""

    before: list[FileFacts] = field(default_factory=list)
    after: list[FileFacts] = field(default_factory=list)
    moves: dict[str, Path] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)


class Rewriter:
    """Carries out plans against a dataset.

    Args:
        root: the dataset's folder.
        journal: of the folder that is written.
        in_place: whether that is the dataset itself.
        advance: told the bytes read.
    """

    def __init__(self, root: Path, journal: Journal, *, in_place: bool, advance: Advance) -> None:
        self._root, self._journal, self._in_place = root, journal, in_place
        self._advance = advance

    def shard(self, plan: ShardPlan) -> None:
        """Write a shard's files without its dropped rows, all of them in one step.

        Raises:
            ShardChanged: a file is not the one that was planned for.
            TableBroken, TarBroken: a file cannot be read to its end.
        """
        if seen_now(self._root, list(plan.seen)) != plan.seen:
            raise ShardChanged(
                f"Shard {plan.shard.name} changed while the list was being applied; "
                "let nothing else write there, and run the command again."
            )
        outcome = _Outcome()
        for name in plan.shard.files:
            self._file(outcome, plan, name)
        for name in plan.dropped_files:
            outcome.before.append(file_facts(self._root, name, self._advance))
            if self._in_place:
                outcome.removals.append(name)
        self._commit(outcome, plan.shard.name, plan.rows, plan.rows_removed)

    def others(self, name: str, names: list[str]) -> None:
        """Carry along the files that belong to no shard, as the unit ``name``."""
        outcome = _Outcome()
        for other in names:
            self._unchanged(outcome, other)
        self._commit(outcome, name, 0, 0)

    def _file(self, outcome: _Outcome, plan: ShardPlan, name: str) -> None:
        shard = plan.shard
        if name in plan.dropped_files:
            return
        if name == shard.table and len(plan.dropped_rows):
            self._table(outcome, plan, name)
        elif name == shard.archive and plan.dropped_keys:
            self._archive(outcome, plan, name)
        elif name == shard.stats and plan.rows_removed:
            self._stats(outcome, plan, name)
        else:
            self._unchanged(outcome, name)

    def _table(self, outcome: _Outcome, plan: ShardPlan, name: str) -> None:
        staged = self._staged(outcome, name)
        outcome.before.append(file_facts(self._root, name, self._advance))
        table_rewrite(self._root / name, staged, plan.dropped_rows)
        self._written(outcome, name, staged)

    def _archive(self, outcome: _Outcome, plan: ShardPlan, name: str) -> None:
        staged = self._staged(outcome, name)
        done = tar_rewrite(self._root / name, staged, plan.dropped_keys, self._advance)
        staged.chmod((self._root / name).stat().st_mode)
        outcome.before.append(FileFacts(name, done.source_size, done.source_sha256))
        outcome.after.append(FileFacts(name, done.target_size, done.target_sha256))

    def _stats(self, outcome: _Outcome, plan: ShardPlan, name: str) -> None:
        staged = self._staged(outcome, name)
        outcome.before.append(file_facts(self._root, name, self._advance))
        stats = stats_load(name, (self._root / name).read_bytes())
        staged.write_bytes(stats_dump(stats_without(stats, plan.dropped_status)))
        self._written(outcome, name, staged)

    def _unchanged(self, outcome: _Outcome, name: str) -> None:
        if self._in_place:
            facts = file_facts(self._root, name, self._advance)
        else:
            facts = file_copy(self._root, name, self._staged(outcome, name), self._advance)
        outcome.before.append(facts)
        outcome.after.append(facts)

    def _staged(self, outcome: _Outcome, name: str) -> Path:
        staged = self._journal.staged(len(outcome.moves))
        outcome.moves[name] = staged
        return staged

    def _written(self, outcome: _Outcome, name: str, staged: Path) -> None:
        staged.chmod((self._root / name).stat().st_mode)
        facts = file_facts(staged.parent, staged.name, lambda _: None)
        outcome.after.append(FileFacts(name, facts.size, facts.sha256))

    def _commit(self, outcome: _Outcome, name: str, rows: int, removed: int) -> None:
        record: Mapping[str, Any] = {
            "name": name,
            "rows_in": rows,
            "rows_removed": removed,
            "before": [asdict(facts) for facts in outcome.before],
            "after": [asdict(facts) for facts in outcome.after],
        }
        self._journal.commit(record, outcome.moves, outcome.removals)
