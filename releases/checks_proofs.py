"""What `doctor` asks of the proofs: that those of closed requests are kept before the rows go."""

from typing import Any, Final

from django.core import checks
from django.db import DatabaseError

from removal.selectors.proofs import proofs_late

LATE_DAYS: Final = 1


@checks.register("unlist", deploy=True)
def proofs_check(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Look for requests that were closed days ago and whose proofs are not sealed yet."""
    try:
        late = proofs_late(days=LATE_DAYS)
    except DatabaseError:  # no tables yet: the database's own check says so
        return []
    if not late:
        return []
    return [
        checks.Error(
            f"The proofs of {late} closed requests are not kept for their subjects yet.",
            hint="Run a worker of the staff role (`celery --app config worker` with "
            "UNLIST_ROLE=staff), or `manage.py seal_proofs` there: when the rows are deleted, "
            "the proofs cannot be made any more.",
            id="releases.E005",
        )
    ]
