"""What maintainers tell each other about a proposal that is about no request.

There is no data key that it could lie under, so it is sealed to the reviewers' own key pair, at a
place of the proposal's own, and is emptied when the proposal ends. Rotation does not seal it anew:
a proposal that is still open when the retired key goes loses its words, and no more than them.
"""

import uuid

from removal.custody import content
from removal.custody.sealing import (
    NotReadable,
    Place,
    Stored,
    public_half,
    role_key,
    seal_to,
)
from removal.models import Purpose, Recipient


def between_seal(proposal_id: uuid.UUID, text: bytes) -> bytes:
    """Seal what one maintainer tells the others of a proposal.

    Raises:
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    return seal_to(public_half(role_key(Recipient.REVIEWER)), text, _place(proposal_id))


def between_open(proposal_id: uuid.UUID, sealed: Stored) -> bytes | None:
    """Open it; None where nothing is left of it, or the key that opened it is gone.

    Raises:
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    if not sealed:
        return None
    try:
        return role_key(Recipient.REVIEWER).open(sealed, _place(proposal_id))
    except NotReadable:
        return None


def _place(proposal_id: uuid.UUID) -> Place:
    return Place(proposal_id, Purpose.CASE, content.proposal_item(proposal_id))
