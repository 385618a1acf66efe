import numpy as np

from indexer.digests import DigestIndex


def keys(*values: bytes) -> np.ndarray:
    padded = [value.rjust(16, b"\0") if value[:1] != b"\xff" else value for value in values]
    return np.frombuffer(b"".join(padded), np.uint8).reshape(-1, 16)


def test_all_rows_of_a_key_are_found_and_no_others() -> None:
    table = keys(b"b", b"a", b"b", b"c", b"b")
    index = DigestIndex.build(table, np.array([5, 1, 3, 2, 5], np.uint32))
    assert index.search([keys(b"b").tobytes()]) == [3, 5]
    assert index.search([keys(b"a").tobytes(), keys(b"c").tobytes()]) == [1, 2]
    assert index.search([keys(b"x").tobytes()]) == []
    assert index.search([]) == []
    assert len(index.rows) == 4


def test_zeros_at_the_end_of_a_key_count() -> None:
    ending = [bytes(16), b"\xff" * 15 + b"\0", b"\xff" * 14 + b"\0\0", b"\xff" * 16]
    index = DigestIndex.build(keys(*ending), np.arange(4, dtype=np.uint32))
    assert [index.search([key]) for key in ending] == [[0], [1], [2], [3]]
    assert index.search([b"\xff" * 13 + b"\0\0\0"]) == []


def test_an_empty_table_finds_nothing() -> None:
    index = DigestIndex.build(np.empty((0, 16), np.uint8), np.empty(0, np.uint32))
    assert index.search([bytes(16)]) == []
