"""Reasons that a subject is given, as codes for programs and sentences for people.

GDPR Art. 12(4): whoever is refused learns why and where to complain.
"""

from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

DENIAL_REASONS: Final = {
    "different_picture": gettext_lazy(
        "The rows that looked alike hold another picture, so removing them would not remove yours."
    ),
    "nothing_found": gettext_lazy(
        "We looked again ourselves and found no row that holds this picture."
    ),
    "public_interest": gettext_lazy(
        "The picture may stay for freedom of expression and information, or for archiving in the "
        "public interest (GDPR Article 17(3))."
    ),
    "not_searched": gettext_lazy(
        "We did not search in time, and your photo had to be deleted by our own rule. Nothing was "
        "decided about your picture: please send it again."
    ),
    "photo_deleted": gettext_lazy(
        "You had your photo deleted before the search was over, so we could not find it. Nothing "
        "was decided about your picture: you can send it again."
    ),
    "legal_duty": gettext_lazy(
        "A law obliges us to keep these rows for now (GDPR Article 17(3)(b))."
    ),
    "no_personal_data": gettext_lazy(
        "The picture shows nobody and we see no right of yours that its presence touches."
    ),
    "unfounded": gettext_lazy(
        "The request is manifestly unfounded or excessive (GDPR Article 12(5)); the statement "
        "says why."
    ),
}
NO_MATCH_REASONS: Final = {
    "not_found": gettext_lazy(
        "We searched every covered dataset and found no row that holds this picture."
    ),
    "too_plain": gettext_lazy(
        "The picture has too little detail to be told from others, and no row has the very same "
        "file. Another version of it may be found."
    ),
}
REASONS: Final = DENIAL_REASONS | NO_MATCH_REASONS
READY_STATEMENTS: Final = {
    "": gettext_lazy(
        "The rows that hold your picture are on our removal list and go out with its next "
        "release. Whoever applies our lists then drops them. Copies that others keep without our "
        "lists are out of our reach."
    ),
    "different_picture": gettext_lazy(
        "We compared each row with your photo. What we left looks alike but shows something else. "
        "If you have another version of your photo, such as one that is not cropped, you can send "
        "it in a new request."
    ),
    "nothing_found": gettext_lazy(
        "No dataset that we cover holds this picture today. New ones are added: you can ask again "
        "later, and another version of the photo may find more."
    ),
    "public_interest": gettext_lazy(
        "We weighed your wish against the interest of the public in this picture, which weighed "
        "more here. You can appeal once and tell us what we did not know."
    ),
    "not_searched": gettext_lazy(
        "This was our fault, and we are sorry. Please send the photo again: it is searched anew."
    ),
    "photo_deleted": gettext_lazy(
        "Without the photo there is nothing that we could compare. If you still want it searched, "
        "send it again in a new request."
    ),
    "legal_duty": gettext_lazy(
        "We may not remove these rows while that duty lasts. You can ask again later."
    ),
    "no_personal_data": gettext_lazy(
        "If somebody can be recognized in it after all, or the work is yours, appeal and tell us "
        "where to look. A sentence is enough; we need no name."
    ),
    "unfounded": gettext_lazy(
        "We could not act on the request as it was sent. If there is a reason that we did not "
        "see, appeal and tell us in your own words."
    ),
}
"""Words that a maintainer can send with a reason as they are; under "" those for an approval."""


def ready_statement(reason: str, language: str) -> str:
    """Return the ready words for a reason in a language; English where none is known."""
    with override(language or "en"):
        return str(READY_STATEMENTS[reason]) if reason in READY_STATEMENTS else ""


def complaint_text() -> str:
    """Return where a subject can turn who disagrees with the outcome."""
    unlist = settings.UNLIST
    where = (
        _("You can complain to %(authority)s, and you can go to court.")
        % {"authority": unlist.complaint_authority}
        if unlist.authority_named
        else _(
            "You can complain to the data protection authority of the country you live in, and "
            "you can go to court."
        )
    )
    who = _("This service is run by %(operator)s.") % {"operator": unlist.operator_name}
    anonymous = _(
        "Neither costs you your anonymity here: the receipt code is all that links you to this "
        "request."
    )
    return " ".join([where, who, anonymous] if unlist.operator_named else [where, anonymous])
