"""Which rows are an escalated request's: no list may name them, whichever request finds them."""

from collections.abc import Iterable

from removal.models import Candidate


def tags_escalated(tags: Iterable[bytes]) -> set[bytes]:
    """Return those of these row tags that are an escalated request's."""
    rows = Candidate.objects.filter(row_tag__in=set(tags), request__escalated_on__isnull=False)
    return {bytes(tag) for tag in rows.values_list("row_tag", flat=True)}
