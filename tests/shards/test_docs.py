"""docs/formats.md tells every form, column name and reason that there is."""

from shards import readable_formats
from shards.reasons import REASONS
from tests.conftest import ROOT
from unlist.formats import COLUMN_ALIASES
from unlist.formats.columns import IMAGE_COLUMNS, NATIVE_KEYS

TEXT = (ROOT / "docs" / "formats.md").read_text("utf-8")


def test_every_form_has_its_row_and_its_section() -> None:
    for name in readable_formats():
        assert f"\n| `{name}` |" in TEXT
        assert f"\n## {name}\n" in TEXT


def test_every_column_name_is_told() -> None:
    roles = ("url", "caption", "sha256", "md5", "phash", "pdq")
    names = [name for role in roles for name in COLUMN_ALIASES[role]]
    keys = [
        key.upper() if key == "sample_id" else key for row in NATIVE_KEYS.values() for key in row
    ]
    for name in (*names, *keys, *IMAGE_COLUMNS):
        assert f"`{name}`" in TEXT, name


def test_every_reason_is_told_in_its_own_words() -> None:
    for code, reason in REASONS.items():
        assert f"| `{code}` | {reason.sentence} |" in TEXT, code
