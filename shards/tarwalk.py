"""The members of a tar shard, damaged or not, without holding more than one header.

``tarfile`` stops in silence at the first damaged header, keeps every member it met in memory and
believes whatever length an extension header claims.  Here a damaged stretch is skipped block by
block up to the next sound header and counted, as is an early end.  Only regular files are given
out; links, devices and sparse files are none of a dataset's business.
Format: POSIX.1-2008 pax ("ustar" with extended headers) and GNU tar's long names.
"""

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

_BLOCK: Final = tarfile.BLOCKSIZE
_ZEROS: Final = bytes(_BLOCK)
_PAX: Final = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENSIONS: Final = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)
_WITHOUT_DATA: Final = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE),
    *(tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
)
_MAX_EXTENSION_BYTES: Final = 1024 * 1024
_FURTHEST: Final = 2**62  # a header may claim more than a file can be moved to
_PAX_RECORD: Final = re.compile(rb"(\d{1,7}) ([^=\n]+)=")


@dataclass(frozen=True)
class Member:
    """One regular file: its name, where its first header and its data start, its size in bytes."""

    name: str
    offset: int
    data_offset: int
    size: int


def tar_members(
    file: IO[bytes], *, start: int = 0, damage: Counter[str], sound: bool = False
) -> Iterator[Member]:
    """Walk a tar from ``start``, where a header lies, to its end.

    Args:
        file: seekable forward at least; the caller may read and move it between two members.
        start: byte offset of the first header.
        sound: stop where no sound header lies, instead of looking for the next one.
        damage: counted up under ``tar_damaged`` per damaged stretch and ``tar_cut_short`` once.

    Yields:
        Regular members in the order of the file; one whose data is cut off is given out too.
    """
    walk = _Walk(file, start, damage, sound=sound)
    announced = _Announced()
    while (header := walk.next_header()) is not None:
        if header.type in _EXTENSIONS:
            announced.take(header, walk.position, walk.read_data(header.size))
            walk.skip_data(header.size)
            continue
        size = header.size if announced.size is None else announced.size
        if header.type in _REGULAR:
            offset = walk.position if announced.offset is None else announced.offset
            yield Member(announced.name or header.name, offset, walk.position + _BLOCK, size)
        announced = _Announced()
        walk.skip_data(0 if header.type in _WITHOUT_DATA else size)


def tar_member_at(file: IO[bytes], offset: int) -> Member | None:
    """The member whose first header lies at ``offset``; ``None`` where none does.

    Only that place is read: what has moved is not looked for.

    Raises:
        OSError: it cannot be read, or ``offset`` is no place in a file.
    """
    if offset < 0:
        return None
    members = tar_members(file, start=offset, damage=Counter(), sound=True)
    member = next(members, None)
    return member if member is not None and member.offset == offset else None


class _Walk:
    """A position that moves from one sound header to the next, never back."""

    def __init__(self, file: IO[bytes], start: int, damage: Counter[str], *, sound: bool) -> None:
        self.position = start
        self._sound = sound
        self._file = file
        self._next = start
        self._damage = damage
        self._ended = False

    def next_header(self) -> tarfile.TarInfo | None:
        """Go to the next sound header, past end marks and damage; ``None`` at the file's end."""
        sound = True
        while block := self._read(self._next, _BLOCK):
            self.position = self._next
            self._next += _BLOCK
            if header := _header(block):
                self._ended = False
                return header
            if self._sound:
                return None
            self._ended = block == _ZEROS
            if sound and not self._ended and len(block) == _BLOCK:
                self._damage["tar_damaged"] += 1
                sound = False
        end = self._file.seek(0, 2)
        if self._next > end or not self._ended or getattr(self._file, "broken", False):
            self._damage["tar_cut_short"] += 1
        return None

    def read_data(self, size: int) -> bytes:
        """The data behind the present header."""
        return self._read(self.position + _BLOCK, size)

    def skip_data(self, size: int) -> None:
        """Let the next header lie behind the present one's data."""
        self._next = min(self.position + _BLOCK + -(-size // _BLOCK) * _BLOCK, _FURTHEST)

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)


def _header(block: bytes) -> tarfile.TarInfo | None:
    """The header that a block holds, if it is a sound and believable one."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return None
    too_long = header.type in _EXTENSIONS and header.size > _MAX_EXTENSION_BYTES
    return None if header.size < 0 or too_long else header


@dataclass
class _Announced:
    """What extension headers say of the member that follows them."""

    offset: int | None = None
    name: str | None = None
    size: int | None = None

    def take(self, header: tarfile.TarInfo, position: int, data: bytes) -> None:
        """Note what one extension header at ``position`` says."""
        if self.offset is None:
            self.offset = position
        if header.type == tarfile.GNUTYPE_LONGNAME:
            self.name = _text(data.split(b"\0", 1)[0])
        elif header.type in _PAX:
            records = _pax_records(data)
            self.name = _text(records["path"]) if "path" in records else self.name
            self.size = _length(records.get("size", b"")) or self.size


def _pax_records(data: bytes) -> dict[str, bytes]:
    """The ``length keyword=value`` records of a pax header; what is malformed ends the reading."""
    records, position = {}, 0
    while match := _PAX_RECORD.match(data, position):
        end = position + int(match[1])
        if not match.end() < end <= len(data):
            break
        records[_text(match[2])] = data[match.end() : end - 1]
        position = end
    return records


def _length(value: bytes) -> int | None:
    return int(value) if re.fullmatch(rb"\d{1,18}", value) else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
