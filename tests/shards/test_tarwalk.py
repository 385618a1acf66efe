"""Walking tars: agreement with ``tarfile`` where they are sound, thrift where they are not."""

import io
import tarfile
from collections import Counter
from collections.abc import Sequence

import pytest

from shards.tarwalk import tar_members


def tar_of(names: Sequence[str], form: int = tarfile.PAX_FORMAT) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for number, name in enumerate(names):
            data = bytes([number]) * (number * 300)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out


NAMES = ["a.jpg", "é.jpg", "d/" + "long" * 60 + ".jpg", "测试.json", "e.txt"]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_agrees_with_tarfile(form: int) -> None:
    file = tar_of(NAMES, form)
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        expected = [(one.name, one.offset, one.offset_data, one.size) for one in tar]
    damage: Counter[str] = Counter()
    found = [
        (one.name, one.offset, one.data_offset, one.size)
        for one in tar_members(file, damage=damage)
    ]
    assert found == expected
    assert damage == {}


def test_starts_at_a_member_with_its_extension_headers() -> None:
    file = tar_of(NAMES)
    members = list(tar_members(file, damage=Counter()))
    for member in members:
        assert next(tar_members(file, start=member.offset, damage=Counter())) == member


def test_an_extension_header_cannot_claim_memory() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3
    file = io.BytesIO(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    damage: Counter[str] = Counter()
    assert list(tar_members(file, damage=damage)) == []
    assert damage == {"tar_damaged": 1}


def test_pax_records_that_lie_about_their_length_end_the_reading() -> None:
    body = b"99999 path=/etc/passwd\n"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(body)
    real = tarfile.TarInfo("a.jpg")
    file = io.BytesIO(header.tobuf() + body.ljust(512, b"\0") + real.tobuf() + bytes(1024))
    damage: Counter[str] = Counter()
    assert [one.name for one in tar_members(file, damage=damage)] == ["a.jpg"]
    assert damage == {}


def test_two_tars_in_a_row_are_both_read() -> None:
    first, second = tar_of(["a.jpg"]), tar_of(["b.jpg"])
    file = io.BytesIO(first.getvalue() + second.getvalue())
    damage: Counter[str] = Counter()
    assert [one.name for one in tar_members(file, damage=damage)] == ["a.jpg", "b.jpg"]
    assert damage == {}


@pytest.mark.parametrize("cut", [1, 511, 512, 700, 1024, 1500])
def test_an_early_end_is_told_wherever_it_comes(cut: int) -> None:
    data = tar_of(["a.jpg", "b.jpg", "c.jpg"], tarfile.GNU_FORMAT).getvalue()[:cut]
    damage: Counter[str] = Counter()
    list(tar_members(io.BytesIO(data), damage=damage))
    assert damage == {"tar_cut_short": 1}


def test_an_empty_file_is_cut_short() -> None:
    damage: Counter[str] = Counter()
    assert list(tar_members(io.BytesIO(), damage=damage)) == []
    assert damage == {"tar_cut_short": 1}
