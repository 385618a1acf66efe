"""Tar shards: which member belongs to which row, and how members are left out.

A member's row is its name up to the first dot of the last part (webdataset's rule), whatever the
extension, so that ``0000012.jpg``, ``.json``, ``.txt`` and ``.segmentation.png`` go together.
Rewriting never re-encodes: what stays is copied block for block with its headers (PAX and GNU
extension headers included), so an unchanged member keeps its bytes.
"""

import hashlib
import re
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from unlist.formats.refused import DatasetRefused

_MEMBER: Final = re.compile(r"^((?:.*/)?[^./][^./]*)\.([^/]*)$")
_BLOCK: Final = tarfile.BLOCKSIZE
_RECORD: Final = tarfile.RECORDSIZE
_CHUNK: Final = 1 << 20


class TarBroken(DatasetRefused):
    """A tar file is cut off, damaged, or holds what a shard cannot; the message says which."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bytes of a tar file: one member with all its headers, or bytes between members.

    Attributes:
        start: offset of the first byte (of the first header).
        end: offset after the last byte, padding included; a multiple of 512.
        key: the row that the member belongs to; ``None`` for what belongs to no row.
        name: the member's name; empty for bytes between members.
    """

    start: int
    end: int
    key: str | None
    name: str


def member_key(name: str) -> tuple[str, str] | None:
    """A member's row key and extension (without the dot), or ``None`` if it belongs to no row.

    ``0000001.seg.png`` -> (``0000001``, ``seg.png``); a leading ``./`` is dropped; hidden files
    and names without an extension belong to no row.
    """
    found = _MEMBER.match(name.removeprefix("./"))
    return (found[1], found[2]) if found else None


def spans(path: Path) -> Iterator[Span]:
    """Every byte of the tar file before its end marker, in order, as spans.

    Raises:
        TarBroken: the file is cut off, a header is damaged, or data follows the end marker.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            yield from _spans(tar, path)
    except (tarfile.TarError, EOFError) as error:
        raise TarBroken(
            f"{path.name} is no intact tar file ({error}); fetch the shard again."
        ) from error


def _spans(tar: tarfile.TarFile, path: Path) -> Iterator[Span]:
    size = path.stat().st_size
    end = 0
    while (member := tar.next()) is not None:
        if member.offset > end:
            yield Span(end, member.offset, None, "")
        end = tar.offset
        if end > size:
            break
        yield Span(member.offset, end, _key(member, path), member.name)
        tar.members.clear()  # type: ignore[attr-defined]  # it hoards every member it saw
    if size < end + _BLOCK or not _zeros_follow(path, end):
        place = f"after byte {min(end, size):,}"
        raise TarBroken(f"{path.name} is cut off or damaged {place}; fetch the shard again.")


def _key(member: tarfile.TarInfo, path: Path) -> str | None:
    if member.islnk() or member.issym():
        raise TarBroken(
            f"{path.name} holds a link ({member.name}), so its rows cannot be told apart; "
            "repack the shard with the files themselves."
        )
    keyed = member_key(member.name) if member.isfile() else None
    return keyed[0] if keyed else None


def _zeros_follow(path: Path, start: int) -> bool:
    """Whether only zeros lie after ``start``: tarfile takes a damaged header for the end."""
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            if chunk.count(0) != len(chunk):
                return False
    return True


@dataclass(frozen=True)
class Rewritten:
    """A tar file before and after: sizes in bytes, SHA-256 in hex."""

    source_size: int
    source_sha256: str
    target_size: int
    target_sha256: str


def tar_rewrite(
    source: Path, target: Path, dropped: Collection[str], advance: Callable[[int], object]
) -> Rewritten:
    """Write ``source`` without the members of the rows ``dropped`` to ``target``.

    Args:
        source: an intact tar file; read once from start to end.
        target: where to write; overwritten.
        dropped: row keys.
        advance: told the bytes read.

    Raises:
        TarBroken: ``source`` is not intact.
    """
    before, after = hashlib.sha256(), hashlib.sha256()
    written = 0
    with source.open("rb") as tar, target.open("wb") as out:
        for span in spans(source):
            keep = span.key is None or span.key not in dropped
            for chunk in _chunks(tar, span.end - span.start):
                before.update(chunk)
                advance(len(chunk))
                if keep:
                    after.update(chunk)
                    written += out.write(chunk)
        for chunk in _chunks(tar, None):
            before.update(chunk)
            advance(len(chunk))
        end = _end_marker(written)
        after.update(end)
        written += out.write(end)
        return Rewritten(tar.tell(), before.hexdigest(), written, after.hexdigest())


def _chunks(file: BinaryIO, length: int | None) -> Iterator[bytes]:
    """The next ``length`` bytes of a file, or all that is left, in pieces."""
    left = length
    while chunk := file.read(_CHUNK if left is None else min(_CHUNK, left)):
        yield chunk
        left = None if left is None else left - len(chunk)


def _end_marker(written: int) -> bytes:
    """The zeros that close a tar file of ``written`` bytes: two blocks, then to a full record."""
    return bytes(2 * _BLOCK + -(written + 2 * _BLOCK) % _RECORD)
