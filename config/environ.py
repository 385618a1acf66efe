"""The environment, read once, typed and checked: docs/settings.md.

A wrong value stops the start with a sentence that names the variable.
"""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Role = Literal["all", "public", "staff", "worker", "release"]

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{20,}=*")
_ORDINARY = frozenset({"personal", "other", "artwork"})
_CATEGORIES = _ORDINARY | {"child", "intimate", "medical"}
_STORE = re.compile(r"[A-Za-z0-9_-]{1,40}")
BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(BaseSettings):
    """Every setting that an operator can make, with its environment variable as alias."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="ignore")

    database_url: str = Field("", alias="DATABASE_URL")
    redis_url: str = Field("", alias="REDIS_URL")
    data_dir: Path = Field(BASE_DIR / "var", alias="UNLIST_DATA_DIR")
    secret_dir: Path = Field(Path(), alias="UNLIST_SECRET_DIR")
    role: Role = Field("all", alias="UNLIST_ROLE")

    encoder: str = Field("efficientnet-lite0/imagenet", alias="UNLIST_ENCODER")
    group_rows: int = Field(1_000_000, alias="UNLIST_GROUP_ROWS", ge=1)
    stores: Annotated[tuple[str, ...], NoDecode] = Field((), alias="UNLIST_STORES")

    pow_cost: int = Field(20_000, alias="UNLIST_POW_COST", ge=0)
    ticket_wait_seconds: int = Field(3, alias="UNLIST_TICKET_WAIT_SECONDS", ge=0)
    requests_per_hour: int = Field(12_000, alias="UNLIST_REQUESTS_PER_HOUR", ge=0)
    ticket_share_percent: int = Field(25, alias="UNLIST_TICKET_SHARE_PERCENT", ge=1, le=99)
    trusted_proxies: int = Field(0, alias="UNLIST_TRUSTED_PROXIES", ge=0)

    keep_photo_days: int = Field(14, alias="UNLIST_KEEP_PHOTO_DAYS", ge=0)
    keep_photo_max_days: int = Field(120, alias="UNLIST_KEEP_PHOTO_MAX_DAYS", ge=1)
    keep_case_days: int = Field(90, alias="UNLIST_KEEP_CASE_DAYS", ge=0)
    keep_tombstone_days: int = Field(365, alias="UNLIST_KEEP_TOMBSTONE_DAYS", ge=1)

    undo_seconds: int = Field(10, alias="UNLIST_UNDO_SECONDS", ge=0, le=3600)
    two_person_rows: int = Field(200, alias="UNLIST_TWO_PERSON_ROWS", ge=0)
    duplicates: bool = Field(True, alias="UNLIST_DUPLICATES")
    rule_categories: Annotated[tuple[str, ...], NoDecode] = Field((), alias="UNLIST_RULES")
    rules_rows: int = Field(20, alias="UNLIST_RULES_ROWS", ge=1)
    rules_per_day: int = Field(50, alias="UNLIST_RULES_PER_DAY", ge=1)
    escalation_procedure: Path | None = Field(None, alias="UNLIST_ESCALATION_PROCEDURE")
    fetch: bool = Field(False, alias="UNLIST_FETCH")
    fetch_proxy: SecretStr = Field(SecretStr(""), alias="UNLIST_FETCH_PROXY")

    operator_name: str = Field("the operator of this service", alias="UNLIST_OPERATOR_NAME")
    complaint_authority: str = Field(
        "the data protection authority of the country you live in",
        alias="UNLIST_COMPLAINT_AUTHORITY",
    )
    hotline_name: str = Field("INHOPE", alias="UNLIST_HOTLINE_NAME")
    hotline_url: str = Field("https://www.inhope.org/", alias="UNLIST_HOTLINE_URL")
    public_url: str = Field("http://127.0.0.1:8000", alias="UNLIST_PUBLIC_URL")

    metrics_token: SecretStr = Field(SecretStr(""), alias="UNLIST_METRICS_TOKEN")

    debug: bool = Field(False, alias="DJANGO_DEBUG")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "localhost"), alias="DJANGO_ALLOWED_HOSTS"
    )

    @field_validator("allowed_hosts", "stores", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("stores")
    @classmethod
    def _store_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _STORE.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no store's name: write names of up to 40 letters, digits, "
                    'hyphens and underscores, separated by commas, as in "default,disk1"'
                )
        return tuple(dict.fromkeys(value))

    @field_validator("rule_categories", mode="before")
    @classmethod
    def _rule(cls, value: object) -> object:
        return _rule_read(value) if isinstance(value, str) else value

    @field_validator("metrics_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and not _TOKEN.fullmatch(token):
            raise ValueError(
                "write at least 20 letters and digits that nobody can guess, as "
                "`openssl rand -hex 24` prints them"
            )
        return value

    @field_validator("encoder")
    @classmethod
    def _name_and_tag(cls, value: str) -> str:
        name, _, tag = value.partition("/")
        if not name or not tag:
            raise ValueError('write it as "model/pretrained tag", as in "ViT-L-14/openai"')
        return value

    @field_validator("hotline_url", "public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("write a web address that begins with https:// or http://")
        return value.rstrip("/") if value.count("/") == 3 else value

    @field_validator("fetch_proxy")
    @classmethod
    def _known_proxy(cls, value: SecretStr) -> SecretStr:
        written = value.get_secret_value()
        if written and not _proxy_readable(written):
            raise ValueError(
                "write kind, host and port of the proxy, as in "
                '"http://proxy.example.org:3128" or "socks5://user:password@127.0.0.1:9050"'
            )
        return value

    @field_validator("escalation_procedure")
    @classmethod
    def _readable_text(cls, value: Path | None) -> Path | None:
        """A procedure that cannot be read is worst noticed in the moment that it is needed."""
        if value is None:
            return None
        try:
            written = value.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"the file cannot be read as UTF-8 text ({type(error).__name__}): name a text "
                "file that this process may read"
            ) from None
        if not written:
            raise ValueError("the file is empty: write down what to do, or leave the setting out")
        return value.absolute()

    @model_validator(mode="before")
    @classmethod
    def _absent_when_empty(cls, values: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in values.items() if value != ""}

    @model_validator(mode="after")
    def _paths(self) -> Self:
        """Make both folders absolute; secrets lie beside the data, never inside."""
        data = self.data_dir.absolute()
        chosen = "secret_dir" in self.model_fields_set
        secret = self.secret_dir.absolute() if chosen else data.with_name(f"{data.name}-secrets")
        if secret.resolve().is_relative_to(data.resolve()):  # by whatever way it is written
            raise ValueError(
                "UNLIST_SECRET_DIR lies inside UNLIST_DATA_DIR, so that a backup of the data "
                "would hold the keys: choose a folder outside it"
            )
        object.__setattr__(self, "data_dir", data)
        object.__setattr__(self, "secret_dir", secret)
        return self

    @property
    def broker_url(self) -> str:
        """Celery's broker: REDIS_URL, else the socket of the Redis that `serve` starts."""
        return self.redis_url or f"redis+socket://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens; a socket's path may have 107 bytes at most."""
        inside = self.data_dir / "run" / "redis.sock"
        if len(os.fsencode(inside)) <= 100:
            return inside
        tag = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"unlist-{tag}" / "redis.sock"

    @property
    def operator_named(self) -> bool:
        """Whether the operator has said who answers for the service."""
        unset: str = type(self).model_fields["operator_name"].default
        return self.operator_name != unset

    @property
    def authority_named(self) -> bool:
        """Whether the operator has said which authority hears complaints."""
        unset: str = type(self).model_fields["complaint_authority"].default
        return self.complaint_authority != unset

    @property
    def served_over_https(self) -> bool:
        """Whether cookies may be marked `Secure` and named `__Host-`."""
        return self.public_url.startswith("https://")


def _rule_read(written: str) -> tuple[str, ...]:
    """Return the categories of a rule: "exact:" and their names, separated by commas."""
    kind, colon, names = written.partition(":")
    categories = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    if (kind.strip(), colon) != ("exact", ":") or not set(categories) <= _CATEGORIES:
        raise ValueError(
            f'write "exact:" and categories out of {", ".join(sorted(_ORDINARY))}, separated by '
            'commas, as in "exact:personal,other"; leave it out to have every decision taken by '
            "a person"
        )
    if sensitive := sorted(set(categories) - _ORDINARY):
        raise ValueError(
            f"a request of the category {sensitive[0]} is never decided without a person: take "
            f"{', '.join(sensitive)} out"
        )
    return categories


def _proxy_readable(written: str) -> bool:
    try:
        parts = urlsplit(written)
        named = parts.scheme in {"http", "socks5"} and parts.hostname and parts.port
    except ValueError:  # a port that is no number
        return False
    return bool(named) and not (parts.path.strip("/") or parts.query or parts.fragment)


def environment_read() -> Environment:
    """Read the environment.

    Raises:
        ImproperlyConfigured: a sentence for each variable with a value that cannot be used.
    """
    try:
        return Environment()
    except ValidationError as error:
        faults = "; ".join(_sentence(dict(fault)) for fault in error.errors())
        raise ImproperlyConfigured(faults) from None


def _sentence(fault: dict[str, object]) -> str:
    where = fault["loc"]
    name = str(where[0]) if isinstance(where, tuple) and where else ""
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{name} cannot be used: {message}" if name else message
