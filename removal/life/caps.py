"""How much of what is hard to look at a reviewer sees on one day, and who can go on from there.

Medical pictures, intimate ones, pictures of children, and those of which nothing is said, count
as sensitive. Each reviewer sets how many they want to see on a day; the audit log, where every
reveal stands, is the count. Who has had enough is told who else can look.
"""

from typing import Final

from django.contrib.auth.models import User
from django.db.models import QuerySet

from removal import audit
from removal.models import AuditEntry, Category, DeskSettings, RemovalRequest, today
from removal.permissions import REVEAL

REVEALED: Final = ("photo_revealed", "row_revealed")
SENSITIVE: Final = frozenset({Category.CHILD, Category.INTIMATE, Category.MEDICAL, ""})
"""A category that was deleted with its case counts too: nothing is known of what it was."""
PER_DAY_MOST: Final = 200
_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


class SparedToday(Exception):
    """A reviewer has seen as many sensitive pictures as they set for a day.

    Attributes:
        colleagues: names of those who can still look today.
    """

    def __init__(self, limit: int, colleagues: list[str]) -> None:
        others = " Who can take it today: " + ", ".join(colleagues) + "." if colleagues else ""
        nobody = " Nobody else can look today: leave it for tomorrow." if not colleagues else ""
        super().__init__(
            f"You have seen the {limit} sensitive pictures that you set for a day, so this one is "
            f"not shown, and the request is free for others.{others}{nobody}"
        )
        self.colleagues = colleagues


def is_sensitive(request: RemovalRequest) -> bool:
    """Tell whether its pictures count."""
    return request.category in SENSITIVE


def desk_settings(user: User) -> DeskSettings:
    """Return how a reviewer wants pictures shown; who never said it has the defaults."""
    return DeskSettings.objects.filter(user=user).first() or DeskSettings(user=user)


def desk_settings_save(
    *, reviewer: User, blurred: bool, gray: bool, sensitive_per_day: int
) -> DeskSettings:
    """Keep how a reviewer wants pictures shown.

    Raises:
        ValueError: a number of pictures that no day has.
    """
    if not 0 <= sensitive_per_day <= PER_DAY_MOST:
        raise ValueError(f"Set a number of sensitive pictures from 0 to {PER_DAY_MOST}.")
    chosen, _ = DeskSettings.objects.update_or_create(
        user=reviewer,
        defaults={"blurred": blurred, "gray": gray, "sensitive_per_day": sensitive_per_day},
    )
    return chosen


def sensitive_seen(user: User) -> int:
    """Count the sensitive pictures that somebody had shown today."""
    return _seen_today().filter(actor=audit.staff(user.pk)).count()


def sensitive_check(user: User) -> None:
    """Let a reviewer look at one more sensitive picture.

    Raises:
        SparedToday: they have had enough for today.
    """
    limit = desk_settings(user).sensitive_per_day
    if sensitive_seen(user) >= limit:
        raise SparedToday(limit, colleagues(user))


def colleagues(user: User) -> list[str]:
    """Return the names of the others who may look and have not had enough today."""
    able = User.objects.with_perm(REVEAL, backend=_BACKEND).filter(is_staff=True)
    seen: dict[str, int] = {}
    for actor in _seen_today().values_list("actor", flat=True):
        seen[actor] = seen.get(actor, 0) + 1
    return [
        other.get_username()
        for other in able.exclude(pk=user.pk).select_related("desk").order_by("username")
        if seen.get(audit.staff(other.pk), 0) < _limit(other)
    ]


def _limit(user: User) -> int:
    chosen: DeskSettings | None = getattr(user, "desk", None)
    return (chosen or DeskSettings()).sensitive_per_day


def _seen_today() -> QuerySet[AuditEntry]:
    """Return today's reveals of sensitive pictures; the log is read from its end alone."""
    before = AuditEntry.objects.filter(day__lt=today()).order_by("-seq")
    last = before.values_list("seq", flat=True).first() or 0
    return AuditEntry.objects.filter(
        seq__gt=last, act__in=REVEALED, detail__sensitive=True
    ).order_by()
