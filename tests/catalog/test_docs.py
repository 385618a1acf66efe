"""The operators' page is what the commands say of themselves."""

from catalog.commandhelp import PAGE, page_in_step


def test_the_operators_page_is_in_step() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_in_step(page), "run: python -m catalog.commandhelp"


def test_every_command_of_the_catalog_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("add_dataset", "index_dataset", "list_datasets", "doctor", "match_images"):
        assert f"\n### {name}\n" in page
