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
        ("UNLIST_RULES", "personal", 'UNLIST_RULES cannot be used: write "exact:"'),
        ("UNLIST_RULES", "exact", "UNLIST_RULES cannot be used"),
        ("UNLIST_RULES", "exact:", "UNLIST_RULES cannot be used"),
        ("UNLIST_RULES", "copy:personal", "UNLIST_RULES cannot be used"),
        ("UNLIST_RULES", "exact:personal,selfie", "UNLIST_RULES cannot be used"),
        ("UNLIST_RULES", "exact:personal,,other", "UNLIST_RULES cannot be used"),
        ("UNLIST_RULES", "exact:personal,child", "child is never decided without a person"),
        ("UNLIST_RULES", "exact:medical, intimate", "take intimate, medical out"),
        ("UNLIST_RULES_ROWS", "0", "UNLIST_RULES_ROWS"),
        ("UNLIST_RULES_PER_DAY", "0", "UNLIST_RULES_PER_DAY"),
        ("UNLIST_FETCH", "perhaps", "UNLIST_FETCH"),
        (
            "UNLIST_FETCH_PROXY",
            "proxy.example.org:3128",
            "UNLIST_FETCH_PROXY cannot be used: write",
        ),
        ("UNLIST_FETCH_PROXY", "https://proxy.example.org:3128", "UNLIST_FETCH_PROXY"),
        ("UNLIST_FETCH_PROXY", "socks4://127.0.0.1:9050", "UNLIST_FETCH_PROXY"),
        ("UNLIST_FETCH_PROXY", "socks5://127.0.0.1", "UNLIST_FETCH_PROXY"),
        ("UNLIST_FETCH_PROXY", "http://127.0.0.1:many", "UNLIST_FETCH_PROXY"),
        ("UNLIST_FETCH_PROXY", "http://127.0.0.1:3128/path", "UNLIST_FETCH_PROXY"),
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


@pytest.mark.parametrize(
    "url", ["http://proxy.example.org:3128", "socks5://user:p%40ss@127.0.0.1:9050", ""]
)
def test_a_proxy_is_taken_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("UNLIST_FETCH_PROXY", url)
    found = environment_read()
    assert found.fetch_proxy.get_secret_value() == url
    assert not url or url not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNLIST_METRICS_TOKEN", "half-a-secret"),
        ("UNLIST_FETCH_PROXY", "ftp://user:half-a-secret@127.0.0.1:1"),
    ],
)
def test_a_secret_that_cannot_be_used_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
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


def test_a_rule_is_named_by_its_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_read().rule_categories == ()
    monkeypatch.setenv("UNLIST_RULES", "exact: personal,artwork,personal")
    assert environment_read().rule_categories == ("personal", "artwork")


def test_stores_are_names_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_read().stores == ()
    monkeypatch.setenv("UNLIST_STORES", "default, disk-1,disk-1,")
    assert environment_read().stores == ("default", "disk-1")
