"""Reasons that a subject is given, as codes for programs and sentences for people.

GDPR Art. 12(4): whoever is refused learns why and where to complain.
"""

from typing import Final

from django.conf import settings

DENIAL_REASONS: Final = {
    "different_picture": (
        "The rows that looked alike hold another picture, so removing them would not remove yours."
    ),
    "public_interest": (
        "The picture may stay for freedom of expression and information, or for archiving in the "
        "public interest (GDPR Article 17(3))."
    ),
    "not_searched": (
        "We did not search in time, and your photo had to be deleted by our own rule. Nothing was "
        "decided about your picture: please send it again."
    ),
    "legal_duty": "A law obliges us to keep these rows for now (GDPR Article 17(3)(b)).",
    "no_personal_data": (
        "The picture shows nobody and we see no right of yours that its presence touches."
    ),
    "unfounded": (
        "The request is manifestly unfounded or excessive (GDPR Article 12(5)); the statement "
        "says why."
    ),
}
NO_MATCH_REASONS: Final = {
    "not_found": "We searched every covered dataset and found no row that holds this picture.",
    "too_plain": (
        "The picture has too little detail to be told from others, and no row has the very same "
        "file. Another version of it may be found."
    ),
}
REASONS: Final = DENIAL_REASONS | NO_MATCH_REASONS


def complaint_text() -> str:
    """Return where a subject can turn who disagrees with the outcome."""
    return (
        f"You can complain to {settings.UNLIST.complaint_authority}, and you can go to court. "
        f"The controller is {settings.UNLIST.operator_name}. Neither costs you your anonymity "
        "here: the receipt code is all that links you to this request."
    )
