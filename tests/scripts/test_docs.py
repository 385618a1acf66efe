"""The operators' page is what the commands say of themselves."""

from scripts.commandhelp import PAGE, page_in_step


def test_the_operators_page_is_in_step() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_in_step(page), "run: python -m scripts.commandhelp"


def test_it_holds_the_commands_of_the_catalog() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("add_dataset", "index_dataset", "list_datasets", "doctor", "match_images"):
        assert f"\n### {name}\n" in page
