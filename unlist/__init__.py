"""Unlist's client: pull signed removal lists, check them, and apply them to a dataset.

Light on purpose (pyarrow, numpy, cryptography, tuf, click, tqdm) and fails closed: without a list
that is signed, fresh and whole, nothing here says that a row may be used.
"""

from typing import TYPE_CHECKING, Any

from unlist.version import __version__

if TYPE_CHECKING:
    from unlist.blocklist import Blocklist
    from unlist.refusals import ListUnavailable

__all__ = ["Blocklist", "ListUnavailable", "__version__"]


def __getattr__(name: str) -> Any:
    """Load ``Blocklist`` and its refusals on first use: row keys alone stay cheap to import."""
    if name == "Blocklist":
        from unlist.blocklist import Blocklist  # noqa: PLC0415  # as the docstring says

        return Blocklist
    if name == "ListUnavailable":
        from unlist.refusals import ListUnavailable  # noqa: PLC0415  # as the docstring says

        return ListUnavailable
    raise AttributeError(f"module 'unlist' has no attribute {name!r}")
