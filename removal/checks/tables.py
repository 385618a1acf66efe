"""Whether there is a database to ask: a check that needs one is silent where there is none."""

from django.db import DatabaseError

from removal.models import RemovalRequest, RetentionRun, SearchUnit


def tables_there() -> bool:
    """Tell whether the database answers and has tables; the catalog's checks say if it does not."""
    try:
        RemovalRequest.objects.exists()
        SearchUnit.objects.exists()
        RetentionRun.objects.exists()
    except DatabaseError:
        return False
    return True
