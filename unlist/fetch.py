"""Where metadata and targets come from: a web server, a local folder, or the cache itself.

All three are ``FetcherInterface`` implementations, so that python-tuf's one client workflow does
the checking wherever the bytes lie.  A fetcher trusts nothing and checks nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from unlist.refusals import ListUnreachable
from unlist.version import __version__

_CHUNK: Final = 1 << 20
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Source:
    """A place that serves releases: its base address (no slash at the end) and a way to fetch."""

    base: str
    fetcher: FetcherInterface

    @property
    def metadata(self) -> str:
        """The base address of TUF metadata."""
        return f"{self.base}/metadata/"

    @property
    def targets(self) -> str:
        """The base address of TUF targets."""
        return f"{self.base}/targets/"


class FolderFetcher(FetcherInterface):
    """Fetches ``file:`` addresses, for lists that arrive on a disk or a mount."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(url2pathname(urlsplit(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"{path.name} is not there", _NOT_FOUND)
        return _chunks(path)


class CacheFetcher(FetcherInterface):
    """Fetches metadata from a cache, where files carry no version in their names.

    Args:
        metadata: the metadata folder that python-tuf's client keeps.
    """

    def __init__(self, metadata: Path) -> None:
        self._metadata = metadata

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = unquote(urlsplit(url).path).rpartition("/")[2]
        version, _, unversioned = name.partition(".")
        path = self._metadata / (unversioned if version.isdecimal() else name)
        if unversioned == "root.json":
            path = self._metadata / "root_history" / name
        if not path.is_file():
            raise DownloadHTTPError(f"{name} is not in the cache", _NOT_FOUND)
        return _chunks(path)


def source_of(address: str) -> Source:
    """Where ``address`` points: an ``http(s)`` or ``file`` URL, or the path of a local folder.

    Raises:
        ListUnreachable: it is neither an address of these kinds nor an existing folder.
    """
    scheme = urlsplit(address).scheme
    if scheme in {"http", "https"}:
        agent = f"unlist/{__version__}"
        return Source(address.rstrip("/"), Urllib3Fetcher(app_user_agent=agent))
    folder = Path(url2pathname(urlsplit(address).path)) if scheme == "file" else Path(address)
    if not folder.is_dir():
        raise ListUnreachable(
            f"{address!r} is neither an http(s) address nor an existing folder to pull a list from."
        )
    return Source(folder.resolve().as_uri(), FolderFetcher())


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
