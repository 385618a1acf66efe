"""The translations are complete and in step, and the check would notice if they were not."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from scripts import messages
from scripts.messages import LOCALES, catalog_read, catalog_update, catalog_write, faults


@pytest.fixture(scope="module")
def found() -> Catalog:
    return messages.words_found()


@pytest.mark.parametrize("locale", LOCALES)
def test_language_is_complete_sure_and_in_step(found: Catalog, locale: str) -> None:
    assert faults(locale, found) == []


@pytest.mark.parametrize(("locale", "forms"), [("de", 2), ("fr", 2), ("pt_BR", 2), ("ar", 6)])
def test_language_has_all_its_plurals(locale: str, forms: int) -> None:
    catalog = catalog_read(locale)
    assert catalog.num_plurals == forms
    assert all(len(one.string or ()) == forms for one in catalog if one.id and one.pluralizable)


def test_pages_code_and_refusals_are_all_read(found: Catalog) -> None:
    places = {place for one in found for place, _ in one.locations}
    for place in (
        "removal/templates/removal/privacy.html",
        "releases/templates/releases/releases.html",
        "removal/site/wording.py",
        "removal/reasons.py",
        "removal/intake/gate.py",
        "removal/site/problem_pages.py",
        "releases/transparency_page.py",
    ):
        assert place in places
    assert not [place for place in places if "admin" in place or "desk" in place]


def _written(folder: Path, **told: str) -> Catalog:
    """Write a small Arabic catalog of one message; return what the sources would have."""
    found = Catalog(charset="utf-8")
    found.add("Hello %(name)s")
    catalog = catalog_read("ar", folder)
    catalog_update(catalog, found)
    for message in catalog:
        if message.id:
            message.string = told.get("string", "مرحبا %(name)s")
            message.flags |= {"fuzzy"} if told.get("fuzzy") else set()
    catalog_write(catalog, "ar", folder)
    return found


def test_a_complete_catalog_has_no_fault(tmp_path: Path) -> None:
    assert faults("ar", _written(tmp_path), tmp_path) == []


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"string": ""}, "lacks a translation"),
        ({"string": "مرحبا"}, "changes the placeholders"),
        ({"string": "مرحبا %(nom)s"}, "changes the placeholders"),
        ({"string": "<b>مرحبا</b> %(name)s"}, "changes the placeholders or marks"),
        ({"string": "مرحبا %(name)s "}, "begins or ends otherwise"),
        ({"fuzzy": "yes"}, "unsure"),
    ],
)
def test_a_bad_translation_is_noticed(tmp_path: Path, told: dict[str, str], fault: str) -> None:
    [noticed] = faults("ar", _written(tmp_path, **told), tmp_path)
    assert fault in noticed


def test_what_is_out_of_step_is_noticed(tmp_path: Path) -> None:
    found = _written(tmp_path)
    found.add("Good bye")
    assert faults("ar", found, tmp_path) == ["ar has no entry for 'Good bye'"]
    assert "which no source has" in faults("ar", Catalog(), tmp_path)[0]
    messages.po_path("ar", tmp_path).with_suffix(".mo").write_bytes(b"")
    assert "not made from its .po" in faults("ar", _found_again(), tmp_path)[0]


def _found_again() -> Catalog:
    found = Catalog(charset="utf-8")
    found.add("Hello %(name)s")
    return found
