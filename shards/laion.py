"""LAION's metadata tables: LAION-400M, LAION-5B's and their ``-joined`` and ``-md5`` variants.

Tables of URLs and captions, without images.  Column names are taken in any case.  SAMPLE_ID may be
a float64 that lost digits, so that a row is known by its place and only called by its id.  WIDTH
and HEIGHT are swapped in the base files, and are not read.
"""

from typing import ClassVar

from shards.tables import TableReader
from unlist.formats import DatasetFormat


class LaionReader(TableReader):
    """Parquet tables with a URL per row, and digests or hashes where their makers took them."""

    format: ClassVar[DatasetFormat] = "laion"
