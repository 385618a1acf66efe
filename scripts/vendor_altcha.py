"""Bring ALTCHA's widget into the source tree, or a newer version of it.

    python -m scripts.vendor_altcha 3.2.2

What always holds: the files are those of the npm package `altcha`, byte for byte; beside them lie
its license and `vendored.json`, which names version and digests (a test compares them). The
compressed copy is what browsers on slow lines get; it is made here, the same from the same file.
"""

import argparse
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "removal" / "static" / "removal" / "altcha"
# The build that has its styles and workers apart, as a strict Content-Security-Policy wants it.
FILES: Final = {
    "package/dist/external/altcha.min.js": "altcha.js",
    "package/dist/workers/pbkdf2.js": "pbkdf2.js",
    "package/LICENSE.txt": "LICENSE.txt",
}
COMPRESSED: Final = ("altcha.js", "pbkdf2.js")


def vendor(version: str) -> None:
    """Fetch a version with npm and write its files."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", f"altcha@{version}"], cwd=folder, check=True)
        [archive] = Path(folder).glob("altcha-*.tgz")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as package:
            for source, name in FILES.items():
                member = package.extractfile(source)
                if member is None:
                    raise SystemExit(f"{source} is no file in altcha {version}: look at FILES")
                (FOLDER / name).write_bytes(member.read())
    for name in COMPRESSED:
        (FOLDER / f"{name}.gz").write_bytes(compressed((FOLDER / name).read_bytes()))
    facts = {"package": "altcha", "version": version, "license": "MIT", "sha256": digests()}
    (FOLDER / "vendored.json").write_text(json.dumps(facts, indent=1) + "\n")


def compressed(content: bytes) -> bytes:
    """Compress without name and time, so that the same file gives the same bytes."""
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        file.write(content)
    return out.getvalue()


def digests() -> dict[str, str]:
    """Return the SHA-256 of each file that came with the package."""
    return {
        name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in FILES.values()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    vendor(parser.parse_args().version)
