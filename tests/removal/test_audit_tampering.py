"""Whatever is done to a row of the audit log, or to their order, is found and named.

Rows are changed behind Django's back, as somebody with the database at hand would.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from removal import audit
from removal.audit import START, AuditBroken, AuditHead, audit_append, audit_check, audit_verify
from removal.models import AuditEntry, AuditTip

pytestmark = pytest.mark.django_db
LENGTH = 12
COLUMNS = [str(field.column) for field in AuditEntry._meta.concrete_fields]
TABLE = AuditEntry._meta.db_table
EXAMPLES = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def chain() -> None:
    with transaction.atomic():
        for n in range(LENGTH):
            audit_append(
                act=f"act_{n % 3}",
                actor=audit.staff(n) if n % 2 else audit.SUBJECT,
                tag=bytes([n]) * 32 if n % 4 else b"",
                detail={"n": n, "state": "in_review"},
            )


class _Undone(Exception):
    """Takes back what an example did."""


@pytest.fixture
def tampered() -> Any:
    """Return what finds the broken entry after a change, and takes the change back."""

    def find(*changes: tuple[str, list[Any]]) -> int | None:
        broken = None
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    for sql, values in changes:
                        cursor.execute(sql, values)
                try:
                    audit_verify()
                except AuditBroken as found:
                    broken = found.seq
                raise _Undone
        except _Undone:
            return broken

    return find


def stored(column: str, seq: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{TABLE}" WHERE seq = %s', [seq])  # noqa: S608
        return cursor.fetchone()[0]


def changed(column: str, seq: int, value: Any) -> tuple[str, list[Any]]:
    return f'UPDATE "{TABLE}" SET "{column}" = %s WHERE seq = %s', [value, seq]  # noqa: S608


def other_values(column: str) -> st.SearchStrategy[Any]:
    """Return values that the column takes, right and odd ones."""
    codes = st.from_regex(r"[a-z_:0-9]{1,20}", fullmatch=True)
    days = st.dates().map(lambda day: day.isoformat())
    blobs = st.binary(max_size=40)
    return {
        "seq": st.integers(LENGTH + 1, 10**9) | st.just(0),
        "day": days,
        "at": st.none() | st.datetimes().map(lambda at: at.isoformat(sep=" ")),
        "actor": codes,
        "act": codes,
        "subject": blobs,
        "detail": st.dictionaries(codes, st.integers() | codes | st.none(), max_size=3).map(
            json.dumps
        ),
        "previous": blobs,
        "digest": blobs,
    }[column]


def test_every_column_is_tried() -> None:
    assert set(COLUMNS) == {
        *("seq", "day", "at", "actor", "act", "subject", "detail", "previous", "digest")
    }
    for column in COLUMNS:
        other_values(column)


def _same(column: str, one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if column == "detail":
        return bool(json.loads(one) == json.loads(other)) if isinstance(one, str) else False
    if isinstance(one, memoryview | bytes):
        return bytes(one) == bytes(other)
    return str(one) == str(other)


@EXAMPLES
@given(data=st.data())
def test_any_change_of_any_column_is_found_and_named(
    chain: None, tampered: Any, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(1, LENGTH))
    column = data.draw(st.sampled_from(COLUMNS))
    value = data.draw(other_values(column))
    before = stored(column, seq)
    found = tampered(changed(column, seq, value))
    if _same(column, before, value):
        assert found is None
    elif column == "seq":
        assert found == (0 if value == 0 else seq)
    else:
        assert found == seq


@EXAMPLES
@given(seq=st.integers(1, LENGTH))
def test_an_entry_that_was_removed_is_named(chain: None, tampered: Any, seq: int) -> None:
    delete = f'DELETE FROM "{TABLE}" WHERE seq = %s'  # noqa: S608
    assert tampered((delete, [seq])) == seq


@EXAMPLES
@given(pair=st.lists(st.integers(1, LENGTH), min_size=2, max_size=2, unique=True))
def test_entries_that_changed_places_are_named(chain: None, tampered: Any, pair: list[int]) -> None:
    one, other = pair
    swap = [
        changed("seq", one, 10**6),
        changed("seq", other, one),
        changed("seq", 10**6, other),
    ]
    assert tampered(*swap) == min(pair)


@EXAMPLES
@given(data=st.data())
def test_an_entry_with_a_fresh_digest_shows_at_the_next(
    chain: None, tampered: Any, data: st.DataObject
) -> None:
    """Whoever recomputes one digest has to recompute all after it, and the head."""
    seq = data.draw(st.integers(1, LENGTH))
    entry = AuditEntry.objects.get(seq=seq)
    entry.act = "forged"
    found = tampered(
        changed("act", seq, "forged"), changed("digest", seq, audit.entry_digest(entry))
    )
    assert found == min(seq + 1, LENGTH)


@EXAMPLES
@given(seq=st.integers(1, LENGTH))
def test_an_entry_put_in_again_is_named(chain: None, tampered: Any, seq: int) -> None:
    columns = ", ".join(f'"{name}"' for name in COLUMNS if name != "seq")
    copy = (
        f'INSERT INTO "{TABLE}" (seq, {columns}) '  # noqa: S608
        f'SELECT {LENGTH + 1}, {columns} FROM "{TABLE}" WHERE seq = %s'
    )
    assert tampered((copy, [seq])) in {LENGTH, LENGTH + 1}


@pytest.mark.parametrize("column", ["seq", "digest"])
def test_a_changed_head_is_found(chain: None, tampered: Any, column: str) -> None:
    value = LENGTH - 1 if column == "seq" else bytes(32)
    sql = f'UPDATE "{AuditTip._meta.db_table}" SET "{column}" = %s'  # noqa: S608
    assert tampered((sql, [value])) is not None


def test_a_head_that_was_removed_is_found(chain: None, tampered: Any) -> None:
    assert tampered((f'DELETE FROM "{AuditTip._meta.db_table}"', [])) is not None  # noqa: S608


# --- part by part, as the admin's page checks --------------------------------------------------


def parts(most: int) -> Iterator[AuditHead]:
    after = START
    while True:
        check = audit_check(after=after, most=most)
        yield check.reached
        if check.whole:
            return
        after = check.reached


@pytest.mark.parametrize("most", [1, 5, 6, LENGTH, 100])
def test_checking_part_by_part_comes_to_the_same_head(chain: None, most: int) -> None:
    *_, last = parts(most)
    assert last == audit_verify()


def test_a_broken_entry_is_found_in_its_part(chain: None) -> None:
    AuditEntry.objects.filter(seq=8).update(act="other")
    reached: list[int] = []
    with pytest.raises(AuditBroken) as broken:
        reached.extend(head.seq for head in parts(5))
    assert broken.value.seq == 8
    first = audit_check(most=5)
    assert (first.reached.seq, first.whole) == (5, False)


def test_what_was_checked_may_not_change_meanwhile(chain: None) -> None:
    first = audit_check(most=5).reached
    AuditEntry.objects.filter(seq=5).update(digest=bytes(32))
    with pytest.raises(AuditBroken, match="while the log was being checked"):
        audit_check(after=first, most=5)


def test_the_log_has_no_room_for_content() -> None:
    for detail in ({"note": "words of a person"}, {"url": "https://a.example/x?y"}, {"f": 1.5}):
        with pytest.raises(audit.ContentRefused), transaction.atomic():
            audit_append(act="noted", actor=audit.WORKER, detail=detail)
    assert not AuditEntry.objects.exists()
