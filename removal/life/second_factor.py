"""The second factor of the staff: a code from an app on their phone, or one of ten recovery codes.

Keys and codes are kept by django-otp. Recovery codes are stored as digests alone: whoever reads
the database cannot sign in by them. A code is good once; one that was used is gone.
"""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django_otp import verify_token
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from removal import audit

APP_NAME: Final = "app"
RECOVERY_CODES: Final = 10
_APP_CODE: Final = re.compile(r"[0-9]{6}")
_RECOVERY_CODE: Final = re.compile(r"[a-z2-7]{16}")


class CodeWrong(Exception):
    """The code is not right, or was used before."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """A second factor that was just set up: the app, and the recovery codes, shown this once."""

    device: Device
    recovery_codes: tuple[str, ...]


def app_of(user: User) -> Any:
    """Return the app that makes a person's codes; None before it was set up."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def recovery_codes_left(user: User) -> int:
    """Return how many recovery codes were not used yet."""
    return int(StaticToken.objects.filter(device__user=user).count())


def app_to_set_up(user: User) -> Any:
    """Return the key that the person is to take into an app: the same until it is confirmed."""
    waiting = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return waiting or TOTPDevice.objects.create(user=user, confirmed=False, name=APP_NAME)


def app_confirm(*, user: User, code: str) -> SetUp:
    """Take the app into use once it has shown a right code; it replaces one from before.

    Raises:
        CodeWrong: the code is not the app's.
    """
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or not device.verify_token(_spelled(code)):
            raise CodeWrong
        replaced, _ = TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        codes = _recovery_codes_replace(user)
        act = "second_factor_moved" if replaced else "second_factor_set_up"
        audit.audit_append(act=act, actor=audit.staff(user.pk))
    return SetUp(device, codes)


def code_take(*, user: User, code: str) -> Device:
    """Return the device that a right code comes from, app or recovery; the code is then used up.

    Raises:
        CodeWrong: neither the app's nor an unused recovery code.
    """
    spelled = _spelled(code)
    device: Device | None = None
    if _APP_CODE.fullmatch(spelled) and (app := app_of(user)):
        device = verify_token(user, app.persistent_id, spelled)
    elif _RECOVERY_CODE.fullmatch(spelled):
        device = _recovery_code_take(user, spelled)
    if device is None:
        raise CodeWrong
    return device


def _recovery_code_take(user: User, code: str) -> Device | None:
    with transaction.atomic():
        kept = StaticDevice.objects.filter(user=user, confirmed=True).first()
        if kept is None or not verify_token(user, kept.persistent_id, _digest(code)):
            return None
        audit.audit_append(
            act="recovery_code_used",
            actor=audit.staff(user.pk),
            detail={"left": recovery_codes_left(user)},
        )
    return kept


def recovery_codes_make(user: User) -> tuple[str, ...]:
    """Make ten new recovery codes in place of those from before, and return them this once."""
    with transaction.atomic():
        codes = _recovery_codes_replace(user)
        audit.audit_append(act="recovery_codes_made", actor=audit.staff(user.pk))
    return codes


def second_factor_reset(*, user: User, actor: str) -> bool:
    """Forget a person's second factor, so that they set up a new one when they next sign in.

    Their sessions end with the devices. Tells whether there was one.
    """
    with transaction.atomic():
        apps, _ = TOTPDevice.objects.filter(user=user).delete()
        codes, _ = StaticDevice.objects.filter(user=user).delete()
        if apps or codes:
            audit.audit_append(act="second_factor_reset", actor=actor, detail={"account": user.pk})
    return bool(apps or codes)


def _recovery_codes_replace(user: User) -> tuple[str, ...]:
    device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": "recovery"})
    device.token_set.all().delete()
    codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    StaticToken.objects.bulk_create(
        [StaticToken(device=device, token=_digest(_spelled(code))) for code in codes]
    )
    return codes


def _recovery_code() -> str:
    """Return 80 random bits in four groups of four letters and digits."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _spelled(code: str) -> str:
    """Return a code as it is compared: groups closed up, small letters."""
    return re.sub(r"[\s-]", "", code).lower()


def _digest(code: str) -> str:
    """Return what is stored of a recovery code: 80 bits of its digest, as django-otp has room."""
    return base64.b32encode(hashlib.sha256(code.encode()).digest())[:16].decode()
