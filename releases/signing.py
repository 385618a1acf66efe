"""The signing keys: one ed25519 key per role, PKCS#8 PEM, mode 0600, in `secret_dir/release/`.

Only a process whose `UNLIST_ROLE` is `release` (or `all`, on one machine) reads them: everything
that signs comes through `signer_load`, which refuses the others before it looks at any file.
"""

import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from securesystemslib.signer import CryptoSigner

from releases import locks, places
from unlist import durable

SIGNING_ROLES = frozenset({"release", "all"})
TOP_ROLES = ("root", "targets", "snapshot", "timestamp")


class SigningRefused(Exception):
    """This process may not sign."""


class KeyUnusable(Exception):
    """A signing key is absent or no ed25519 key."""


def signing_check() -> None:
    """Let only the release role pass.

    Raises:
        SigningRefused: naming the variable to set.
    """
    role = settings.UNLIST.role
    if role not in SIGNING_ROLES:
        raise SigningRefused(
            f"A process with UNLIST_ROLE={role} never signs: run this command where "
            "UNLIST_ROLE is release (or all, on a single machine)."
        )


def list_role(list_name: str) -> str:
    """Return the TUF role that signs a list: the list's own name."""
    return places.list_name_check(list_name)


def roles_needed() -> tuple[str, ...]:
    """Return every role that has a key in this service."""
    return (*TOP_ROLES, *map(list_role, places.LISTS))


def key_path(role: str) -> Path:
    """Return where the private key of `role` lies."""
    return places.secret_dir() / f"{role}.pem"


def keys_missing() -> list[str]:
    """Return the roles that have no key file."""
    return [role for role in roles_needed() if not key_path(role).is_file()]


def keys_exposed() -> list[str]:
    """Return the roles whose key file others than its owner may read."""
    others = stat.S_IRWXG | stat.S_IRWXO
    present = [role for role in roles_needed() if key_path(role).is_file()]
    return [role for role in present if key_path(role).stat().st_mode & others]


def keys_create() -> list[str]:
    """Make the keys that are missing; return the roles that got one. Never replaces a key.

    Raises:
        SigningRefused: this process is not the one that signs.
    """
    signing_check()
    durable.folder_make(places.secret_dir(), mode=0o700)
    with locks.held(places.secret_dir() / ".lock"):
        missing = keys_missing()
        for role in missing:
            pem = CryptoSigner.generate_ed25519().private_bytes
            durable.secret_write(key_path(role), pem)
    return missing


def signer_load(role: str) -> CryptoSigner:
    """Read the key of `role`.

    Raises:
        SigningRefused: this process is not the one that signs.
        KeyUnusable: there is no such key, or the file holds none that can be used.
    """
    signing_check()
    path = key_path(role)
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise KeyUnusable(
            f"The signing key of the role {role!r} is missing: restore {path.name} to the "
            "release secrets, or make keys for a new repository with `make_release_keys`."
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path.name} is no PEM private key: restore it ({error}).") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusable(f"{path.name} holds no ed25519 key: restore the one that was there.")
    return CryptoSigner(private)
