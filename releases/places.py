"""Where releases lie on disk and what they are called: the only place that spells the paths.

data_dir/releases/<list>/<n>/      the frozen input and the files made from it
data_dir/releases/<list>/<n>.tree  its tree, derived: may be deleted at any time
data_dir/releases/repository/      what the web serves: metadata/ and targets/ (TUF)
secret_dir/release/                one private key per role
"""

from pathlib import Path

from django.conf import settings

PUBLIC_LIST = "public"
INPUT_NAME = "input.json"
LEDGER_NAME = "ledger.parquet"
MANIFEST_NAME = "manifest.json"
INPUT_NAMES = frozenset({INPUT_NAME, LEDGER_NAME})

LISTS = (PUBLIC_LIST,)


class ListUnknown(ValueError):
    """The service keeps no list of this name."""


def list_name_check(name: str) -> str:
    """Return `name` if there is such a list: it becomes a folder and a signing role.

    Raises:
        ListUnknown: otherwise, naming those that there are.
    """
    if name not in LISTS:
        raise ListUnknown(f"There is no list called {name!r}; choose one of: {', '.join(LISTS)}.")
    return name


def releases_dir() -> Path:
    """Hold all lists and the repository."""
    return Path(settings.UNLIST.data_dir) / "releases"


def list_dir(list_name: str) -> Path:
    """Hold the releases of one list."""
    return releases_dir() / list_name_check(list_name)


def release_dir(list_name: str, number: int) -> Path:
    """Hold one release: its frozen input and its files."""
    return list_dir(list_name) / str(number)


def tree_path(list_name: str, number: int) -> Path:
    """Name the file of a release's tree."""
    return list_dir(list_name) / f"{number}.tree"


def trees_lock_path(list_name: str) -> Path:
    """Name the lock that making a tree takes."""
    return list_dir(list_name) / ".trees.lock"


def repository_dir() -> Path:
    """Hold what is served: `metadata/` and `targets/`."""
    return releases_dir() / "repository"


def lock_path() -> Path:
    """Name the lock that building and publishing take."""
    return releases_dir() / ".lock"


def secret_dir() -> Path:
    """Hold the signing keys; only the role `release` is given this folder."""
    return Path(settings.UNLIST.secret_dir) / "release"


def target_name(list_name: str, number: int, file_name: str) -> str:
    """Return the name by which TUF knows a file of a release."""
    return f"lists/{list_name}/{number}/{file_name}"
