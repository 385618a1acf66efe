"""Words that stand twice, once for the reader's language: the two must stay in step."""

from indexer.decode import REFUSALS
from removal.intake.picture_words import PICTURE_REFUSALS
from removal.models import Category
from removal.site.forms import CATEGORY_WORDS


def test_each_refusal_of_a_picture_can_be_translated() -> None:
    assert {reason: str(words) for reason, words in PICTURE_REFUSALS.items()} == REFUSALS


def test_each_category_is_offered_under_its_name() -> None:
    names = {category: str(label) for category, (label, _hint) in CATEGORY_WORDS.items()}
    assert names == {category: str(category.label) for category in Category}
