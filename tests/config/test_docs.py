"""docs/settings.md says what the settings are, docs/operators.md what `/metrics` tells."""

import re
from typing import Any

import pytest
import yaml

from config.environ import Environment
from config.metrics import Figures
from tests.conftest import ROOT

SETTINGS = (ROOT / "docs" / "settings.md").read_text("utf-8")
OPERATORS = (ROOT / "docs" / "operators.md").read_text("utf-8")


def test_every_setting_is_documented() -> None:
    fields = Environment.model_fields.values()
    assert [field.alias for field in fields if f"`{field.alias}`" not in SETTINGS] == []


def monitoring(name: str) -> Any:
    found = re.search(rf"<!-- monitoring: {name} -->\n```yaml\n(.*?)```", OPERATORS, re.DOTALL)
    assert found, name
    return yaml.safe_load(found[1])


def served() -> set[str]:
    """Return the names of all figures, as Prometheus shows them."""
    ends = {"counter": "_total", "info": "_info"}
    return {family.name + ends.get(family.type, "") for family in Figures().collect()}


@pytest.mark.django_db
def test_every_figure_is_documented_and_no_other(settings: Any) -> None:
    settings.UNLIST.data_dir.mkdir()
    table = re.findall(r"^\| (`unlist_.*?`) \|", OPERATORS, re.MULTILINE)
    documented = {name for line in table for name in re.findall(r"`(unlist_\w+)", line)}
    assert documented == served()


@pytest.mark.django_db
def test_alert_rules_ask_for_figures_that_there_are(settings: Any) -> None:
    settings.UNLIST.data_dir.mkdir()
    (group,) = monitoring("alerts")["groups"]
    for rule in group["rules"]:
        assert set(re.findall(r"unlist_\w+", rule["expr"])) <= served(), rule
        assert rule["annotations"]["summary"].endswith(".")
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) == 14


def test_the_scrape_is_of_the_address_that_compose_gives_the_staff() -> None:
    (job,) = monitoring("scrape")["scrape_configs"]
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    (ports,) = compose["services"]["staff"]["ports"]
    (target,) = job["static_configs"]
    assert target["targets"] == [ports.replace("${UNLIST_STAFF_PORT:-8001}", "8001")[:-5]]
    assert "credentials_file" in job["authorization"]
    told = {
        name
        for name, service in compose["services"].items()
        if "UNLIST_METRICS_TOKEN" in service.get("environment", {})
    }
    assert told == {"staff"}
