"""The compiled loops that search: looking up in the bands' tables, and scanning.

Time goes into waiting for memory, a line here and a line there of tables larger than any cache.
So every step first asks for all the lines it will need, then works on them: all buckets of a
band, then all the codes found in them.

What always holds: no position read from a file is trusted. A row or an edge beyond its table ends
a look-up with `DAMAGED`; memory outside the arrays is not read.

Codes come as uint64[n, words], little-endian: bit k of a code is bit k % 64 of word k // 64.
Pairs found are uint64: query << 48 | row << 16 | distance.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.hamming.native import LANES, band_of, compiled, fetch, ones, pick

# How many candidates are gathered before they are compared: their codes fit the first-level cache.
_GATHERED: Final = 512
# Pairs there is room for at first.
_ROOM: Final = 1024
# Rows that a scan compares with all queries before it goes on: they stay in the cache.
_SCAN_BLOCK: Final = 1 << 14

FINE: Final = 0
DAMAGED: Final = 1
FULL: Final = 2


class Table(NamedTuple):
    """What is searched.

    Attributes:
        words: uint64[n, words], the codes.
        starts, entries: uint32[bands, 2**prefix + 1] and uint32[bands, n + 16], by `sort_band`.
        row_bits: how many of an entry's bits are the row.
    """

    words: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]
    row_bits: int


class Rule(NamedTuple):
    """Which buckets are looked at; `hamming_plan.Search` has what each array says."""

    firsts: NDArray[np.int64]
    seen_bits: NDArray[np.int64]
    flips: NDArray[np.int64]
    masks: NDArray[np.int64]
    weights: NDArray[np.int64]


class Limits(NamedTuple):
    """Where a look-up stops.

    Attributes:
        radius: in bits, inclusive.
        most: a query that meets more entries than this is given up.
        room: when more pairs than this are found, all are given up.
    """

    radius: int
    most: int
    room: int


class _Buckets(NamedTuple):
    """The buckets of a band that are near a query, and what may be near in them.

    Attributes:
        begins, ends: int64[m], where they lie in the band's entries.
        near: int64[m], how many bits of the tag may differ there.
        wanted: the query's tag, and which bits of an entry are the tag.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    near: NDArray[np.int64]
    wanted: tuple[np.uint32, np.uint32]


class _Asked(NamedTuple):
    """A query on its way through one band."""

    band: int
    query: int
    code: NDArray[np.uint64]
    radius: int


@compiled
def _asked(table: Table, rule: Rule, band: int, code: NDArray[np.uint64]) -> tuple[int, np.uint32]:
    """The prefix of a query's band, and its tag in the place where entries have theirs."""
    buckets = table.starts.shape[1] - 1
    value = band_of(code, rule.firsts[band], rule.seen_bits[band])
    return value & (buckets - 1), np.uint32((value >> ones(buckets - 1)) << table.row_bits)


@compiled
def _probe(
    table: Table, band: int, prefix: int, masks: NDArray[np.int64], buckets: _Buckets
) -> int:
    """Find the buckets near a prefix and ask for their memory; how many entries, -1: damaged."""
    starts, entries, rows = table.starts[band], table.entries[band], len(table.words)
    begins, ends = buckets.begins, buckets.ends
    total, damaged = 0, 0
    for probe in range(len(buckets.near)):
        bucket = prefix ^ masks[probe]
        begin, end = int(starts[bucket]), int(starts[bucket + 1])
        damaged += int(begin > end) + int(end > rows)
        begins[probe], ends[probe] = begin, end
        total += end - begin
        fetch(entries, begin)
        fetch(entries, end)
    return -1 if damaged else total


@compiled
def _gather(
    entries: NDArray[np.uint32],
    buckets: _Buckets,
    gathered: NDArray[np.uint32],
    probe: int,
    place: int,
) -> tuple[int, int, int]:
    """Collect entries with a near tag from `place` in bucket `probe` on, until there is no room.

    Returns how many were collected, and the bucket and the place to go on from.
    """
    begins, ends, nears, wanted = buckets.begins, buckets.ends, buckets.near, buckets.wanted
    count, probes = 0, len(nears)
    while probe < probes:
        end, near = ends[probe], nears[probe]
        while place < end:
            if count > _GATHERED:
                return count, probe, place
            count += pick(entries, place, end - place, wanted, near, gathered, count)
            place += LANES
        probe += 1
        if probe < probes:
            place = begins[probe]
    return count, probe, place


@compiled
def _fetch_codes(table: Table, gathered: NDArray[np.uint32]) -> bool:
    """Strip entries to their rows and ask for these rows' codes; False: damaged."""
    words, row_mask = table.words, np.uint32((1 << table.row_bits) - 1)
    for place in range(len(gathered)):
        gathered[place] &= row_mask
        if gathered[place] >= len(words):
            return False
        fetch(words, np.int64(gathered[place]))
    return True


@compiled
def _compare(
    table: Table,
    rule: Rule,
    asked: _Asked,
    candidates: NDArray[np.uint32],
    found: NDArray[np.uint64],
) -> int:
    """Write the pairs within the radius that no band before has found; how many."""
    words, code, radius = table.words, asked.code, asked.radius
    size, apart = 0, np.empty_like(code)
    for candidate in candidates:
        row = np.int64(candidate)
        distance = _distance(words, row, code)
        if distance <= radius:
            for word in range(len(apart)):
                apart[word] = words[row, word] ^ code[word]
            if not _seen_before(apart, rule, asked.band):
                found[size] = (asked.query << 48) | (row << 16) | distance
                size += 1
    return size


@compiled
def _seen_before(apart: NDArray[np.uint64], rule: Rule, band: int) -> bool:
    """Whether a band before this one finds the row too; `apart` is where the codes differ."""
    for other in range(band):
        seen = band_of(apart, rule.firsts[other], rule.seen_bits[other])
        if ones(seen) <= rule.flips[other]:
            return True
    return False


@compiled
def _distance(words: NDArray[np.uint64], row: int, code: NDArray[np.uint64]) -> int:
    """In how many bits a row's code differs from another; 256 bits without a loop."""
    distance = 0
    if words.shape[1] == 4:
        for word in range(4):
            distance += ones(words[row, word] ^ code[word])
    else:
        for word in range(words.shape[1]):
            distance += ones(words[row, word] ^ code[word])
    return distance


@compiled
def look_up(
    table: Table, rule: Rule, queries: NDArray[np.uint64], limits: Limits
) -> tuple[int, NDArray[np.bool_], NDArray[np.uint64]]:
    """Find the rows within the radius by the bands' tables, each once per query.

    Args:
        table: what is searched.
        rule: how.
        queries: uint64[q, words], q below 2**16.
        limits: when to stop.

    Returns:
        FINE, DAMAGED or FULL; which queries were given up (bool[q]); the pairs found, in no order,
        of which those of queries given up do not count.
    """
    given_up, met = np.zeros(len(queries), np.bool_), np.zeros(len(queries), np.int64)
    begins, ends = np.empty(len(rule.masks), np.int64), np.empty(len(rule.masks), np.int64)
    gathered = np.empty(_GATHERED + 2 * LANES, np.uint32)
    tag_mask = np.uint32(0xFFFFFFFF ^ ((1 << table.row_bits) - 1))
    size, found = 0, np.empty(_ROOM, np.uint64)
    for band in range(len(rule.firsts)):
        probes = np.searchsorted(rule.weights, rule.flips[band], side="right")
        near = rule.flips[band] - rule.weights[:probes]
        for query in range(len(queries) if probes else 0):
            if given_up[query]:
                continue
            prefix, tag = _asked(table, rule, band, queries[query])
            buckets = _Buckets(begins, ends, near, (tag, tag_mask))
            total = _probe(table, band, prefix, rule.masks, buckets)
            if total < 0:
                return DAMAGED, given_up, found[:0]
            met[query] += total
            given_up[query] = met[query] > limits.most
            probe, place = len(near) if given_up[query] else 0, begins[0]
            while probe < len(near):
                count, probe, place = _gather(table.entries[band], buckets, gathered, probe, place)
                if not _fetch_codes(table, gathered[:count]):
                    return DAMAGED, given_up, found[:0]
                if len(found) < size + count:
                    found = np.concatenate((found, np.empty(len(found) + count, np.uint64)))
                seen = _Asked(band, query, queries[query], limits.radius)
                size += _compare(table, rule, seen, gathered[:count], found[size:])
                if size > limits.room:
                    return FULL, given_up, found[:0]
    return FINE, given_up, found[:size]


@compiled
def scan(
    words: NDArray[np.uint64], first: int, last: int, queries: NDArray[np.uint64], radius: int
) -> NDArray[np.uint64]:
    """Compare all rows from `first` up to `last` with all queries (uint64[q, words], q < 2**16).

    Returns:
        The pairs found, in no order.
    """
    size, found = 0, np.empty(_ROOM, np.uint64)
    for block in range(first, last, _SCAN_BLOCK):
        end = min(block + _SCAN_BLOCK, last)
        for query in range(len(queries)):
            if len(found) < size + end - block:
                found = np.concatenate((found, np.empty(len(found) + end - block, np.uint64)))
            for row in range(block, end):
                distance = _distance(words, row, queries[query])
                found[size] = (query << 48) | (row << 16) | distance
                size += distance <= radius
    return found[:size]
