"""The web process decodes pictures without the libraries that fill a worker."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "faiss", "cv2", "imagehash", "pdqhash", "open_clip", "timm", "scipy", "django"}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("indexer", HEAVY | {"numpy", "PIL"}),
        ("indexer.decode", HEAVY),
        ("indexer.evidence.verdict", HEAVY),
        ("indexer.evidence.hits", HEAVY),
        ("indexer.query.fingerprint", {"torch", "faiss", "cv2", "open_clip", "timm", "django"}),
        ("indexer.group.index", {"torch", "cv2", "open_clip", "timm", "django"}),
    ],
)
def test_a_module_brings_in_no_more_than_it_needs(module: str, unwanted: set[str]) -> None:
    script = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert unwanted.isdisjoint(run.stdout.split())
