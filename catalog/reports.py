"""What a reader found or left out, in lines for an operator's terminal."""

from collections.abc import Iterator, Mapping

from indexer.decode import REFUSALS
from shards import DatasetFacts
from shards.reasons import REASONS

_SCOPES = {"row": "left out", "note": "noted", "part": "found"}


def facts_lines(facts: DatasetFacts) -> Iterator[str]:
    """What was found: shards, rows, columns, what can be matched and what cannot, with reasons."""
    yield f"{facts.format}: {facts.shards:,} shards, {facts.rows:,} rows"
    yield f"columns: {', '.join(facts.columns) or 'none (no table)'}"
    yield "can be matched by"
    for signal in facts.signals:
        yield f"  {signal.name:<10} {'yes' if signal.available else 'no':<4} {signal.reason}"
    if facts.refused:
        yield "known beforehand"
        yield from reason_lines(facts.refused)


def reason_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """One line per reason that was counted, the most frequent first."""
    for code, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if count:
            yield f"  {count:>9,}  {code}: {_sentence(code)}"


def _sentence(code: str) -> str:
    if code in REASONS:
        reason = REASONS[code]
        return f"{_SCOPES[reason.scope]}; {reason.sentence}"
    why = REFUSALS.get(code, "It cannot be fingerprinted.").split(". ")[0].rstrip(".")
    return f"found by digest and URL alone, not by its picture; {why[0].lower()}{why[1:]}"
