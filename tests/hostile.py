"""The hostile pictures that foreign vectors bring, and the bounds that every way in keeps.

Used where the vectors lie beside the project; without them the cases are none.
"""

import json
import os
import resource
from typing import Any, Final

from indexer.decode import FORMATS
from tests.conftest import VECTORS

FOLDER: Final = VECTORS / "hostile-images"
SECONDS: Final = 2.0
"""On a machine that does little else; on a busy one its share of the processors is counted."""
MEGABYTES: Final = 300


def manifest() -> dict[str, Any]:
    """What is expected of each file."""
    expected = FOLDER / "expected.json"
    if not expected.is_file():
        return {"cases": [], "upload_names": []}
    found: dict[str, Any] = json.loads(expected.read_text())
    return found


def expected_of(case: dict[str, Any]) -> str:
    """`accept`, `reject` or another word of the manifest; `optional` hangs on the libraries."""
    expect = str(case["expect"])
    if expect == "optional":
        return "accept" if case["file"].rpartition(".")[2].upper() in FORMATS else "reject"
    return expect


def seconds_allowed() -> float:
    """`SECONDS`, times how many processes share a processor now."""
    return SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def own_peak() -> float:
    """The most memory that this process ever held, in megabytes.

    What decodes is another process: `tests/indexer/test_decode_child.py` holds it to `MEGABYTES`.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
