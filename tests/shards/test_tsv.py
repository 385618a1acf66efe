"""Tab-separated text: CC12M's, its likes, and what breaks naive readers."""

import gzip
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards import NotADataset, lines, open_dataset
from shards.lines import Block, count_lines, line_blocks, split
from shards.unpack import zstd
from tests.shards.reader_contract import read_dataset

URL = "https://img.example.com/a.jpg"

read = partial(read_dataset, form="tsv")


def write(folder: Path, text: bytes | str) -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / "0.tsv").write_bytes(data)
    return folder


def test_quotation_marks_are_quotation_marks(tmp_path: Path) -> None:
    rows, refused = read(write(tmp_path, f'{URL}\t"a "quoted" caption\n"{URL}"\tb\n'))
    assert [row["caption"] for row in rows] == ['"a "quoted" caption', "b"]
    assert [row["url"] for row in rows] == [URL, f'"{URL}"']
    assert refused == {"url_unparseable": 1}


def test_tabs_line_ends_and_empty_lines(tmp_path: Path) -> None:
    text = f"{URL}\tone\ttwo\r\n\n{URL}\n\tno url\n{URL}\tfirst\n{URL}\tlast"
    rows, refused = read(write(tmp_path, text))
    assert [(row["index"], row["key"], row["url"], row["caption"]) for row in rows] == [
        (0, "#0", URL, "one\ttwo"),
        (1, "#1", None, None),
        (2, "#2", URL, None),
        (3, "#3", None, "no url"),
        (4, "#4", URL, "first"),
        (5, "#5", URL, "last"),
    ]
    assert refused == {"url_missing": 2}


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    text = b"https://img.example.com/\xff.jpg\tcaf\xe9\n" + f"{URL}\tb\n".encode()
    rows, refused = read(write(tmp_path, text))
    assert [(row["url"], row["caption"]) for row in rows] == [(None, "caf\ufffd"), (URL, "b")]
    assert refused == {"url_malformed": 1}


def test_columns_are_told_by_what_is_in_them(tmp_path: Path) -> None:
    sha256, md5 = "ab" * 32, "CD" * 16
    rows, _ = read(write(tmp_path, f"a caption\t{md5}\t{URL}\t{sha256}\n" * 3))
    row = rows[0]
    assert (row["url"], row["caption"]) == (URL, "a caption")
    assert (row["sha256"], row["md5"]) == (sha256, md5.lower())


def test_a_header_is_believed_and_is_no_row(tmp_path: Path) -> None:
    rows, refused = read(write(tmp_path, f"caption\tURL\tphash\na\t{URL}\t{'f' * 16}\n"))
    assert [(row["index"], row["url"], row["phash"]) for row in rows] == [(0, URL, 2**64 - 1)]
    assert refused == {}


def test_without_any_address_the_first_column_is_taken_for_one(tmp_path: Path) -> None:
    rows, refused = read(write(tmp_path, "n/a\tcaption\n"))
    assert (rows[0]["url"], rows[0]["caption"]) == ("n/a", "caption")
    assert refused == {"url_unparseable": 1}


def test_a_line_without_end_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(lines, "_BLOCK_BYTES", 64)
    text = f"{URL}\ta\n{'x' * 1000}\n{URL}\tb\n{'y' * 500}"
    rows, refused = read(write(tmp_path, text))
    assert [(row["index"], row["caption"]) for row in rows] == [(0, "a"), (2, "b")]
    assert refused == {"line_too_long": 2}


@pytest.mark.parametrize("ending", [".tsv.gz", ".tsv.zst"])
def test_compressed_text_is_read_and_its_damage_counted(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).bytes(32 * 20_000).hex()
    text = "".join(
        f"https://img.example.com/{noise[64 * n :][:64]}.jpg\tpicture {n}\n" for n in range(20_000)
    )
    pack = gzip.compress if ending == ".tsv.gz" else zstd.compress
    path = tmp_path / f"0{ending}"
    path.write_bytes(pack(text.encode()))
    rows, refused = read(tmp_path)
    assert (len(rows), rows[-1]["caption"], refused) == (20_000, "picture 19999", {})
    path.write_bytes(path.read_bytes()[:-20_000])
    rows, refused = read(tmp_path)
    assert 0 < len(rows) < 20_000
    assert refused == {"table_cut_short": 1}


def test_a_folder_without_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(NotADataset, match=r"no \.tsv file"):
        open_dataset(str(tmp_path), "tsv")


class _Text:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += size
        return part


@given(
    st.binary(max_size=300).map(lambda data: data.replace(b"x", b"\n").replace(b"y", b"\t")),
    st.integers(1, 4),
    st.integers(1, 64),
)
def test_lines_are_those_of_a_plain_split(data: bytes, columns: int, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK_BYTES", step)
        blocks: list[Block] = list(line_blocks(_Text(data)))  # type: ignore[arg-type]
        counted = count_lines(_Text(data))  # type: ignore[arg-type]
    found = [
        row
        for block in blocks
        for row in zip(*[column.to_pylist() for column in split(block, columns)], strict=True)
    ]
    whole = data.split(b"\n")
    told = whole[:-1] if whole[-1] == b"" else whole
    assert found == [_split(line.removesuffix(b"\r"), columns) for line in told]
    assert counted == len(told)


def _split(line: bytes, columns: int) -> tuple[bytes | None, ...]:
    """The obvious way."""
    parts = line.split(b"\t", columns - 1)
    return tuple(part or None for part in parts) + (None,) * (columns - len(parts))
