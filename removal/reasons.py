"""Reasons that a subject is given, as codes for programs and sentences for people.

GDPR Art. 12(4): whoever is refused learns why and where to complain.
"""

from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

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
