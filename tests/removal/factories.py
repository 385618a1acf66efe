"""Requests in any state, made by the service's own writers: for every test that needs one.

Stable seams (tests of the site, the admin and the releases use them):

- `secrets_made()` makes the key files in the test's own folder; the others call it themselves.
- `photo_bytes(seed)` a small JPEG unlike that of other seeds; `PLAIN` no picture.
- `staff_user(name)` a member of staff who may do everything.
- `role_user(name, *roles)` a member of staff with these roles and no others.
- `sign_in(client, user)` a browser's session of theirs, second factor and all.
- `catalog_group(...)` a ready group of a dataset (no index on the disk).
- `submitted(...)` -> `Submitted`; `opened(receipt)` -> `OpenedRequest`.
- `in_review(matches=...)`, `no_match()`, `decided(approve=...)`, `released()` -> `Case`, which has
  `.receipt`, `.request` (fresh), `.candidates` (in order of kind and score), `.opened()`.
- `offered(case, *keys)` copies of one of its rows, offered as after a search for duplicates.
- `match(...)` a `Match` as the search would find it; `FakeSearcher(matches)` finds these for
  every photo, without models.

All need the database. Nothing is mocked but the search.
"""

import hashlib
import io
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.contrib.auth.models import Group as AuthGroup
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from PIL import Image

from catalog.models import Dataset, Group
from indexer.evidence.verdict import Evidence, Match
from removal.custody import secrets
from removal.custody.content import RowId, RowToVerify, row_item, row_opened
from removal.custody.sealing import seal
from removal.intake.submission import Submitted, request_submit
from removal.life.closing import request_release
from removal.models import Candidate, Purpose, RemovalRequest
from removal.permissions import ROLES
from removal.search import draining, fingerprinting, matching
from removal.selectors import OpenedRequest, request_open, review_case
from removal.selectors.desk import case_key_held
from tests.removal.deciding import request_decide

PLAIN = b"this is no picture"


def secrets_made() -> None:
    """Make the roles' key files that are missing."""
    list(secrets.secrets_make())


def photo_bytes(seed: int = 0, *, side: int = 64) -> bytes:
    """Return a JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def staff_user(name: str = "maintainer") -> User:
    """Return a member of staff, made on first use."""
    user = User.objects.filter(username=name).first()
    return user or User.objects.create_superuser(name, password="correct horse battery")


def role_user(name: str, *roles: str) -> User:
    """Return a member of staff with these roles, made on first use.

    (A test whose database is emptied at its end takes the groups along, which a migration made.)
    """
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
    for role in roles:
        group, made = AuthGroup.objects.get_or_create(name=role)
        if made:
            codes = [right.split(".") for right in ROLES[role]]
            group.permissions.set(
                Permission.objects.get(content_type__app_label=app, codename=code)
                for app, code in codes
            )
        user.groups.add(group)
    return User.objects.get(pk=user.pk)


def sign_in(client: Client, user: User | None = None) -> User:
    """Give a browser a session of a member of staff as both steps of the sign-in make it."""
    user = user or staff_user()
    device, _ = TOTPDevice.objects.get_or_create(user=user, defaults={"name": "app"})
    client.force_login(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return user


def catalog_group(
    *,
    dataset: str = "sample",
    number: int = 0,
    rows: int = 100,
    state: str = Group.State.READY,
    store: str = "local",
    pictured: bool = False,
) -> Group:
    """Return a group, made on first use together with its dataset."""
    parent, _ = Dataset.objects.get_or_create(
        name=dataset,
        defaults={
            "title": dataset.title(),
            "format": "img2dataset",
            "path": "nowhere",
            "encoder": "efficientnet-lite0/imagenet",
            "rows": rows,
            "store": store,
            "facts": {"signals": [{"name": "geometry", "available": pictured, "reason": "a test"}]},
        },
    )
    group, _ = Group.objects.get_or_create(
        dataset=parent,
        number=number,
        defaults={
            "rows": rows,
            "state": state,
            "indexed_on": timezone.now(),
            "manifest_sha256": "ab" * 32 if state == Group.State.READY else "",
        },
    )
    return group


def match(
    kind: str = "copy",
    *,
    key: str = "000000012",
    score: float = 0.97,
    url: str | None = "https://pictures.example.org/marked-url.jpg",
    **changes: Any,
) -> Match:
    """Return a match as the search finds it."""
    found = Match(
        dataset="sample",
        group=0,
        key=key,
        shard="00000",
        index=int(key),
        url=url,
        sha256="ab" * 32,
        md5=None,
        offset=None,
        kind=kind,  # type: ignore[arg-type]  # tests pass the literals
        score=score,
        evidence=Evidence(
            digest=kind == "exact",
            pdq=12,
            phash=4,
            cosine=0.91,
            inliers=None,
            agreement=None,
            overlap=None,
            mirrored=None,
            basis="digest" if kind == "exact" else "fingerprints",
        ),
    )
    return replace(found, **changes)


@dataclass(frozen=True)
class FakePrint:
    """A fingerprint that knows only whether a photo or a URL gave it."""

    text: str
    flags: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        return self.text.encode()


class FakeSearcher:
    """A search that finds the same matches for every photo, and nothing for a URL.

    Its first `rows` are worth verifying; the geometry of a row is `{"inliers": n}` as JSON, with n
    by the row's key in `inliers`, and none where the key is missing there.
    """

    def __init__(
        self,
        matches: Sequence[Match] = (),
        *,
        flags: tuple[str, ...] = (),
        rows: Sequence[RowToVerify] = (),
        inliers: Mapping[str, int] | None = None,
    ) -> None:
        self.matches = list(matches)
        self.flags = flags
        self.rows = list(rows)
        self.inliers = inliers or {}
        self.batches: list[int] = []
        """How many queries each call of `group_search` had."""
        self.verified: list[list[tuple[bytes, RowToVerify]]] = []
        """What each call of `rows_verify` was given."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> Any:
        return FakePrint(f"photo {hashlib.sha256(data).hexdigest()}", self.flags)

    def fingerprint_url(self, url: str) -> Any:
        return FakePrint(f"url {url}")

    def fingerprint_urls(self, urls: Sequence[str]) -> Any:
        return None  # it follows no address; test_url_requests.py searches a real index

    def fingerprint_read(self, data: bytes) -> Any:
        return FakePrint(data.decode())

    def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
        self.batches.append(len(fingerprints))
        return list(fingerprints)  # its hits are the fingerprint itself

    def photo_probe(self, data: bytes) -> bytes:
        return b"probe " + hashlib.sha256(data).digest()

    def shortlist(self, hits: Sequence[bytes], *, datasets: Collection[str]) -> list[RowToVerify]:
        return [row for row in self.rows if row.dataset in datasets]

    def rows_verify(
        self, group: Group, pairs: Sequence[tuple[bytes, RowToVerify]]
    ) -> list[str | None]:
        self.verified.append(list(pairs))
        found = [self.inliers.get(row.key) for _, row in pairs]
        return [None if n is None else json.dumps({"inliers": n}) for n in found]

    def conclude(
        self, hits: Sequence[bytes], *, top: int, geometry: Mapping[RowId, str]
    ) -> list[Match]:
        if not hits[0].startswith(b"photo"):
            return []
        return [_verified(match, geometry) for match in self.matches[:top]]


def row_to_verify(key: str = "000000012", *, group: int = 0, shard: str = "00000") -> RowToVerify:
    """Return the place of the row that `match` finds."""
    return RowToVerify("sample", group, shard, 512 * int(key), int(key), key)


def _verified(match: Match, geometry: Mapping[RowId, str]) -> Match:
    text = geometry.get((match.dataset, match.shard, match.index))
    if text is None:
        return match
    return replace(match, evidence=replace(match.evidence, inliers=json.loads(text)["inliers"]))


@dataclass(frozen=True)
class Case:
    """A request with the receipt that opens it."""

    receipt: str
    request_id: uuid.UUID

    @property
    def request(self) -> RemovalRequest:
        return RemovalRequest.objects.get(pk=self.request_id)

    @property
    def candidates(self) -> list[Candidate]:
        case = review_case(request_id=self.request_id, reviewer=staff_user())
        return [Candidate.objects.get(pk=view.id) for view in case.candidates]

    def opened(self) -> OpenedRequest:
        return request_open(receipt=self.receipt)


def submitted(
    *,
    photos: Sequence[bytes] | None = None,
    urls: Sequence[str] = (),
    note: str = "",
    category: str = "personal",
) -> Submitted:
    """Submit a request, by default with one photo."""
    secrets_made()
    photos = [photo_bytes()] if photos is None else photos
    return request_submit(photos=photos, urls=urls, note=note, category=category)


def opened(receipt: str) -> OpenedRequest:
    """Open a request by its receipt."""
    return request_open(receipt=receipt)


def received(**submission: Any) -> Case:
    """Return a request that nobody has searched yet."""
    receipt = submitted(**submission).receipt
    return Case(receipt, request_open(receipt=receipt).request_id)


def searched(searcher: FakeSearcher, **submission: Any) -> Case:
    """Return a request whose search was concluded with what the searcher finds."""
    case, group = received(**submission), catalog_group()
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    draining.group_drain(group.pk, searcher=searcher)
    if not matching.request_conclude(case.request_id, searcher=searcher):
        draining.group_drain(group.pk, searcher=searcher)  # the rows that are to be verified
        matching.request_conclude(case.request_id, searcher=searcher)
    return case


def in_review(matches: Sequence[Match] | None = None, **submission: Any) -> Case:
    """Return a request that waits for a decision: by default an exact, a copy, a similar row."""
    if matches is None:
        matches = [
            match("exact", key="000000001", score=1.0),
            match("copy", key="000000002"),
            match("similar", key="000000003", score=0.4),
        ]
    return searched(FakeSearcher(matches), **submission)


def no_match(**submission: Any) -> Case:
    """Return a request for which nothing was found."""
    return searched(FakeSearcher(), **submission)


def decided(
    *,
    approve: Sequence[int] = (0, 1),
    reason: str | None = None,
    statement: str = "",
    **submission: Any,
) -> Case:
    """Return a decided request; `approve` are places among its candidates."""
    case = in_review(**submission)
    candidates = case.candidates
    request_decide(
        request_id=case.request_id,
        reviewer=staff_user(),
        approve=[candidates[place].pk for place in approve],
        deny_reason=reason,
        statement=statement,
        tier="exact" if approve else None,
    )
    return case


def released(*, release: int = 1, **submission: Any) -> Case:
    """Return an approved request that a release carries."""
    case = decided(**submission)
    request_release(request_id=case.request_id, release=release)
    return case


def offered(
    case: Case,
    *keys: str,
    source: int | Candidate = 0,
    kind: str = "copy",
    **changes: Any,
) -> list[Candidate]:
    """Offer copies of one of the request's rows, as the search for duplicates does.

    Args:
        case: an approved request.
        keys: of the rows that are found.
        source: the row that they are copies of, or its place among the request's.
        kind: of the rows.
        changes: to the rows.
    """
    key = case_key_held(case.request)
    of = case.candidates[source] if isinstance(source, int) else source
    template = row_opened(of, key)
    made = []
    for place in keys:
        row = replace(
            template,
            key=place,
            index=int(place),
            url=f"https://copies.example.org/{place}.jpg",
            sha256=hashlib.sha256(place.encode()).hexdigest(),
            score=0.93,
            evidence={"digest": False, "pdq": 20, "cosine": 0.95, "basis": "fingerprints"},
            photos=(),
            regions={},
            placements={},
            duplicate_of=str(of.pk),
        )
        name = uuid.uuid5(case.request_id, place)
        one = Candidate(pk=name, request=case.request, kind=kind, offered=True)
        one.row_tag = hashlib.sha256(f"{case.request_id} {place}".encode()).digest()
        data = replace(row, **changes).to_bytes()
        one.row_sealed = seal(case.request_id, Purpose.CASE, row_item(one.pk), data)
        one.save(force_insert=True)
        made.append(one)
    return made


def groups_waited_for() -> list[int]:
    """Return the groups that the sweep would have searched."""
    return [group.group_id for group in matching.work_waiting().to_search]
