"""The one way to search the indexes: requests and ``match_images`` both come through here.

For workers and operator commands only: this module loads the index and encoder libraries.
Opened groups are memory maps, so keeping them costs little and the pages are shared between
processes.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from catalog.marking import group_mark_failed
from catalog.masking import rows_masked
from catalog.models import Group
from catalog.pictures import row_pictures
from catalog.selectors import datasets_pictured, encoders_in_use, groups_ready
from indexer.decode import ImageRefused
from indexer.encoder.load import Encoder, load_encoder
from indexer.evidence.hits import GroupHits
from indexer.evidence.verdict import Match, RowId, Shortlisted, conclude, shortlist
from indexer.geometry.verify import Geometry, Probe, verify
from indexer.group.index import IndexGroup
from indexer.query.fingerprint import Fingerprint, fingerprint_photo, photo_probe
from indexer.storage.manifest import EncoderMismatch, GroupUnreadable
from indexer.storage.mapped import IndexDamaged
from unlist.keys import KEY_BYTES


@dataclass(frozen=True)
class MatchRecord:
    """What one photo matched, or in words why it was not looked up."""

    status: Literal["ok", "rejected"]
    error: str | None = None
    matches: list[Match] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    near: int = 0  # rows that share a digest or lie within the hashes' radii, listed or not

    def as_json(self, image: str) -> dict[str, Any]:
        """One line of what ``match_images`` writes, for the file name ``image``."""
        return {
            "image": image,
            "status": self.status,
            "error": self.error,
            "flags": list(self.flags),
            "near": self.near,
            "matches": [match_as_json(match) for match in self.matches],
        }


def match_as_json(match: Match) -> dict[str, Any]:
    """A match as ``match_images`` writes it."""
    return {
        "dataset": match.dataset,
        "key": match.key,
        "row": {"shard": match.shard, "index": match.index},
        "url": match.url,
        "kind": match.kind,
        "score": match.score,
        "evidence": asdict(match.evidence),
    }


def match_photo(
    data: bytes, *, datasets: Collection[str] | None = None, top: int = 20
) -> MatchRecord:
    """Search every ready group for one photo, at once and without a request.

    Args:
        data: the image file as received.
        datasets: names to search; ``None`` for all.
        top: the most matches to return.

    Raises:
        GroupUnreadable: a group that should be searched cannot be; it is marked as failed.
    """
    try:
        fingerprint = photo_fingerprint(data, encoders_in_use(datasets))
    except ImageRefused as refusal:
        return MatchRecord("rejected", error=refusal.sentence)
    hits = [
        hit
        for group in groups_ready(datasets)
        for hit in group_search(group, [fingerprint], top=top)
    ]
    worth_reading = shortlist(hits, datasets=datasets_pictured())
    geometry = rows_verify(photo_probe(data), worth_reading) if worth_reading else {}
    matches = conclude(hits, top=top, geometry=geometry)
    near = sum(hit.near for hit in hits)
    return MatchRecord("ok", matches=matches, flags=fingerprint.flags, near=near)


def photo_fingerprint(data: bytes, encoders: Collection[str]) -> Fingerprint:
    """Fingerprint a photo with the named encoders, which stay loaded.

    Raises:
        ImageRefused: the bytes are no picture that is read.
        EncoderUnavailable: an encoder cannot be loaded here.
    """
    return fingerprint_photo(data, [_encoder(name) for name in encoders])


def group_search(group: Group, fingerprints: Sequence[Fingerprint], *, top: int) -> list[GroupHits]:
    """Raw evidence from one group, one ``GroupHits`` per fingerprint, in order.

    Raises:
        GroupUnreadable: the index cannot be read; the group is marked as failed.
        EncoderMismatch: a fingerprint lacks the group's encoder; the group stays as it is.
    """
    with group_reading(group) as opened:
        return opened.search(fingerprints, top=top, removed=rows_masked(group, opened))


@contextmanager
def group_reading(group: Group) -> Iterator[IndexGroup]:
    """Open a group's index, to read it while the block lasts.

    Raises:
        GroupUnreadable: it cannot be read; the group is marked as failed.
        EncoderMismatch: raised in the block; the group stays as it is.
    """
    try:
        yield _opened(group.path, group.manifest_sha256)
    except EncoderMismatch:
        raise
    except (GroupUnreadable, IndexDamaged) as error:  # some damage shows only where it is read
        _opened.cache_clear()
        unreadable = GroupUnreadable(str(error))
        group_mark_failed(group=group, error=unreadable)
        raise unreadable from error


def stored_fingerprint(
    group: Group, keys: Sequence[bytes], shard: str, index: int
) -> Fingerprint | None:
    """What a group's index has of a row, as a query; of a masked row too.

    Args:
        group: that holds the row.
        keys: row keys of what the dataset records of it.
        shard: where it lies.
        index: likewise.

    Returns:
        ``None`` where the index holds no such row (any more).

    Raises:
        GroupUnreadable: the index cannot be read; the group is marked as failed.
    """
    wanted = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
    with group_reading(group) as opened:
        row = opened.row_at(wanted, shard, index)
        return None if row is None else opened.stored(row)


def rows_verify(probe: bytes, rows: Sequence[Shortlisted]) -> dict[RowId, Geometry]:
    """Lay the stored pictures of rows over a query.

    Args:
        probe: the query's, from ``photo_probe``.
        rows: from ``shortlist``, those whose datasets' files lie here.

    Returns:
        The geometry by row; a row whose picture cannot be read is left out.

    Raises:
        ProbeInvalid: the probe is something else.
    """
    query = Probe.read(probe)
    pictures = row_pictures(one.place for one in rows)
    found = {
        one.id: verify(query, stored)
        for one, stored in zip(rows, pictures, strict=True)
        if stored is not None
    }
    return {row: geometry for row, geometry in found.items() if geometry is not None}


@lru_cache(maxsize=256)
def _opened(path: Path, manifest_sha256: str) -> IndexGroup:
    """An opened group; a group that was indexed again has another digest and is opened anew."""
    opened = IndexGroup.open(path)
    if opened.manifest.sha256 != manifest_sha256:
        raise GroupUnreadable(
            f"{path} is not the index that was recorded: run index_dataset to build it again."
        )
    return opened


@lru_cache(maxsize=4)
def _encoder(name: str) -> Encoder:
    return load_encoder(name)
