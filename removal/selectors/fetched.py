"""What was fetched for a row whose dataset holds no picture: read with the request's `case` key."""

import json
import uuid
from dataclasses import dataclass
from typing import Self

from removal.custody.content import errand_item, json_bytes
from removal.custody.sealing import Place, PrivateKey
from removal.models import Candidate, Errand, ErrandKind, ErrandState, Purpose


@dataclass(frozen=True, slots=True)
class FetchedPicture:
    """A picture that was fetched, made small and anew.

    Attributes:
        same: whether the file is the one whose digest the dataset records; None: it records none.
        size: width and height of the picture in full, in pixels.
        picture: as WebP without metadata.
    """

    same: bool | None
    size: tuple[int, int]
    picture: bytes

    def to_bytes(self) -> bytes:
        """Serialize for sealing: a line of JSON, then the picture."""
        return json_bytes({"same": self.same, "size": self.size}) + b"\n" + self.picture

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        line, _, picture = data.partition(b"\n")
        facts = json.loads(line)
        width, height = facts["size"]
        return cls(same=facts["same"], size=(width, height), picture=picture)


def fetch_last(candidate_id: uuid.UUID) -> Errand | None:
    """Return what was last asked to be fetched for a row."""
    asked = Errand.objects.filter(candidate=candidate_id, kind=ErrandKind.FETCH)
    return asked.order_by("-asked_at").first()


def fetched_picture(candidate: Candidate, case: PrivateKey) -> FetchedPicture | None:
    """Return what was fetched for a row; None where nothing was."""
    done = Errand.objects.filter(
        candidate=candidate, kind=ErrandKind.FETCH, state=ErrandState.DONE
    ).first()
    return None if done is None else fetched_opened(done, case)


def fetched_opened(done: Errand, case: PrivateKey) -> FetchedPicture:
    """Open what a fetch brought.

    Raises:
        NotReadable: the key is not that of the request.
    """
    if done.request_id is None:
        raise ValueError("A fetch is always for a request.")
    place = Place(done.request_id, Purpose.CASE, errand_item(done.pk))
    return FetchedPicture.from_bytes(case.open(done.result_sealed, place))
