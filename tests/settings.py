"""Settings of the tests: those of the service, with a folder of their own and no broker."""

import os
import tempfile
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="unlist-tests-"))
os.environ.update(
    UNLIST_DATA_DIR=str(_HOME / "data"),
    UNLIST_SECRET_DIR=str(_HOME / "secrets"),
    REDIS_URL="memory://",
    UNLIST_POW_COST="0",
    UNLIST_TICKET_WAIT_SECONDS="0",
)

from config.settings import *  # noqa: E402, F403 - the environment above comes first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, for tests alone
