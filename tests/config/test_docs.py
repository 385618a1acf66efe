"""docs/settings.md says what the settings are."""

from pathlib import Path

from config.environ import Environment

DOCS = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented() -> None:
    text = DOCS.read_text()
    missing = [f.alias for f in Environment.model_fields.values() if f"`{f.alias}`" not in text]
    assert missing == []


def test_documented_defaults_are_the_real_ones() -> None:
    text = DOCS.read_text()
    for name in ("group_rows", "keep_photo_days", "keep_case_days", "keep_tombstone_days"):
        field = Environment.model_fields[name]
        assert f"| `{field.alias}` | `{field.default}` |" in text
