"""The public forms: they check what can be checked before a ticket is spent, and keep the words.

Photos are not a field here: `uploads.py` brings them in, and a browser cannot be given them back.
"""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from indexer.decode import FORMATS
from removal.intake.submission import MAX_URLS, NOTE_MAX, IntakeRefused
from removal.models import Category
from removal.search.url_variants import url_acceptable
from removal.templatetags.unlist_text import grouped

ANCHORS: Final = {
    "photos": "id_photos",
    "urls": "id_urls",
    "category": "id_category_0",
    "note": "id_note",
}
FIELD_OF_CODE: Final = {
    "url_invalid": "urls",
    "too_many_urls": "urls",
    "note_too_long": "note",
    "category_unknown": "category",
}


@dataclass(frozen=True)
class Fault:
    """One line of the summary at the top: a sentence, and the control it speaks of."""

    anchor: str
    sentence: str


@dataclass(frozen=True)
class CategoryChoice:
    """One radio button: its value, its name, and a word of help."""

    value: str
    label: str
    hint: str = ""


FORMAT_NAMES: Final = ", ".join(
    {"WEBP": "WebP", "HEIF": "HEIC"}.get(name, name) for name in FORMATS
)
ACCEPT: Final = ",".join(
    f"image/{name.lower()}" for name in [*FORMATS, *(["HEIC"] if "HEIF" in FORMATS else [])]
)
"""Named one by one: a phone then turns what is not in the list into JPEG by itself."""

CATEGORY_WORDS: Final = {
    Category.PERSONAL: (
        _("A picture of me"),
        _("for example a family photo, a portrait, a holiday picture"),
    ),
    Category.MEDICAL: (_("A medical picture"), _("for example from a hospital or a surgery")),
    Category.INTIMATE: (
        _("An intimate picture"),
        _("you are naked, or it was meant for few eyes"),
    ),
    Category.CHILD: (_("A picture of a child"), _("an everyday picture of someone under 18")),
    Category.ARTWORK: (_("My artwork or photograph"), ""),
    Category.OTHER: (_("Something else"), ""),
}


def categories() -> list[CategoryChoice]:
    """Return the kinds of picture to choose from, in the reader's language."""
    return [
        CategoryChoice(str(category.value), str(label), str(hint))
        for category, (label, hint) in CATEGORY_WORDS.items()
    ]


class RequestForm(forms.Form):
    """The words of a request. Bound or not, `value` of each field is safe to show again."""

    photos = forms.Field(required=False)  # carries the faults found with the photos
    urls = forms.CharField(required=False)
    category = forms.ChoiceField(
        choices=Category.choices,
        initial=Category.PERSONAL.value,
        error_messages={
            "required": _("Choose what kind of picture it is."),
            "invalid_choice": _("Choose one of the kinds of picture in the list."),
        },
    )
    note = forms.CharField(required=False)

    def clean_urls(self) -> list[str]:
        """Split the lines; each must be an address that can be searched for."""
        lines = [line.strip() for line in str(self.cleaned_data["urls"]).splitlines()]
        urls = [line for line in lines if line]
        if len(urls) > MAX_URLS:
            raise forms.ValidationError(
                _("These are %(sent)d web addresses: send at most %(most)d in one request.")
                % {"sent": len(urls), "most": MAX_URLS}
            )
        for n, url in enumerate(urls, start=1):
            if not url_acceptable(url):
                raise forms.ValidationError(
                    _(
                        "Web address %(n)d cannot be used: it must begin with https:// or "
                        "http:// and be written on a line of its own, with nothing else."
                    )
                    % {"n": n}
                )
        return urls

    def clean_note(self) -> str:
        """Count line breaks as one character each, as a reader does."""
        note = str(self.cleaned_data["note"]).replace("\r\n", "\n")
        if len(note) > NOTE_MAX:
            raise forms.ValidationError(
                _("The note has %(sent)s characters: shorten it to %(most)s.")
                % {"sent": grouped(len(note)), "most": grouped(NOTE_MAX)}
            )
        return note

    def refuse(self, refusal: IntakeRefused) -> None:
        """Show what the intake refused beside the field it speaks of."""
        self.add_error(FIELD_OF_CODE.get(refusal.code, "photos"), refusal.sentence)
        for photo in refusal.photos:
            if photo.sentence:
                sentence = _("Photo %(n)d: %(sentence)s")
                self.add_error("photos", sentence % {"n": photo.n, "sentence": photo.sentence})

    def faults(self) -> list[Fault]:
        """Return the summary: every fault, in the order of the page."""
        return [
            Fault(ANCHORS[name], str(sentence))
            for name in ANCHORS
            for sentence in self.errors.get(name, [])
        ]


def typed(data: Any, name: str) -> str:
    """Return a posted text field, without the blanks around it."""
    return str(data.get(name, "")).strip()
