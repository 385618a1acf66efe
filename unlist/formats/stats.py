"""img2dataset's ``_stats.json``: the counts of a shard after rows were left out.

Fields that count rows (``count``, ``successes``, ``failed_to_download``, ``failed_to_resize``,
``status_dict``) go down by what was dropped; times and everything unknown stay as they are.
``status_dict`` counts ``success`` for good rows and the error message for failed ones, and
img2dataset caps the number of messages it keeps, so a message that is not there is passed over.
"""

import json
from collections import Counter
from typing import Any, Final

from unlist.formats.refused import DatasetRefused

_STATUS_FIELDS: Final = {
    "success": "successes",
    "failed_to_download": "failed_to_download",
    "failed_to_resize": "failed_to_resize",
}


class StatsBroken(DatasetRefused):
    """A ``_stats.json`` is no JSON object with counts."""


def stats_load(name: str, data: bytes) -> dict[str, Any]:
    """The statistics of a shard.

    Raises:
        StatsBroken: ``data`` is no JSON object.
    """
    try:
        stats = json.loads(data)
    except ValueError as error:
        raise StatsBroken(
            f"{name} is not JSON ({error}); fetch or write the file again."
        ) from error
    if not isinstance(stats, dict):
        raise StatsBroken(f"{name} is not a JSON object; fetch or write the file again.")
    return stats


def stats_without(
    stats: dict[str, Any], dropped: "Counter[tuple[str | None, str | None]]"
) -> dict[str, Any]:
    """The statistics less the dropped rows.

    Args:
        stats: as ``stats_load`` gives them; left as it is.
        dropped: how many rows were dropped per (status, error message) of the table.
    """
    less = dict(stats)
    _lower(less, "count", sum(dropped.values()))
    by_status = less["status_dict"] = dict(stats.get("status_dict") or {})
    for (status, error), rows in dropped.items():
        _lower(less, _STATUS_FIELDS.get(status or "", ""), rows)
        message = "success" if status == "success" else (error or "")
        _lower(by_status, message, rows)
        if by_status.get(message) == 0:
            del by_status[message]
    if "status_dict" not in stats:
        del less["status_dict"]
    return less


def stats_dump(stats: dict[str, Any]) -> bytes:
    """The statistics as img2dataset writes them."""
    return json.dumps(stats, indent=4).encode()


def _lower(counts: dict[str, Any], field: str, by: int) -> None:
    if isinstance(counts.get(field), int):
        counts[field] = max(0, counts[field] - by)
