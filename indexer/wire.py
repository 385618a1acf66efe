"""Named arrays and a few plain facts as bytes and back, without pickle.

Fingerprints and evidence travel between processes (sealed by `removal`), so they need a form of
their own. The form is NumPy's `.npz`, whose arrays say their own type and shape, with the facts
as JSON in one more array; reading never runs code (`allow_pickle=False`).
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_FACTS: Final = "facts.json"


class WireInvalid(ValueError):
    """The bytes are not what `pack` wrote, or of a version this code does not read."""


def pack(form: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write facts (JSON types) and arrays under the name of their form, as `fingerprint/1`."""
    head = json.dumps({"form": form, **facts}, separators=(",", ":")).encode()
    out = io.BytesIO()
    named: dict[str, Any] = {_FACTS: np.frombuffer(head, np.uint8), **arrays}
    np.savez(out, allow_pickle=False, **named)
    return out.getvalue()


def unpack(form: str, data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `pack` wrote.

    Raises:
        WireInvalid: it is not, or another form.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        found = facts.pop("form")
    except (ValueError, OSError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise WireInvalid(f"These bytes are no {form}: make it again.") from error
    if found != form:
        raise WireInvalid(f"This is a {found}, where {form} is wanted: make it again.")
    return facts, arrays
