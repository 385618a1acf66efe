"""Every form keeps the readers' contract: on small datasets made here, and on those of vectors."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import VECTORS
from tests.shards.makers import (
    write_clip_retrieval,
    write_coyo,
    write_datacomp,
    write_files_output,
    write_gzip_tars,
    write_laion,
    write_parquet_output,
    write_tsv,
    write_zstd_tars,
)
from tests.shards.reader_contract import ReaderContract

FORMATS = VECTORS / "formats"


class _Made(ReaderContract):
    write: Callable[[Path], Path]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return type(self).write(tmp_path / "dataset")


class TestGzipTars(_Made):
    format = "img2dataset"
    write = staticmethod(write_gzip_tars)


class TestZstdTars(_Made):
    format = "img2dataset"
    write = staticmethod(write_zstd_tars)


class TestFiles(_Made):
    format = "img2dataset"
    write = staticmethod(write_files_output)


class TestParquet(_Made):
    format = "img2dataset"
    write = staticmethod(write_parquet_output)


class TestLaion(_Made):
    format = "laion"
    pictures = False
    write = staticmethod(write_laion)


class TestCoyo(_Made):
    format = "coyo"
    pictures = False
    write = staticmethod(write_coyo)


class TestClipRetrieval(_Made):
    format = "clip-retrieval"
    pictures = False
    write = staticmethod(write_clip_retrieval)


class TestDatacomp(_Made):
    format = "datacomp"
    encoder = "ViT-L-14/openai"
    pictures = False
    write = staticmethod(write_datacomp)


class TestDatacompOfTheOtherEncoder(TestDatacomp):
    encoder = "ViT-B-32-quickgelu/openai"


class TestDatacompOfNoEncoder(TestDatacomp):
    encoder = "efficientnet-lite0/imagenet"


class TestTsv(_Made):
    format = "tsv"
    pictures = False
    write = staticmethod(write_tsv)


class _Foreign(ReaderContract):
    """A dataset of the vectors, copied, for the contract rewrites it."""

    place: str

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        copy = tmp_path / "dataset"
        shutil.copytree(FORMATS / self.place, copy)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return copy


_THERE = {
    "Webdataset": ("img2dataset/webdataset", "img2dataset", "", True),
    "Files": ("img2dataset/files", "img2dataset", "", True),
    "Parquet": ("img2dataset/parquet", "img2dataset", "", True),
    "Laion400M": ("laion400m", "laion", "", False),
    "Laion2BJoined": ("laion2B-en-joined", "laion", "", False),
    "Laion2BMd5": ("laion2B-en-md5", "laion", "", False),
    "Img2datasetTests": ("foreign/img2dataset-tests", "laion", "", False),
    "ClipRetrieval": ("clip-retrieval", "clip-retrieval", "", False),
    "Datacomp": ("datacomp", "datacomp", "ViT-L-14/openai", False),
    "Coyo": ("coyo", "coyo", "", False),
    "Cc12m": ("cc12m", "tsv", "", False),
    "Images": ("foreign/clip-retrieval-tests/test_images", "images", "", True),
}
for _name, (_place, _format, _encoder, _pictures) in _THERE.items():
    if (FORMATS / _place).is_dir():
        globals()[f"TestForeign{_name}"] = type(
            f"TestForeign{_name}",
            (_Foreign,),
            {"place": _place, "format": _format, "encoder": _encoder, "pictures": _pictures},
        )
