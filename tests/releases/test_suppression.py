"""No told figure, and no difference of two, gives away one request."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from releases.months import ANSWERS, CLOCK, OUTCOMES, SPANS, tables_empty
from releases.suppression import STEP, Tables, protected, tens, told

Answer = tuple[str, str, str]
Month = list[Answer]

ANSWER: st.SearchStrategy[Answer] = st.tuples(
    st.sampled_from(list(OUTCOMES.values())), st.sampled_from(SPANS), st.sampled_from(CLOCK)
)
BLOCKS = st.lists(st.tuples(ANSWER, st.integers(1, 25)), max_size=6)
MONTH: st.SearchStrategy[Month] = BLOCKS.map(
    lambda some: [one for one, n in some for _ in range(n)]
)
HISTORY = st.lists(MONTH, min_size=1, max_size=3)


def totals(history: list[Month]) -> Iterator[Tables]:
    """Yield the exact running totals at the end of each month."""
    tables = tables_empty()
    for month in history:
        for answer in month:
            tables["requests"]["received"] += 1
            for name, cell in zip(ANSWERS, answer, strict=True):
                tables[name][cell] += 1
        yield {name: dict(table) for name, table in tables.items()}


def reports(history: list[Month]) -> list[Tables]:
    """Return what is told at the end of each month."""
    made, before = [], tables_empty()
    for counts in totals(history):
        before = told(before, counts, ANSWERS)
        made.append(before)
    return made


def could_be(report: Tables, table: str, cell: str, value: int) -> bool:
    """Tell by counting whether a cell can have a value: the slow way, cell by cell."""
    others = [count for name, count in report[table].items() if name != cell]
    wholes = set(range(value + sum(others), value + sum(others) + (STEP - 1) * len(others) + 1))
    for name in ANSWERS:
        told_sum, cells = sum(report[name].values()), len(report[name])
        wholes &= set(range(told_sum, told_sum + (STEP - 1) * cells + 1))
    return bool(wholes)


@given(HISTORY)
def test_every_told_count_could_be_anything_from_it_to_nine_more(history: list[Month]) -> None:
    for report in reports(history):
        assert protected(report, ANSWERS)
        for table in ANSWERS:
            for cell, count in report[table].items():
                assert all(could_be(report, table, cell, count + n) for n in range(STEP))


@given(HISTORY, ANSWER, st.integers(0, 3))
def test_one_request_more_changes_no_figure_or_changes_it_by_ten(
    history: list[Month], more: Answer, at: int
) -> None:
    other = [[*month, more] if n == at % len(history) else month for n, month in enumerate(history)]
    for one, two in zip(reports(history), reports(other), strict=True):
        for name, table in one.items():
            for cell, count in table.items():
                difference = abs(count - two[name][cell])
                assert difference == 0 or difference >= STEP


@given(HISTORY)
def test_what_was_told_is_never_taken_back_and_never_too_much(history: list[Month]) -> None:
    before = tables_empty()
    for counts, report in zip(totals(history), reports(history), strict=True):
        for name, table in report.items():
            for cell, count in table.items():
                assert before[name][cell] <= count <= counts[name][cell]
                assert count % STEP == 0
        before = report


def test_a_ten_is_held_back_where_another_table_would_give_small_counts_away() -> None:
    """36 answers, nine of each outcome: beside a sum of 30, each would be three or more."""
    counts = tables_empty()
    counts["outcomes"] = dict.fromkeys(counts["outcomes"], 9)
    counts["days"]["0-1"] = 36
    counts["clock"]["within_month"] = 36
    bare = {name: {cell: tens(n) for cell, n in table.items()} for name, table in counts.items()}
    assert not could_be(bare, "outcomes", "denied", 0)
    report = told(tables_empty(), counts, ANSWERS)
    assert report["days"]["0-1"] == 20
    assert could_be(report, "outcomes", "denied", 0)


def test_fewer_than_ten_are_not_told() -> None:
    counts = tables_empty()
    counts["requests"]["received"] = 9
    assert told(tables_empty(), counts, ANSWERS)["requests"]["received"] == 0
