"""PDQ from a picture's bytes as threatexchange does it, and `pdqhash` alone: see `serving`."""

import io
import sys
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image
from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

from benchmarks.peers.serving import serve

_files: list[bytes] = []
_decoded: list[np.ndarray] = []


def load(folder: str) -> int:
    """Read a folder's files into memory; how many there are."""
    _files[:] = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    _decoded.clear()
    return len(_files)


def hash_bytes() -> list[str]:
    """Bytes to PDQ, the way threatexchange does it."""
    return [pdq_from_bytes(data)[0] for data in _files]


def decode() -> int:
    """Decode the files, for `hash_decoded`."""
    _decoded[:] = [np.array(Image.open(io.BytesIO(data)).convert("RGB")) for data in _files]
    return len(_decoded)


def hash_decoded() -> int:
    """`pdqhash` on pictures already decoded."""
    return sum(pdqhash.compute(pixels)[1] for pixels in _decoded)


if __name__ == "__main__":
    serve({f.__name__: f for f in (load, hash_bytes, decode, hash_decoded)})
    sys.exit()
