"""Compressed files read from start to end, without ever holding more than a block.

What a damaged or cut-off file still gives is given; after that it reads as ended.
"""

import gzip
import io
import sys
import zlib
from typing import IO, Any, Final, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Forward", "is_packed", "unpacked", "zstd"]

_CHUNK: Final = 1024 * 1024
# zstd's own limit without --long=28 and above: memory that a file can make its reader take.
_MAX_WINDOW_LOG: Final = 27
_DAMAGE: Final = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError)


def is_packed(name: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return name.lower().endswith((".gz", ".tgz", ".zst", ".tzst"))


def unpacked(file: IO[bytes], name: str) -> IO[bytes]:
    """The contents of ``file``, which its name says to be compressed, or the file itself."""
    if not is_packed(name):
        return file
    if name.lower().endswith((".zst", ".tzst")):
        limit = {int(zstd.DecompressionParameter.window_log_max): _MAX_WINDOW_LOG}
        inner: Any = zstd.ZstdFile(file, options=limit)
    else:
        inner = gzip.GzipFile(fileobj=file)
    return cast("IO[bytes]", Forward(inner))


class Forward(io.BufferedIOBase):
    """A stream that is read and moved forward only; seeking to its end reads it to the end.

    Attributes:
        broken: the stream ended because its compression is damaged or cut off.
    """

    def __init__(self, inner: Any) -> None:
        self.broken = False
        self._inner = inner
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, fewer at the end or where damage begins; no limit below 0."""
        parts: list[bytes] = []
        left = -1 if size is None else size
        while left and (part := self._some(_CHUNK if left < 0 else min(left, _CHUNK))):
            parts.append(part)
            left = left if left < 0 else left - len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move forward; gives where that led, which past the end is the end.

        Raises:
            OSError: ``offset`` lies behind.
        """
        if whence == 0 and offset < self._at:
            raise OSError("A compressed file is read forward only.")
        while whence == 2 or self._at < offset:
            if not self._some(_CHUNK if whence == 2 else min(_CHUNK, offset - self._at)):
                break
        return self._at

    def tell(self) -> int:
        """Bytes read or passed over so far."""
        return self._at

    def close(self) -> None:
        """Close the stream; the file below belongs to the caller."""
        self._inner.close()
        super().close()

    def _some(self, size: int) -> bytes:
        if self.broken:
            return b""
        try:
            part: bytes = self._inner.read1(size)  # `read` would lose what precedes damage
        except _DAMAGE:
            self.broken = True
            return b""
        self._at += len(part)
        return part
