"""Foreign vectors: published PDQ hashes, and hostile images in a process with little memory."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import PDQ_RADIUS
from indexer.decode import FORMATS, MAX_BYTES, decode
from indexer.hamming.index import HammingIndex
from indexer.hashes.picture import QUALITY_FLOOR, hash_picture
from tests.conftest import ROOT, VECTORS
from tests.hostile import SECONDS

PDQ = VECTORS / "pdq"
HOSTILE = VECTORS / "hostile-images"


def cases(folder: Path) -> list[dict[str, Any]]:
    expected = folder / "expected.json"
    found: list[dict[str, Any]] = []
    if expected.is_file():
        found = json.loads(expected.read_text())["cases"]
    return found


def bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def hashed(path: Path) -> tuple[str, int]:
    hashes = hash_picture(decode(path.read_bytes()), turned=False)
    return hashes.pdq[0].tobytes().hex(), hashes.quality


@pytest.mark.parametrize("case", cases(PDQ), ids=lambda case: case["file"])
def test_pdq_comes_out_as_published(case: dict[str, Any]) -> None:
    pdq, quality = hashed(PDQ / case["file"])
    if case["rule"] == "one_of":
        assert (pdq, quality) in [(one["pdq"], one["quality"]) for one in case["one_of"]]
        return
    allowed = 0 if case["rule"] == "identical" else case["max_bits"]
    assert bits(pdq, case["expected"]) <= allowed
    assert (quality < QUALITY_FLOOR) == case["low_quality"]
    if case.get("must_not_be"):
        assert bits(pdq, case["must_not_be"]["pdq"]) > PDQ_RADIUS


@pytest.mark.parametrize("folder", [path for path in [PDQ / "dih"] if path.is_dir()])
def test_the_eight_orientations_are_those_of_the_turned_files(folder: Path) -> None:
    (original,) = folder.glob("*original*")
    turned = hash_picture(decode(original.read_bytes()), turned=True).pdq
    for path in folder.glob("*.jpg"):
        pdq, _ = hashed(path)
        assert min(bits(one.tobytes().hex(), pdq) for one in turned) <= 10, path.name


def codes(path: Path) -> np.ndarray:
    lines = path.read_text().split()
    return np.frombuffer(b"".join(bytes.fromhex(line) for line in lines), np.uint8).reshape(-1, 32)


@pytest.mark.parametrize("scan_rows", [1, 1 << 20], ids=["bands", "scan"])
@pytest.mark.parametrize("folder", [path for path in [PDQ] if path.is_dir()], ids=["pdq"])
def test_needles_are_found_in_the_haystack(folder: Path, scan_rows: int) -> None:
    needles, haystack = codes(folder / "needles.txt"), codes(folder / "haystack.txt")
    index = HammingIndex.build(haystack, radius=31, scan_rows=scan_rows)
    counts = json.loads((folder / "expected.json").read_text())["needles"]["pairs_within"]
    for radius in (0, 4, 24, 31, 64):
        assert len(index.search(needles, radius).rows) == counts[str(radius)]
    with (folder / "pairs31.csv").open() as lines:
        published = {tuple(map(int, pair[:2])) for pair in csv.reader(lines) if pair[0].isdigit()}
    found = index.search(needles, 31)
    pairs = zip((found.queries + 1).tolist(), (found.rows + 1).tolist(), strict=True)
    assert set(pairs) == published


def boundary_pairs() -> list[dict[str, Any]]:
    expected = PDQ / "expected.json"
    if not expected.is_file():
        return []
    pairs: list[dict[str, Any]] = json.loads(expected.read_text())["boundary_pairs"]["pairs"]
    return pairs


@pytest.mark.parametrize("pair", boundary_pairs(), ids=lambda pair: str(pair["bits"]))
@pytest.mark.parametrize("scan_rows", [1, 1 << 20], ids=["bands", "scan"])
def test_the_radius_is_inclusive_to_the_bit(pair: dict[str, Any], scan_rows: int) -> None:
    one, other = (
        np.frombuffer(bytes.fromhex(pair[name]), np.uint8).reshape(1, 32) for name in "ab"
    )
    index = HammingIndex.build(one, radius=31, scan_rows=scan_rows)
    assert bool(len(index.search(other, 31).rows)) == pair["match_at_31"]
    assert bool(len(index.search(other, 64).rows)) == pair["match_at_64"]


# A child process with a memory limit, which fingerprints one file after another and survives all.
SCRIPT = """
import json, resource, sys
from pathlib import Path
from indexer.decode import ImageRefused, decode, thumbnail
from indexer.query.fingerprint import fingerprint_photo
from tests.indexer.thumbnails import ThumbnailEncoder
from tests.hostile import computed

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
encoder = ThumbnailEncoder()
for name in sys.stdin:
    before, after = computed(), 0.0
    try:
        data = Path(name.strip()).read_bytes()
        found = fingerprint_photo(data, [encoder])
        after = computed()
        answer = {"ok": True, "pdq": found.pdq[0].tobytes().hex(), "flags": found.flags}
        answer["stored"] = thumbnail(decode(data), 512).hex()
    except ImageRefused as refusal:
        answer = {"ok": False, "reason": refusal.reason, "sentence": refusal.sentence}
    answer["seconds"] = (after or computed()) - before
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def answer() -> Iterator[Callable[[Path], dict[str, Any]]]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"OPENBLAS_NUM_THREADS": "1"},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        stdin, stdout = child.stdin, child.stdout

        def ask(path: Path) -> dict[str, Any]:
            stdin.write(f"{path}\n")
            stdin.flush()
            line = stdout.readline()
            assert line, f"the process died on {path.name}"
            answer: dict[str, Any] = json.loads(line)
            return answer

        yield ask
        stdin.close()


@pytest.mark.parametrize("case", cases(HOSTILE), ids=lambda case: case["file"])
def test_hostile_images(case: dict[str, Any], answer: Callable[[Path], dict[str, Any]]) -> None:
    got = answer(HOSTILE / case["file"])
    assert got["seconds"] < SECONDS
    expect = case["expect"]
    if expect == "optional":
        expect = "accept" if case["file"].rpartition(".")[2].upper() in FORMATS else "reject"
    if expect == "reject":
        assert not got["ok"]
        assert got["sentence"]
    elif expect == "decodes":
        assert got["ok"] or got["reason"] == "too_small"
    elif expect == "flag":
        assert not got["ok"] or "too_plain" in got["flags"]
    elif expect == "accept":
        assert got["ok"], got
        assert "too_plain" not in got["flags"]
    if got["ok"] and case.get("same_as") and expect == "accept":
        same = answer(HOSTILE / case["same_as"])
        assert bits(got["pdq"], same["pdq"]) <= case["max_bits"]
    for secret in case.get("must_not_survive", []):
        assert secret.encode().hex() not in json.dumps(got)


@pytest.mark.parametrize(
    "path", sorted((HOSTILE / "orientation").glob("*.jpg")), ids=lambda path: path.name
)
def test_all_orientations_give_one_hash(
    path: Path, answer: Callable[[Path], dict[str, Any]]
) -> None:
    upright = answer(HOSTILE / "orientation" / "Portrait_1.jpg")
    assert bits(answer(path)["pdq"], upright["pdq"]) <= 10


@pytest.mark.parametrize("surplus", [0, 1], ids=["at the limit", "one byte over"])
@pytest.mark.parametrize("path", [p for p in [HOSTILE / "base.jpg"] if p.is_file()], ids=["base"])
def test_the_byte_limit_is_inclusive(
    path: Path, surplus: int, answer: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    data = path.read_bytes()
    comment = b"\xff\xfe\xff\xff" + b"x" * 0xFFFD
    room = MAX_BYTES + surplus - len(data)
    filling = comment * (room // len(comment))
    padded = data[:2] + filling + data[2:]
    padded += b"\0" * (MAX_BYTES + surplus - len(padded))
    (tmp_path / "padded.jpg").write_bytes(padded)
    assert answer(tmp_path / "padded.jpg")["ok"] == (surplus == 0)
