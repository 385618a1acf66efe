"""The environment is read strictly."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environ import environment_read


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("UNLIST_GROUP_ROWS", "many", "UNLIST_GROUP_ROWS"),
        ("UNLIST_GROUP_ROWS", "0", "UNLIST_GROUP_ROWS"),
        ("UNLIST_KEEP_PHOTO_DAYS", "-1", "UNLIST_KEEP_PHOTO_DAYS"),
        ("UNLIST_ROLE", "root", "UNLIST_ROLE"),
        ("UNLIST_STORES", "disk 1,disk2", "UNLIST_STORES cannot be used: 'disk 1'"),
        ("UNLIST_ENCODER", "ViT-L-14", "model/pretrained tag"),
        ("UNLIST_HOTLINE_URL", "javascript:alert(1)", "UNLIST_HOTLINE_URL"),
        ("UNLIST_METRICS_TOKEN", "guess me", "UNLIST_METRICS_TOKEN cannot be used: write at"),
        ("UNLIST_UNDO_SECONDS", "-1", "UNLIST_UNDO_SECONDS"),
        ("UNLIST_UNDO_SECONDS", "1 minute", "UNLIST_UNDO_SECONDS"),
        ("UNLIST_TWO_PERSON_ROWS", "-1", "UNLIST_TWO_PERSON_ROWS"),
        ("UNLIST_ESCALATION_PROCEDURE", "/nowhere.txt", "UNLIST_ESCALATION_PROCEDURE cannot be"),
        ("UNLIST_ESCALATION_PROCEDURE", "/dev/null", "UNLIST_ESCALATION_PROCEDURE .* is empty"),
        ("DJANGO_DEBUG", "perhaps", "DJANGO_DEBUG"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=said):
        environment_read()


def test_a_token_that_cannot_be_used_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLIST_METRICS_TOKEN", "half-a-secret")
    with pytest.raises(ImproperlyConfigured) as refused:
        environment_read()
    assert "half-a-secret" not in str(refused.value)


@pytest.mark.parametrize(
    "secret", ["data", "data/secrets", "beside/../data/secrets", "link/secrets"]
)
def test_secrets_may_not_lie_inside_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("UNLIST_SECRET_DIR", str(tmp_path / secret))
    with pytest.raises(ImproperlyConfigured, match="UNLIST_SECRET_DIR"):
        environment_read()


def test_secrets_lie_beside_the_data_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("UNLIST_SECRET_DIR", raising=False)
    assert environment_read().secret_dir == tmp_path / "data-secrets"


def test_an_empty_value_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLIST_KEEP_CASE_DAYS", "")
    assert environment_read().keep_case_days == 90


def test_a_long_data_folder_still_gets_a_socket_that_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path / ("long" * 30)))
    assert len(str(environment_read().redis_socket)) <= 100


def test_stores_are_names_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_read().stores == ()
    monkeypatch.setenv("UNLIST_STORES", "default, disk-1,disk-1,")
    assert environment_read().stores == ("default", "disk-1")
