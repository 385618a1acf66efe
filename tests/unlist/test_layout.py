"""What shards each form has, from file names alone."""

import pytest

from unlist.formats import (
    FORMATS,
    NotADataset,
    ShardFiles,
    UnknownFormat,
    detect,
    image_column,
    native_key,
)


def test_the_outputs_of_img2dataset() -> None:
    web = detect(["0.tar.gz", "0.parquet", "1.tar", "2.TZST", "1_stats.json"], "img2dataset")
    assert (web.output, web.shards) == (
        "webdataset",
        (
            ShardFiles("0", "0.parquet", "0.tar.gz"),
            ShardFiles("1", None, "1.tar", "1_stats.json"),
            ShardFiles("2", None, "2.TZST"),
        ),
    )
    files = detect(["0.parquet", "0/b.jpg", "0/a.PNG", "0/a.json", "1/c.jpg"], "img2dataset")
    assert (files.output, files.shards) == (
        "files",
        (
            ShardFiles("0", "0.parquet", images=("0/a.PNG", "0/b.jpg")),
            ShardFiles("1", images=("1/c.jpg",)),
        ),
    )
    tables = detect(["0.parquet", "0_stats.json"], "img2dataset")
    assert (tables.output, tables.shards) == (
        "parquet",
        (ShardFiles("0", "0.parquet", stats="0_stats.json"),),
    )


def test_clip_retrieval_pairs_by_number() -> None:
    names = [f"{kind}/{kind}_{n}.npy" for kind in ("img_emb", "text_emb") for n in ("00", "01")]
    layout = detect([*names, "metadata/metadata_01.parquet", "notes.npy"], "clip-retrieval")
    assert layout.shards == (
        ShardFiles("00", embeddings=names[0], aligned=(names[2],)),
        ShardFiles("01", "metadata/metadata_01.parquet", embeddings=names[1], aligned=(names[3],)),
    )
    assert layout.shards[1].files == (
        "metadata/metadata_01.parquet",
        "img_emb/img_emb_01.npy",
        "text_emb/text_emb_01.npy",
    )


def test_datacomp_pairs_by_name() -> None:
    layout = detect(["b.parquet", "b.npz", "a.parquet", "subset.npy"], "datacomp")
    assert layout.shards == (
        ShardFiles("a", "a.parquet"),
        ShardFiles("b", "b.parquet", embeddings="b.npz"),
    )


def test_tables_and_text() -> None:
    names = ["x/a.snappy.parquet", "b.parquet", "c.npy"]
    for form in ("laion", "coyo"):
        layout = detect(names, form)
        assert [shard.name for shard in layout.shards] == ["b", "x/a.snappy"]
        assert layout.arrays == ("c.npy",)
    assert [shard.name for shard in detect(["a.tsv", "b.tsv.gz", "c.TSV.zst"], "tsv").shards] == [
        "a",
        "b",
        "c",
    ]


def test_hidden_files_are_of_no_form() -> None:
    for form in FORMATS:
        with pytest.raises(NotADataset):
            detect([".a.tar", ".git/b.parquet", "._c.jpg", ".d.tsv", "e/.f/img_emb_0.npy"], form)


def test_an_unknown_format_is_named_with_those_known() -> None:
    with pytest.raises(UnknownFormat, match="known are: img2dataset, laion, clip-retrieval"):
        detect(["0.tar"], "coyote")


@pytest.mark.parametrize(
    ("names", "form", "key"),
    [
        (["hash", "Sample_Id", "URL"], "laion", "Sample_Id"),
        (["URL", "hash"], "laion", "hash"),
        (["URL"], "laion", None),
        (["uid", "id", "key"], "datacomp", "uid"),
        (["uid", "id", "key"], "coyo", "id"),
        (["image_path", "key"], "clip-retrieval", "key"),
        (["key", "KEY"], "img2dataset", "key"),
        (["key"], "tsv", None),
    ],
)
def test_what_a_row_is_called_by(names: list[str], form: str, key: str | None) -> None:
    assert native_key(names, form) == key  # type: ignore[arg-type]


def test_the_column_that_holds_images() -> None:
    assert image_column(["url", "PNG"]) == "PNG"
    assert image_column(["url", "jpeg_quality"]) is None
