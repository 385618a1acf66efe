"""What `doctor` asks of the releases: keys there and private, clock not run out, files intact.

They are deployment checks: `doctor` and `check --deploy` run them, other commands do not, for
`make_release_keys` must run while keys are missing.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils import timezone
from tuf.api.exceptions import RepositoryError

from releases import places, signing
from releases.intact import published_check
from releases.repository import ListRepository

SOON = timedelta(days=1)
SOON_OFFLINE = timedelta(days=60)


@checks.register("unlist", deploy=True)
def keys_check(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Look for the signing keys, where this process is one that signs."""
    if settings.UNLIST.role not in signing.SIGNING_ROLES:
        return []
    found: list[checks.CheckMessage] = []
    missing, exposed = signing.keys_missing(), signing.keys_exposed()
    if missing:
        found.append(
            checks.Error(
                f"Signing keys are missing: {', '.join(missing)}.",
                hint="Run `manage.py make_release_keys`, or restore them where a list is public.",
                id="releases.E001",
            )
        )
    if exposed:
        names = " ".join(f"{role}.pem" for role in exposed)
        found.append(
            checks.Error(
                f"Other users of this machine can read signing keys: {', '.join(exposed)}.",
                hint=f"In the release secrets: chmod 600 {names}. If in doubt, rotate them.",
                id="releases.E002",
            )
        )
    return found


@checks.register("unlist", deploy=True)
def clock_check(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Look whether clients still accept what is published."""
    repository = ListRepository.reader(places.repository_dir())
    found: list[checks.CheckMessage] = []
    # Metadata that cannot be read has no clock; `files_check` below says what is wrong with it.
    with suppress(OSError, RepositoryError, ValueError):
        if repository.exists("timestamp"):
            for role in filter(repository.exists, signing.roles_needed()):
                found += _role_clock(role, repository.expires(role))
    return found


def _role_clock(role: str, expires: datetime) -> list[checks.CheckMessage]:
    now, when = timezone.now(), f"{expires:%Y-%m-%d %H:%M} UTC"
    if expires <= now:
        return [
            checks.Error(
                f"The signature of {role} ended on {when}: clients refuse the list.",
                hint="Run `manage.py publish_release` now and daily (cron, systemd timer).",
                id="releases.E003",
            )
        ]
    if expires - now < (SOON_OFFLINE if role in {"root", "targets"} else SOON):
        return [
            checks.Warning(
                f"The signature of {role} ends on {when}.",
                hint="Run `manage.py publish_release`, with the keys of root and targets there "
                "if it is theirs.",
                id="releases.W001",
            )
        ]
    return []


@checks.register("unlist", deploy=True)
def files_check(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Look whether what is published is what was signed."""
    return [
        checks.Error(
            f"The published repository is damaged: {fault}.",
            hint="Restore the folder releases/repository from a backup.",
            id="releases.E004",
        )
        for fault in published_check(places.repository_dir())
    ]
