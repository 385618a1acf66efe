"""The roles' secrets: which file holds which, and who may read it.

Each lies in `UNLIST_SECRET_DIR/<role>/`; a process reads the folder of its own role alone and
refuses the others before it looks at the disk (`UNLIST_ROLE=all` reads all of them: one machine
cannot keep secrets from itself). Files hold 32 bytes as hex and are made once; only `rotation`
replaces one, and what it replaced stays beside it, *retired*, for as long as something needs it.
"""

import fcntl
import os
import secrets as random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from removal.custody import shred
from unlist.durable import folder_sync, private_write, secret_write

SIZE: Final = 32
_RETIRED: Final = ".retired."
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
WORKER_PUBLIC_AT_STAFF: Final = Secret(
    "staff", "worker.pub", "the workers' public key", WORKER_PRIVATE
)
"""The staff role's own copy: it seals errands to the workers, and may not read `public/`."""
ROW_TAG_KEY: Final = Secret("worker", "row-tag.key", "the key of the row tags")
SECRETS: Final = (
    PEPPER,
    REVIEWER_PRIVATE,
    REVIEWER_PUBLIC,
    WORKER_PRIVATE,
    WORKER_PUBLIC,
    WORKER_PUBLIC_AT_STAFF,
    ROW_TAG_KEY,
)


class SecretUnavailable(Exception):
    """A secret cannot be had: the role may not read it, the file is missing or damaged."""


class RotationUnderWay(SecretUnavailable):
    """Another process is rotating or destroying a secret of the same role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another process is rotating a secret in {folder} now: wait until it has ended and "
            "run this again."
        )


def roles_readable() -> frozenset[str]:
    """Return whose secrets this process may read."""
    role: str = settings.UNLIST.role
    return frozenset({"public", "staff", "worker"} if role == "all" else {role})


def secret_read(secret: Secret) -> bytes:
    """Return the 32 bytes of a secret, the one in use.

    Raises:
        SecretUnavailable: with the file and what mends it.
    """
    _role_check(secret)
    return _value_read(secret.path, secret)


def secret_held(secret: Secret) -> tuple[bytes, ...]:
    """Return the secret in use and then those that were retired and not destroyed yet.

    Raises:
        SecretUnavailable: with the file and what mends it.
    """
    current = secret_read(secret)
    older = (value for value in retired_read(secret).values() if value != current)
    return (current, *older)


def retired_read(secret: Secret) -> Mapping[Path, bytes]:
    """Return the files of a secret's retired values, in the order of their names.

    Raises:
        SecretUnavailable: with the file and what mends it.
    """
    _role_check(secret)
    values: dict[Path, bytes] = {}
    for path in sorted(secret.path.parent.glob(f"{secret.name}{_RETIRED}*")):
        try:
            values[path] = _value_read(path, secret)
        except SecretUnavailable:
            if path.exists():  # else it was destroyed meanwhile
                raise
    return values


@contextmanager
def rotation_lock(secret: Secret) -> Iterator[None]:
    """Hold the right to retire and destroy in a secret's folder; finish what was half destroyed.

    The lock is the kernel's, on the folder itself: it leaves no file, and is let go when the
    process ends, however it ends.

    Raises:
        RotationUnderWay: another process holds it.
        SecretUnavailable: this role may not read the secret.
    """
    _role_check(secret)
    folder = secret.path.parent
    if not folder.is_dir():
        yield  # there is nothing to destroy, and whoever reads a secret is told what is missing
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _folder_lock(handle, folder)
        _doomed_destroy(folder)
        yield
    finally:
        os.close(handle)


def _folder_lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RotationUnderWay(folder) from None


def secret_replace(secret: Secret, value: bytes, *, retire_as: str) -> None:
    """Put a new value in a secret's place in one step; the old one stays, retired.

    Args:
        secret: which.
        value: 32 bytes.
        retire_as: what to call the old value; it is stamped with the time of retiring.
    """
    retired = secret.path.with_name(f"{secret.name}{_RETIRED}{retire_as}")
    if retired.exists():  # a replacing that was interrupted goes on
        retired.touch()
    else:
        secret.path.touch()  # first: the link must not look as if it had been retired long ago
        retired.hardlink_to(secret.path)
    secret_put(secret, value)


def secret_put(secret: Secret, value: bytes) -> None:
    """Put a value at a secret's place in one step, in place of what is there."""
    beside = secret.path.with_name(f".{secret.name}.{random.token_hex(8)}")
    try:
        private_write(beside, _written(value))
        beside.replace(secret.path)
    finally:
        beside.unlink(missing_ok=True)
    folder_sync(secret.path.parent)


def retired_destroy(secret: Secret, path: Path) -> None:
    """Overwrite and unlink the file of a retired value.

    It loses its name first, so that no reader ever finds noise under it; where this is killed, the
    next `rotation_lock` destroys the rest.
    """
    if path.samefile(secret.path):  # retiring was interrupted: it is still the one in use
        path.unlink()
        folder_sync(path.parent)
        return
    path.rename(path.with_name(f".{path.name}"))
    folder_sync(path.parent)
    _doomed_destroy(path.parent)


def _doomed_destroy(folder: Path) -> None:
    """Overwrite and unlink the retired values of a folder that lost their names."""
    doomed = list(folder.glob(f".*{_RETIRED}*"))
    for path in doomed:
        shred.file_overwrite(path)
    if doomed:
        folder_sync(folder)


def public_of(private: bytes) -> bytes:
    """Return the public half of a private half, 32 bytes each."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _role_check(secret: Secret) -> None:
    if secret.role not in roles_readable():
        raise SecretUnavailable(
            f"A process with UNLIST_ROLE={settings.UNLIST.role} may not read {secret.says}: "
            f"run this where the role is {secret.role!r} (or 'all')."
        )


def _value_read(path: Path, secret: Secret) -> bytes:
    try:
        value = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        raise SecretUnavailable(f"The file {path} with {secret.says} is missing. {_MEND}") from None
    except PermissionError:
        raise SecretUnavailable(
            f"The file {path} with {secret.says} may not be read. "
            "Give it to the user that this process runs as, with mode 0600."
        ) from None
    except ValueError:
        value = b""
    if len(value) != SIZE:
        raise SecretUnavailable(
            f"The file {path} with {secret.says} is damaged: 64 hex digits are expected. "
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
            secret_write(secret.path, _written(_new_value(secret)))
            yield secret.path


def _new_value(secret: Secret) -> bytes:
    if secret.private_of is None:
        return random.token_bytes(SIZE)
    return public_of(bytes.fromhex(secret.private_of.path.read_text("ascii")))


def _written(value: bytes) -> bytes:
    return f"{value.hex()}\n".encode()
