import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from scripts.sample.dataset import SCHEMA, write
from scripts.sample.generated import picture
from scripts.sample.photos import COVERED, HELD_OUT, PORTRAIT, Photo, PhotoMissing

# What img2dataset 1.47 wrote in `shared/vectors/formats`, without the columns it copies over.
REAL_COLUMNS = (
    "caption url key status error_message width height original_width original_height exif sha256"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sample") / "it", generated=90).folder


def rows(folder: Path) -> list[dict[str, object]]:
    return [
        row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def test_columns_are_those_that_img2dataset_writes(folder: Path) -> None:
    assert " ".join(SCHEMA.names) == REAL_COLUMNS
    assert pq.read_schema(folder / "00000.parquet").names == SCHEMA.names


def test_every_good_row_has_its_three_members_and_no_failed_row_has_any(folder: Path) -> None:
    names: list[str] = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            names += tar.getnames()
    good = [str(row["key"]) for row in rows(folder) if row["status"] == "success"]
    assert names == [f"{key}.{kind}" for key in good for kind in ("jpg", "json", "txt")]
    assert {row["status"] for row in rows(folder)} == {
        "success",
        "failed_to_download",
        "failed_to_resize",
    }


def test_the_digest_is_of_the_picture_as_downloaded_not_as_stored(folder: Path) -> None:
    portrait = next(row for row in rows(folder) if str(row["url"]).endswith("astronaut.png"))
    assert portrait["sha256"] == hashlib.sha256(PORTRAIT.read()).hexdigest()


def test_stats_count_the_rows_of_their_shard(folder: Path) -> None:
    for path in sorted(folder.glob("*_stats.json")):
        stats = json.loads(path.read_text())
        table = pq.read_table(path.with_name(path.name.replace("_stats.json", ".parquet")))
        assert stats["count"] == table.num_rows
        assert sum(stats["status_dict"].values()) == table.num_rows


def test_the_same_files_come_out_every_time(folder: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "again", generated=90).folder
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_held_out_photo_is_not_in_it(folder: Path) -> None:
    digests = {row["sha256"] for row in rows(folder)}
    assert hashlib.sha256(HELD_OUT.read()).hexdigest() not in digests
    assert HELD_OUT not in COVERED


def test_generated_pictures_are_unlike_one_another() -> None:
    small = [picture(n)[1].resize((16, 16)).convert("RGB") for n in range(64)]
    pixels = np.stack([np.asarray(image, dtype=np.float64).ravel() for image in small])
    distances = np.abs(pixels[:, None] - pixels[None]).mean(axis=-1)
    distances[np.diag_indices(len(small))] = 255
    assert distances.min() > 12


def test_every_photo_can_be_decoded() -> None:
    for photo in (PORTRAIT, HELD_OUT, *COVERED):
        assert min(Image.open(io.BytesIO(photo.read())).size) >= 190, photo.name


def test_a_missing_photo_says_how_to_get_it() -> None:
    with pytest.raises(PhotoMissing, match=r"pip install -r requirements-dev\.txt"):
        Photo("skimage", "data/no-such.png", "").read()
    with pytest.raises(PhotoMissing, match="nosuchpackage"):
        Photo("nosuchpackage", "x.png", "").read()
