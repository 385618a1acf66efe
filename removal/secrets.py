"""The roles' secrets: which file holds which, and who may read it.

Each lies in `UNLIST_SECRET_DIR/<role>/`; a process reads the folder of its own role alone and
refuses the others before it looks at the disk (`UNLIST_ROLE=all` reads all of them: one machine
cannot keep secrets from itself). Files hold 32 bytes as hex, are made once and never replaced.
"""

import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from unlist.durable import secret_write

_SIZE: Final = 32
_MEND: Final = "Run `python manage.py make_secrets` and give this process its role's folder."


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret file.

    Attributes:
        role: the folder, and the role that may read it.
        name: the file's name.
        says: what it is, for messages.
        private_of: for a public half, the file of its private half.
    """

    role: str
    name: str
    says: str
    private_of: "Secret | None" = None

    @property
    def path(self) -> Path:
        """Where the file lies."""
        folder: Path = settings.UNLIST.secret_dir
        return folder / self.role / self.name


PEPPER: Final = Secret("public", "pepper", "the pepper of the receipts")
REVIEWER_PRIVATE: Final = Secret("staff", "reviewer.key", "the reviewers' private key")
REVIEWER_PUBLIC: Final = Secret(
    "public", "reviewer.pub", "the reviewers' public key", REVIEWER_PRIVATE
)
WORKER_PRIVATE: Final = Secret("worker", "worker.key", "the workers' private key")
WORKER_PUBLIC: Final = Secret("public", "worker.pub", "the workers' public key", WORKER_PRIVATE)
ROW_TAG_KEY: Final = Secret("worker", "row-tag.key", "the key of the row tags")
SECRETS: Final = (
    PEPPER,
    REVIEWER_PRIVATE,
    REVIEWER_PUBLIC,
    WORKER_PRIVATE,
    WORKER_PUBLIC,
    ROW_TAG_KEY,
)


class SecretUnavailable(Exception):
    """A secret cannot be had: the role may not read it, the file is missing or damaged."""


def roles_readable() -> frozenset[str]:
    """Return whose secrets this process may read."""
    role: str = settings.UNLIST.role
    return frozenset({"public", "staff", "worker"} if role == "all" else {role})


def secret_read(secret: Secret) -> bytes:
    """Return the 32 bytes of a secret.

    Raises:
        SecretUnavailable: with the file and what mends it.
    """
    if secret.role not in roles_readable():
        raise SecretUnavailable(
            f"A process with UNLIST_ROLE={settings.UNLIST.role} may not read {secret.says}: "
            f"run this where the role is {secret.role!r} (or 'all')."
        )
    try:
        value = bytes.fromhex(secret.path.read_text("ascii"))
    except FileNotFoundError:
        raise SecretUnavailable(
            f"The file {secret.path} with {secret.says} is missing. {_MEND}"
        ) from None
    except PermissionError:
        raise SecretUnavailable(
            f"The file {secret.path} with {secret.says} may not be read. "
            "Give it to the user that this process runs as, with mode 0600."
        ) from None
    except ValueError:
        value = b""
    if len(value) != _SIZE:
        raise SecretUnavailable(
            f"The file {secret.path} with {secret.says} is damaged: 64 hex digits are expected. "
            "Restore it from your copy of the secrets; a new one would not open old requests."
        )
    return value


def secrets_make() -> Iterator[Path]:
    """Make the files that are missing and yield each; what exists is never touched.

    Raises:
        SecretUnavailable: a public half is there and its private half is not. A new pair would
            leave every request so far unreadable, so nothing is made.
    """
    for secret in SECRETS:
        private = secret.private_of
        if private and secret.path.exists() and not private.path.exists():
            raise SecretUnavailable(
                f"{secret.path} is there but {private.path} is not. Restore {private.says} from "
                "your copy; to start anew, remove both, and old requests stay unreadable."
            )
    for secret in sorted(SECRETS, key=lambda secret: secret.private_of is not None):
        if not secret.path.exists():
            secret.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            secret_write(secret.path, f"{_new_value(secret).hex()}\n".encode())
            yield secret.path


def _new_value(secret: Secret) -> bytes:
    if secret.private_of is None:
        return random.token_bytes(_SIZE)
    private = bytes.fromhex(secret.private_of.path.read_text("ascii"))
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
