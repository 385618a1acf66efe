"""The second factor of somebody who signs in by program: an authenticator app, and recovery codes.

A code is good once. So that signing in again need not wait for the next half minute, a recovery
code is used in between; ten of them come with each set-up.
"""

import base64
import re
import time
from dataclasses import dataclass, field
from typing import Final

from django_otp.oath import totp

STEP_SECONDS: Final = 30
_KEY = re.compile(r'<code id="key">([A-Z2-7 ]+)</code>')
_RECOVERY = re.compile(r"<li><code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>")


@dataclass
class SecondFactor:
    """An authenticator app for one account: its key, and the recovery codes not used yet."""

    key: str = ""
    recovery_codes: list[str] = field(default_factory=list)
    _step: int = -1
    """The time step of the last code: another is needed for the next sign-in."""

    def set_up(self, page: str) -> str:
        """Take the key that the set-up page shows; return the code that the app now makes.

        Raises:
            ValueError: the page shows no key.
        """
        found = _KEY.search(page)
        if not found:
            raise ValueError("the page shows no key to set up an app with")
        self.key, self._step = found.group(1).replace(" ", ""), -1
        return self.code()

    def keep(self, page: str) -> None:
        """Keep the recovery codes that a page shows."""
        self.recovery_codes = _RECOVERY.findall(page)

    def code(self) -> str:
        """Return a code that is good now: the app's, else a recovery code, else the app's next."""
        now = int(time.time()) // STEP_SECONDS
        if now <= self._step and self.recovery_codes:
            return self.recovery_codes.pop()
        while now <= self._step:
            time.sleep(0.5)
            now = int(time.time()) // STEP_SECONDS
        self._step = now
        made: int = totp(base64.b32decode(self.key), step=STEP_SECONDS)
        return f"{made:06}"


_KEPT: dict[tuple[str, str], SecondFactor] = {}


def second_factor_of(site: str, name: str) -> SecondFactor:
    """Return the second factor of an account of a site, the same one all through this program."""
    return _KEPT.setdefault((site.rstrip("/"), name), SecondFactor())
