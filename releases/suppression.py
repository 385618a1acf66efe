"""Which counts may be told to the public, so that none of them gives away one person's request.

Who knows of all requests but one must not learn of that one from a figure, from the difference of
two figures of a report, or from the difference of two reports. Five rules see to it:

1. **Closed months.** A report is of months that are over. What was told of a month is stored and
   never computed again, so that nothing that happens later (an appeal, a deletion on its clock)
   shows as a changed figure.
2. **Tens of the running total.** What is told is how many tens have been filled since the start;
   a month's figure is the difference to the month before. So every figure, and every difference
   of two reports, is a multiple of ten: two that differ by one request are equal or ten apart. A
   figure of its own for each month would do that too, but lose up to nine a month; so it is never
   more than nine in all, and small services are not told as zero for ever.
3. **Fewer than ten is not told**, not even as zero.
4. **Complementary suppression.** Several tables divide the same answers: by outcome, by days, by
   whether they kept the legal month. One table's sum could give away a small count of another.
   Therefore a ten is held back wherever, without it, some count could not be anything from its
   told value to nine more: `protected` says when, `told` holds back.
5. **The rest is arithmetic on what was told** (sums, shares, percentiles), which can say nothing
   that the told figures do not say. No sum is told that was not made of them.

What remains is what rounding always leaves: who knows every other request exactly sees, once in
ten, a ten being filled. That is once a month at most, and told of a month and not of a day.
"""

from collections.abc import Collection, Mapping
from itertools import permutations
from typing import Final

STEP: Final = 10
Table = dict[str, int]
Tables = dict[str, Table]


def tens(count: int) -> int:
    """Return a count rounded down to tens."""
    return count // STEP * STEP


def told(
    before: Mapping[str, Table], counts: Mapping[str, Table], whole: Collection[str]
) -> Tables:
    """Return what may be told of running totals.

    Args:
        before: what was told last, by table and cell; nothing of it is taken back.
        counts: the exact running totals, none smaller than a month before.
        whole: names of the tables that divide one and the same whole.

    Returns:
        Multiples of ten, each at most its count and at least what was told before.
    """
    tables = {name: {cell: tens(n) for cell, n in table.items()} for name, table in counts.items()}
    while name := _gives_away(tables, whole):
        _held_back(tables[name], before.get(name, {}))
    return tables


def protected(tables: Mapping[str, Table], whole: Collection[str]) -> bool:
    """Tell whether every cell could still be anything from what is told to nine more.

    A table's sum lies between what is told of its cells and nine more for each. A cell of table A
    can have its least value if the others of A can make up what another table B has at least; and
    its greatest, if B has room for it. Both hold for all cells of all tables if, for each two of
    them, sum(B) - sum(A) is at most nine for each cell of A but one.
    """
    return _gives_away(tables, whole) is None


def _gives_away(tables: Mapping[str, Table], whole: Collection[str]) -> str | None:
    """Return the name of a table whose sum is too high beside another's; None if there is none."""
    for low, high in permutations(whole, 2):
        room = (STEP - 1) * (len(tables[low]) - 1)
        if sum(tables[high].values()) - sum(tables[low].values()) > room:
            return high
    return None


def _held_back(table: Table, before: Mapping[str, int]) -> None:
    """Take ten from the greatest cell that has grown; what was told last is protected by itself."""
    grown = [cell for cell, count in table.items() if count > before.get(cell, 0)]
    table[max(grown, key=table.__getitem__)] -= STEP
