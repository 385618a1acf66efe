"""Programs that a role's process runs: to act for the staff, to submit, to open whatever it can.

`OPEN` is the attacker: it goes round every check of the code. It takes each value of 32 bytes from
any file of the secrets that it is shown, each key that a receipt or a session's cookies give, and
tries it on every wrap of the database; then each key that came out on everything that is sealed.
It prints what it opened as JSON: `wraps` as [state of the request or errand, purpose, recipient],
`texts` as [state, purpose, item] with what it read of them.
"""

from typing import Final

from tests.functional.leaks import ANSWER, NETWORK, ROW_FILE, STATEMENT

_STAFF: Final = f"""
from django.contrib.auth.models import User
from removal.life.questions import (question_put)
from removal.models import Candidate, RemovalRequest
from removal.custody.content import row_opened
from removal.selectors.desk import case_key_held
reviewer = User.objects.first()
request = RemovalRequest.objects.exclude(content_sealed=b"").get(state="in_review")
case = case_key_held(request)
rows = {{c.pk: row_opened(c, case) for c in request.candidates.all()}}
asked = [pk for pk, row in rows.items() if row.key.endswith({ROW_FILE!r})]
listed = [pk for pk, row in rows.items() if row.url]
"""

ASK: Final = f"""{_STAFF}
from removal.life.reveals import photo_reveal
for photo in request.photos.all():
    photo_reveal(photo_id=photo.pk, reviewer=reviewer)
assert len(asked) == 1 and len(listed) > 1, (asked, listed)
Candidate.objects.filter(pk__in=asked).update(kind="similar")
question_put(
    request_id=request.pk, reviewer=reviewer, candidate_ids=asked, text={ANSWER!r}
)
print("asked")
"""

DECIDE: Final = f"""{_STAFF}
from tests.removal.deciding import request_decide
appealed = request.appealed_on is not None
print(request_decide(
    request_id=request.pk,
    reviewer=reviewer,
    approve=listed if appealed else listed[:1],
    deny_reason=None if appealed else "different_picture",
    statement={STATEMENT!r},
    tier="exact",
))
"""

SWEEP: Final = """
from removal.life.errands import errand_ask
errand_ask("sweep", order=b"what a sweep asks", reviewers=True)
"""

OPEN: Final = """
import json, os, pathlib, sys, uuid
from django.conf import settings
from removal.custody import blobs, content, receipts, shred
from removal.life import sessions
from removal.models import *
from removal.custody.sealing import NotReadable, Place, PrivateKey, subject_key
from removal.custody.sealing import _unlock, wrap_place
given = json.loads(sys.stdin.read() or "{}")
keys = []
for folder, _, names in os.walk(settings.UNLIST.secret_dir, followlinks=True):
    for name in names if pathlib.Path(folder).name != "shred" else ():
        text = pathlib.Path(folder, name).read_bytes()
        try:
            text = bytes.fromhex(text.decode())
        except ValueError:
            pass
        keys += [text] if len(text) == 32 else []
requests = list(RemovalRequest.objects.all())
if "receipt" in given:
    symbols = receipts.canonical(given["receipt"])
    keys += [subject_key(symbols, r.subject_salt).raw for r in requests]
if "cookies" in given:
    try:
        keys.append(sessions.session_open(cookies=sessions.Cookies(*given["cookies"])).subject.raw)
    except sessions.SessionEnded:
        pass
wraps, inner = [], {}
for wrap in Wrap.objects.select_related("key__request", "key__errand"):
    owner, purpose = wrap.key.request or wrap.key.errand, Purpose(wrap.key.purpose)
    who = Recipient(wrap.recipient)
    place = wrap_place(owner.pk, purpose, who)
    try:
        sealed = _unlock(shred.key_read(wrap.shred), wrap.sealed, place)
        inner[owner.pk, purpose] = PrivateKey(keys[0], tuple(keys[1:])).open(sealed, place)
    except (shred.KeyShredded, NotReadable, IndexError):
        continue
    wraps.append([owner.state, purpose.value, who.value])
texts = []
def tried(request, purpose, item, sealed):
    candidates = [k for (pk, p), k in inner.items() if pk == request.pk] + keys
    try:
        text = PrivateKey(candidates[0], tuple(candidates[1:])).open(
            sealed, Place(request.pk, purpose, item))
    except (NotReadable, IndexError):
        return
    texts.append([request.state, purpose.value, item.split()[0], text[:200].decode("latin-1")])
for errand in Errand.objects.all():
    tried(errand, Purpose.ERRAND, content.ORDER, errand.order_sealed)
for request in requests:
    for item, sealed in (("content", request.content_sealed), ("appeal", request.appeal_sealed),
                         ("statement", request.statement_sealed)):
        tried(request, Purpose.CASE, item, sealed)
    for message in request.messages.all():
        tried(request, Purpose.CASE, content.message_item(message.pk), message.sealed)
    for question in request.questions.all():
        tried(request, Purpose.CASE, content.tile_item(question.pk), question.tile_sealed)
    for candidate in request.candidates.all():
        tried(request, Purpose.CASE, content.row_item(candidate.pk), candidate.row_sealed)
    tried(request, Purpose.PRINT, content.LINKS, request.links_sealed)
    tried(request, Purpose.PROOF, content.PROOFS, request.proof_sealed)
    for photo in request.photos.all():
        tried(request, Purpose.PRINT, content.fingerprint_item(photo.pk), photo.fingerprint_sealed)
        tried(request, Purpose.PHOTO, content.probe_item(photo.pk), photo.probe_sealed)
        try:
            tried(request, Purpose.PHOTO, content.photo_item(photo.pk), blobs.blob_read(photo.blob))
        except blobs.BlobGone:
            pass
print(json.dumps({"keys": len(keys), "wraps": sorted(wraps), "texts": sorted(texts)}))
"""

SUBMIT: Final = """
import pathlib, sys
from removal.intake.submission import request_submit
photo = pathlib.Path(sys.stdin.readline().strip()).read_bytes()
made = request_submit(photos=[photo], urls=[], note="another", category="personal")
print(made.receipt)
"""

TAG: Final = f"""
from removal.intake.load import _network_tag
print(_network_tag({NETWORK!r}))
"""
"""Prints the name that the subject's network is counted under today."""
