"""The defaults of docs/settings.md are those in force where nothing is set."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.environ import BASE_DIR, Environment
from tests.conftest import ROOT

ROW = re.compile(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (.+?) \| .+ \|$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
NOTHING_SET = """
import json
from config.environ import environment_read
told = environment_read()
fields = {field.alias: getattr(told, name) for name, field in type(told).model_fields.items()}
print(json.dumps(fields, default=str))
"""
DATABASE_AND_BROKER = """
import json
from django.conf import settings
used = settings.DATABASES["default"]
print(json.dumps([used["ENGINE"], str(used["NAME"]), settings.CELERY_BROKER_URL]))
"""


def printed(program: str, **env: str) -> Any:
    """Return what a process prints that is given these variables and no others."""
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings", **env},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(told.stdout)


def documented() -> dict[str, str]:
    """Return each setting's default as the table has it."""
    found: dict[str, str] = {}
    for names, defaults in ROW.findall((ROOT / "docs" / "settings.md").read_text("utf-8")):
        settings, values = CODE.findall(names), CODE.findall(defaults)
        if len(settings) == 1:
            values = values if defaults == f"`{''.join(values)}`" else [defaults]
        found |= dict(zip(settings, values, strict=True))
    return found


def written(value: Any, name: str) -> str:
    """Write a value that is in force as the table writes it."""
    base = f"{BASE_DIR}{os.sep}"
    if name == "UNLIST_SECRET_DIR":
        return str(value).removeprefix(base).replace("var", "<data folder>", 1)
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value).removeprefix(base)


IN_WORDS = {
    "DATABASE_URL": ("SQLite in the data folder", ""),
    "REDIS_URL": ("a Redis of our own on a private socket", ""),
    "UNLIST_STORES": ("every store, and the rest", ""),
}
"""Of settings that are empty by default: what the table says, where it is not just `none`."""


@pytest.fixture(scope="module")
def in_force() -> dict[str, str]:
    """Return every setting of a process in whose environment nothing is set."""
    found: dict[str, Any] = printed(NOTHING_SET)
    return {name: written(value, name) for name, value in found.items()}


def test_the_table_has_every_setting_and_no_other(in_force: dict[str, str]) -> None:
    aliases = [field.alias for field in Environment.model_fields.values()]
    assert list(documented()) == aliases
    assert list(in_force) == aliases


@pytest.mark.parametrize("name", documented())
def test_documented_default_is_the_one_in_force(name: str, in_force: dict[str, str]) -> None:
    said, held = IN_WORDS.get(name, (in_force[name] or "none", in_force[name]))
    assert (documented()[name], in_force[name]) == (said, held)


def test_with_nothing_set_the_database_is_sqlite_and_the_broker_a_socket_of_ours(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    engine, name, broker = printed(DATABASE_AND_BROKER, UNLIST_DATA_DIR=str(data))
    assert engine == "django.db.backends.sqlite3"
    assert Path(name) == data / "db.sqlite3"
    assert broker.startswith("redis+socket:///")
    assert broker.endswith("/redis.sock")
