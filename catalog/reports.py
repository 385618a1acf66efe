"""What a reader found or left out, in lines for an operator's terminal."""

from collections.abc import Iterator, Mapping

from indexer.decode import REFUSALS
from shards import DatasetFacts
from shards.reasons import REASONS, Scope, rows_refused


def facts_lines(facts: DatasetFacts) -> Iterator[str]:
    """What was found: shards, rows, columns, what can be matched and what cannot, with reasons."""
    yield f"{facts.format}: {facts.shards:,} shards, {facts.rows:,} rows"
    yield f"columns: {', '.join(facts.columns) or 'none (no table)'}"
    yield "can be matched by"
    for signal in facts.signals:
        yield f"  {signal.name:<10} {'yes' if signal.available else 'no':<4} {signal.reason}"
    if any(facts.refused.values()):
        yield "known beforehand"
        yield from _reason_lines(facts.refused)


def refusal_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """The rows that were refused, then what else was met, each by reason."""
    rows, notes, parts = (
        {code: count for code, count in counts.items() if count and _scope(code) == scope}
        for scope in ("row", "note", "part")
    )
    yield f"rows refused: {rows_refused(counts):,}"
    yield from _reason_lines(rows)
    if notes:
        yield "rows indexed in part:"
        yield from _reason_lines(notes)
    if parts:
        yield "met in the files:"
        yield from _reason_lines(parts)


def _reason_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """One line per reason that was counted, the most frequent first."""
    for code, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if count:
            yield f"  {count:>9,}  {code}: {_sentence(code)}"


def _scope(code: str) -> Scope:
    return REASONS[code].scope if code in REASONS else "note"


def _sentence(code: str) -> str:
    if code in REASONS:
        return REASONS[code].sentence
    why = REFUSALS.get(code, "It cannot be fingerprinted.").split(". ")[0].rstrip(".")
    return f"found by digest and URL alone, not by its picture; {why[0].lower()}{why[1:]}"
