"""How photos come in: into memory, never a temporary file, never with the client's file name.

Only a view that asks for photos (`photos_accepted`) gets any; a file sent to another address is
read past and dropped. While it lasts, each chunk counts against one cap for the whole process,
given back when the answer is ready: a flood of uploads is told to come back, instead of taking
the memory that others need.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from indexer.decode import MAX_BYTES
from removal.intake.submission import MAX_PHOTOS, too_many_photos_sentence

MAX_BODY_BYTES: Final = MAX_PHOTOS * MAX_BYTES + 1024 * 1024
IN_FLIGHT_BYTES: Final = 512 * 1024 * 1024
RETRY_AFTER_SECONDS: Final = 20


class UploadRefused(Exception):  # a refusal, no error
    """The upload cannot be taken; `code` and `status` for programs, the text for people."""

    def __init__(self, code: str, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.sentence = sentence


class Budget:
    """A count of bytes that threads share, with a cap."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes where they are still free."""
        with self._lock:
            if self._taken + size > self._cap:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        """Free bytes that were taken."""
        with self._lock:
            self._taken -= size

    @property
    def taken(self) -> int:
        """Bytes in flight now."""
        return self._taken


in_flight = Budget(IN_FLIGHT_BYTES)


@dataclass
class PhotoUpload:
    """What has arrived with one request, and the first fault met on the way."""

    files: int = 0
    held: int = 0
    refusal: UploadRefused | None = None
    contents: list[bytes] = field(default_factory=list)

    def refuse(self, code: str, status: int, sentence: str) -> None:
        """Remember the first fault; the rest of the body is read past."""
        self.refusal = self.refusal or UploadRefused(code, status, sentence)

    def photos(self) -> list[bytes]:
        """Return the photos in the order in which they were sent.

        Raises:
            UploadRefused: too many, too large, or the process is full.
        """
        if self.refusal:
            raise self.refusal
        return self.contents


class MemoryOnlyUploadHandler(FileUploadHandler):
    """Keeps the files of a view that takes photos in memory; drops all others unread."""

    chunk_size = 256 * 1024

    def __init__(
        self, request: HttpRequest | None = None, upload: PhotoUpload | None = None
    ) -> None:
        super().__init__(request)
        self._upload = upload
        self._buffer = BytesIO()

    def new_file(  # noqa: PLR0917  # Django's signature
        self,
        field_name: str,
        file_name: str,
        content_type: str,
        content_length: int | None,
        charset: str | None = None,
        content_type_extra: dict[str, bytes] | None = None,
    ) -> None:
        """Begin a file under a neutral name; skip it where it cannot be taken."""
        del file_name, content_type, content_type_extra  # the client's words; nothing needs them
        super().new_file(field_name, "photo", "application/octet-stream", content_length, charset)
        if self._upload is None or field_name != "photos":
            raise SkipFile
        self._upload.files += 1
        if self._upload.files > MAX_PHOTOS:
            self._upload.refuse("too_many_photos", 400, too_many_photos_sentence())
        if self._upload.refusal:
            raise SkipFile
        self._buffer = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keep one chunk, if file and process have room for it."""
        upload = self._upload
        if upload is None:
            raise SkipFile
        if start + len(raw_data) > MAX_BYTES:
            upload.refuse("photo_too_large", 413, _too_large_sentence(upload.files))
        elif not in_flight.take(len(raw_data)):
            upload.refuse("busy", 503, _busy_sentence())
        if upload.refusal:
            self._buffer = BytesIO()
            raise SkipFile
        upload.held += len(raw_data)
        self._buffer.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        """Hand over a whole file."""
        if self._upload is None:
            return None
        self._upload.contents.append(self._buffer.getvalue())
        return InMemoryUploadedFile(
            self._buffer, self.field_name, "photo", self.content_type, file_size, self.charset
        )


def _busy_sentence() -> str:
    return _(
        "Many photos are arriving at this moment. Please wait half a minute and send yours again."
    )


def _too_large_sentence(n: int) -> str:
    sentence = _(
        "Photo %(n)d is larger than %(most)d MB. "
        "Send a smaller copy of it: the search works as well with one."
    )
    return sentence % {"n": n, "most": MAX_BYTES // 1024**2}


@contextmanager
def photos_accepted(request: HttpRequest) -> Iterator[PhotoUpload]:
    """Take the photos of a request while the block lasts.

    Raises:
        UploadRefused: the body is larger than any request can be; none of it was read.
    """
    length: Any = request.META.get("CONTENT_LENGTH") or "0"
    if not str(length).isdecimal() or int(length) > MAX_BODY_BYTES:
        raise UploadRefused(
            "body_too_large",
            413,
            _(
                "The request is larger than %(whole)d MB. "
                "Send at most %(photos)d photos of at most %(each)d MB each."
            )
            % {
                "whole": MAX_BODY_BYTES // 1024**2,
                "photos": MAX_PHOTOS,
                "each": MAX_BYTES // 1024**2,
            },
        )
    upload = PhotoUpload()
    request.upload_handlers = [MemoryOnlyUploadHandler(request, upload)]
    try:
        yield upload
    finally:
        in_flight.give_back(upload.held)
        upload.held = 0
        upload.contents.clear()
