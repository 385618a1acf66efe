"""Every way in which the client says that it has no list it may go by.

All are ``ListUnavailable``: whoever catches that one knows that nothing may be used.  Each message
is a sentence for the person at the terminal: what is wrong, and what mends it.
"""

from tuf.api import exceptions as tuf


class ListUnavailable(Exception):
    """There is no usable list: nothing can be said about any row."""


class NothingPulled(ListUnavailable):
    """The cache holds no list of this name, or not the release that was asked for."""


class CacheDamaged(ListUnavailable):
    """What lies in the cache is not what was pulled."""


class RootUnusable(ListUnavailable):
    """The pinned root file cannot be used, or is not the one that the cache follows."""


class ListUnknown(ListUnavailable):
    """The site has no such list, or has released nothing on it yet."""


class ListUnreachable(ListUnavailable):
    """The site, or a file on it, could not be fetched."""


class ListExpired(ListUnavailable):
    """The signed statement that the list is current has run out."""


class ListRolledBack(ListUnavailable):
    """The list offered is older than the one already here, or rewrites what was published."""


class ListForged(ListUnavailable):
    """The list offered is not signed by the keys that the pinned root trusts."""


class ListDamaged(ListUnavailable):
    """A file is not the one that was signed: changed, cut short, or too long."""


class ListNotUnderstood(ListUnavailable):
    """The list is sound, but this version of the client cannot apply it."""


def refusal_for(error: Exception, source: str) -> ListUnavailable:
    """The refusal that a fault found by The Update Framework's client amounts to.

    Args:
        error: what python-tuf raised.
        source: where the list came from, for the sentence.
    """
    detail = _detail(error)
    match error:
        case tuf.ExpiredMetadataError():
            return ListExpired(
                f"The list from {source} has expired ({detail}). Either its publisher has not "
                "renewed it, or you are being served an old copy. Pull again later, or ask the "
                "publisher."
            )
        case tuf.BadVersionNumberError():
            return ListRolledBack(
                f"The list from {source} is older than the one already here, or is put together "
                f"from different releases ({detail}). It is refused; what is here stays in force."
            )
        case tuf.UnsignedMetadataError():
            return ListForged(
                f"The list from {source} is not signed by the keys that your root file trusts "
                f"({detail}). Check that the address and the root file belong together."
            )
        case tuf.LengthOrHashMismatchError() | tuf.DownloadLengthMismatchError():
            return ListDamaged(
                f"A file from {source} is not the one that was signed: it was changed or cut short "
                f"({detail}). Pull again; if it persists, tell the publisher."
            )
        case tuf.DownloadError():
            return ListUnreachable(
                f"The list could not be fetched from {source} ({detail}). "
                "Check the address and the connection."
            )
    return ListDamaged(
        f"The signed metadata from {source} cannot be read ({detail}). "
        "Pull again; if it persists, tell the publisher."
    )


def _detail(error: Exception) -> str:
    """python-tuf's own words, and the cause below where it only says that a download failed."""
    if isinstance(error, tuf.SlowRetrievalError):  # it has no words; a refused connection is one
        return str(error) or "no connection, or no answer in time"
    own = str(error) or type(error).__name__
    cause = error.__cause__
    return f"{own}: {cause}" if type(error) is tuf.DownloadError and cause is not None else own
