"""Why something in a dataset is not covered, or only in part: stable codes with a sentence each.

Codes are stored and shown, so they never change their meaning.  ``scope`` keeps the books
straight: rows in a shard's table = rows in its batches + refusals of scope ``row``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Scope = Literal["row", "note", "part"]


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        code: stable snake_case name.
        scope: ``row``: a row is left out; ``note``: a row is covered, but something about it
            cannot be used; ``part``: files or members that are no row of any table.
        sentence: what happened, for the operator.
    """

    code: str
    scope: Scope
    sentence: str


_ROW: Final = {
    "failed_to_download": "the dataset's maker could not download the image: nothing is stored",
    "failed_to_resize": "the dataset's maker could not decode the image: nothing is stored",
    "failed_otherwise": "the dataset marks the row as failed: nothing is stored",
    "image_missing": "the table says the image is stored, but the shard does not hold it",
    "image_cut_short": "the shard ends in the middle of the image",
    "image_empty": "the stored image has no bytes",
    "image_too_large": "the stored image is larger than 20 MiB",
    "image_unreadable": "the image file cannot be read: look at its permissions and the disk",
    "key_missing": "the row has no key, so that its image cannot be found in the tar",
    "key_repeated": "an earlier row of the shard has the same key",
    "url_column_missing": "the shard's table has no column of URLs (url, image_url), digests or "
    "hashes: there is nothing to find its rows by",
    "row_unreadable": "the shard's table is damaged where the row lies",
    "line_too_long": "the line is longer than 1 MiB",
    "key_column_missing": "the shard's table has no `key` column to join it with the tar",
}
_NOTE: Final = {
    "url_missing": "the row has no URL: a list can name it by digest only",
    "url_malformed": "the row's URL is no valid UTF-8: it is matched, but not listed by URL",
    "url_unparseable": "the row's URL is none that could be opened: it still names the row",
    "url_not_http": "the row's URL is not of the web (ftp:, data:, …): it still names the row",
    "key_by_place": "the row's own key is missing or a float that is not exact: it goes by its "
    "place in the table",
    "hash_malformed": "a recorded phash or pdq is no hex of its length: it is left out",
    "embedding_missing": "the array of embeddings ends before the row: it is not matched by one",
    "embedding_unusable": "the row's embedding is zero or holds what is no number: it is left out",
    "hash_too_plain": "a recorded hash is one that all pictures of one color have: it is left out",
    "crashed": "the decoder crashed or hung on the row's picture: found by digest and URL alone",
    "digest_malformed": "a recorded digest is no hex digest: it is left out of the matching",
    "status_contradicted": "marked as failed, yet the tar holds the row's image: it is matched",
}
_PART: Final = {
    "tar_missing": "the shard has a table but no tar file: none of its images can be read",
    "tar_damaged": "a stretch of the tar is damaged: reading went on after it",
    "tar_cut_short": "the tar ends early: what came after is missing, the rest is covered",
    "tar_unreadable": "the tar file cannot be read: none of its images are covered",
    "table_missing": "there is no table beside the images or embeddings: they belong to no row",
    "table_unreadable": "the shard's table is no whole file of its kind: its rows are not covered",
    "table_cut_short": "the text breaks off in its compression: what came after is missing",
    "image_column_missing": "the shard's table holds no images (no column jpg, png or webp): its "
    "rows are covered by URL and digests alone",
    "embeddings_absent": "no array of embeddings lies beside the table: its rows are covered by "
    "URL and digests alone",
    "embeddings_unreadable": "the array of embeddings is damaged or no table of floats: its rows "
    "are covered by URL and digests alone",
    "embeddings_misaligned": "the array of embeddings has more or fewer rows than the table, or "
    "rows of another length than the other shards': none can be given to a row for certain, so "
    "that they are covered by URL and digests alone",
    "member_without_row": "an image is stored whose key no row of the table has",
    "member_repeated": "a second image is stored under one key: the first is matched",
}


def _reasons(scope: Scope, sentences: Mapping[str, str]) -> dict[str, Reason]:
    return {code: Reason(code, scope, sentence) for code, sentence in sentences.items()}


REASONS: Final[Mapping[str, Reason]] = {
    **_reasons("row", _ROW),
    **_reasons("note", _NOTE),
    **_reasons("part", _PART),
}
"""Every reason that a reader may count, by code."""


def rows_refused(refused: Mapping[str, int]) -> int:
    """How many rows the counts keep out: those of scope ``row``."""
    return sum(
        count for code, count in refused.items() if code in REASONS and REASONS[code].scope == "row"
    )
