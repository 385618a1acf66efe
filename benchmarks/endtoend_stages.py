"""One process takes requests through every stage, one stage after the other, and times each.

`benchmarks.endtoend` starts it as a child with the environment of the service; nothing is faked:
the intake seals and stores, the search and the comparison of pictures are those of the workers.
"""

import argparse
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import django
from PIL import Image

from scripts.sample.generated import picture

STAGES: Final = ("submit", "fingerprint", "search", "shortlist", "verify", "conclude")
CONCLUDED: Final = frozenset({"in_review", "no_match"})
_SIDE: Final = 1024


class NotConcluded(RuntimeError):
    """Requests were left over: the timings are not those of a whole search."""


def photos(folder: Path | None, count: int, *, first: int = 0) -> list[bytes]:
    """Return pictures to search for: the folder's files in turn, else generated ones.

    Args:
        folder: image files; fewer than `count` are altered, so that no two are the same file.
        count: how many.
        first: the number of the first; no two calls with other numbers give the same file.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder else []
    return [
        _altered(files[n % len(files)], n) if files else _jpeg(picture(n)[1], n)
        for n in range(first, first + count)
    ]


def _altered(path: Path, number: int) -> bytes:
    with Image.open(path) as image:
        return _jpeg(image.convert("RGB"), number)


def _jpeg(image: Image.Image, number: int) -> bytes:
    out = io.BytesIO()
    fitted = image.copy()
    fitted.thumbnail((_SIDE, _SIDE))
    fitted.crop((number % 7, number % 5, *fitted.size)).save(out, "JPEG", quality=80 + number % 12)
    return out.getvalue()


class Clock:
    """Seconds, processor seconds and database queries of each stage."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        from django.db import connection  # noqa: PLC0415  # the apps are loaded by now

        queries = 0

        def count(execute: Callable[..., Any], *words: Any) -> Any:
            nonlocal queries
            queries += 1
            return execute(*words)

        began, cpu = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(count):
            yield
        self.stages[stage] = {
            "seconds": time.perf_counter() - began,
            "core_seconds": time.process_time() - cpu,
            "queries": queries,
        }


def submitted(pictures: Sequence[bytes]) -> list[uuid.UUID]:
    """Submit one request per picture; return their ids."""
    from removal.intake.submission import request_submit  # noqa: PLC0415  # the apps are loaded by now
    from removal.models import RemovalRequest  # noqa: PLC0415

    before = set(RemovalRequest.objects.values_list("pk", flat=True))
    for data in pictures:
        request_submit(photos=[data], urls=[], note="", category="other")
    after = RemovalRequest.objects.values_list("pk", flat=True)
    return [name for name in after if name not in before]


def walked(pictures: Sequence[bytes]) -> dict[str, Any]:
    """Take one request per picture through every stage.

    Raises:
        NotConcluded: not all of them were concluded.
    """
    from removal.models import RemovalRequest  # noqa: PLC0415  # the apps are loaded by now
    from removal.search import draining, fingerprinting, matching  # noqa: PLC0415

    def drain() -> None:
        for group in matching.groups_waiting():
            draining.group_drain(group.group_id)

    def conclude() -> None:
        for name in names:
            matching.request_conclude(name)

    clock = Clock()
    with clock("submit"):
        names = submitted(pictures)
    with clock("fingerprint"):
        for name in names:
            fingerprinting.request_fingerprint(name)
    for stage, work in zip(STAGES[2:], (drain, conclude, drain, conclude), strict=True):
        with clock(stage):
            work()
    states = list(RemovalRequest.objects.filter(pk__in=names).values_list("state", flat=True))
    if len(states) != len(pictures) or not CONCLUDED.issuperset(states):
        raise NotConcluded(f"of {len(pictures)} requests these states came: {sorted(set(states))}")
    return {"stages": clock.stages, "found": states.count("in_review"), "requests": len(states)}


def main() -> None:
    """Walk a few to warm up, then one, then as many as asked; write what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    walked(photos(asked.photos, 2))
    one = walked(photos(asked.photos, 1, first=2))
    many = walked(photos(asked.photos, asked.requests, first=3))
    asked.out.write_text(json.dumps({"one": one, "many": many}), encoding="utf-8")


if __name__ == "__main__":
    main()
