"""The list of sweeps, and the form that starts one; what it starts from is `life.sweeping`'s."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from catalog.selectors import datasets_covered, groups_ready
from indexer.decode import FORMATS, DecoderUnavailable
from indexer.encoder.known import reads_text
from removal import permissions
from removal.custody.secrets import SecretUnavailable
from removal.custody.sweeps import Start, SweepAsked
from removal.desk.access import allowed
from removal.desk.dashboard import Panel, panel_register
from removal.desk.pictures import BUSY
from removal.desk.sweep_words import start_words, state_words
from removal.intake.uploads import PhotoUpload, UploadRefused, photos_accepted
from removal.life.sweep_ends import DAYS_KEPT
from removal.life.sweeping import (
    PER_DAY_MOST,
    ROWS_MOST,
    TEXT_MAX,
    SweepInvalid,
    sweep_start,
)
from removal.models import Errand, ProposalState
from removal.selectors import RequestGone
from removal.selectors.sweeps import sweeps_counted, sweeps_listed
from removal.tasks import errand_hint

SWEEPS: Final = "admin:removal_sweeps"
SWEEP: Final = "admin:removal_sweep"
_STARTS: Final[tuple[Start, ...]] = ("text", "upload", "row")
_USUAL: Final = 100

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class SweepForm:
    """The form that starts a sweep, as it was sent."""

    start: str = ""
    text: str = ""
    datasets: frozenset[str] = frozenset()
    most: str = str(_USUAL)
    least: str = ""
    row: str = ""

    @classmethod
    def read(cls, data: QueryDict) -> "SweepForm":
        """Take the fields from what was sent."""
        return cls(
            start=data.get("start", ""),
            text=data.get("text", ""),
            datasets=frozenset(data.getlist("datasets")),
            most=data.get("most", str(_USUAL)).strip(),
            least=data.get("least", "").strip(),
            row=data.get("row", ""),
        )

    def asked(self) -> SweepAsked:
        """Return what is asked for.

        Raises:
            SweepInvalid: a field holds something else than it is for.
        """
        start = next((one for one in _STARTS if one == self.start), None)
        if start is None:
            raise SweepInvalid("Choose what the sweep starts from.")
        if not re.fullmatch(r"[0-9]{1,9}", self.most):
            raise SweepInvalid(f"Ask for 1 to {ROWS_MOST} rows.")
        try:
            least = float(self.least.replace(",", ".") or "0")
        except ValueError:
            raise SweepInvalid("Give the least similarity as a number from 0 to 1.") from None
        return SweepAsked(start, self.text, tuple(sorted(self.datasets)), int(self.most), least)

    def candidate_id(self) -> uuid.UUID | None:
        """Return the row of a request to start from, if one is named."""
        try:
            return uuid.UUID(self.row)
        except ValueError:
            return None


def keyed(view: View) -> View:
    """Let a view tell a process without the reviewers' key what it lacks, on a page of ours."""

    @wraps(view)
    def told(request: HttpRequest, *, site: AdminSite, **names: Any) -> HttpResponse:
        try:
            return view(request, site=site, **names)
        except SecretUnavailable as missing:
            return _page(request, site, SweepForm(), fault=str(missing), status=503)

    return told


@csrf_exempt  # and checked within: the check reads the body, which must find our hands open
@require_http_methods(["GET", "HEAD", "POST"])
def sweeps(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Show the sweeps and the form; start one."""
    reads = () if request.method == "POST" else (permissions.SEE,)
    allowed(request, permissions.REVIEW, *reads)
    if request.method != "POST":
        return _shown(request, site)
    try:
        with photos_accepted(request) as upload:
            return csrf_protect(_started)(request, site, upload)
    except UploadRefused as refusal:
        return _page(request, site, SweepForm(), fault=str(refusal), status=refusal.status)


def _shown(request: HttpRequest, site: AdminSite) -> HttpResponse:
    row = request.GET.get("row", "")
    return _page(request, site, SweepForm(start="row" if row else "", row=row))


def _started(request: HttpRequest, site: AdminSite, upload: PhotoUpload) -> HttpResponse:
    form = SweepForm.read(request.POST)
    try:
        errand = _start(request, form, upload)
    except SweepInvalid as invalid:
        return _page(request, site, form, fault=str(invalid), status=400)
    except UploadRefused as refusal:
        return _page(request, site, form, fault=refusal.sentence, status=refusal.status)
    except DecoderUnavailable:
        return _page(request, site, form, fault=BUSY, status=503)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    errand_hint(errand.pk)
    messages.success(request, "Started. Workers look for the rows; load the page again to see.")
    return redirect(SWEEP, errand.pk)


def _start(request: HttpRequest, form: SweepForm, upload: PhotoUpload) -> Errand:
    pictures = upload.photos()
    if len(pictures) > 1:
        raise SweepInvalid("Bring one picture to start from.")
    return sweep_start(
        reviewer=allowed(request, permissions.REVIEW),
        asked=form.asked(),
        example=next(iter(pictures), b""),
        candidate_id=form.candidate_id(),
    )


def _page(
    request: HttpRequest, site: AdminSite, form: SweepForm, *, fault: str = "", status: int = 200
) -> HttpResponse:
    reviews = allowed(request, permissions.REVIEW, permissions.SEE).has_perm(permissions.REVIEW)
    lines = sweeps_listed()
    context = {
        **site.each_context(request),
        "title": "Sweeps",
        "lines": [(line, state_words(line)) for line in lines],
        "waiting": [line for line in lines if line.proposal == ProposalState.WAITING],
        "form": form,
        "fault": fault,
        "starts": [(one, start_words(one)) for one in _STARTS if one != "row" or form.row],
        "datasets": _datasets(form),
        "text_max": TEXT_MAX,
        "rows_most": ROWS_MOST,
        "day_most": PER_DAY_MOST,
        "days_kept": DAYS_KEPT,
        "accept": ",".join(f"image/{name.lower()}" for name in FORMATS),
        "reviews": reviews,
    }
    response = TemplateResponse(request, "unlist_admin/sweeps.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _datasets(form: SweepForm) -> list[dict[str, Any]]:
    """Return the datasets that can be searched: whether ticked, and whether by words."""
    encoders: dict[str, set[str]] = {}
    for group in groups_ready().order_by("dataset__name"):
        encoders.setdefault(group.dataset.name, set()).add(group.encoder_name)
    rows = {one.name: (one.title, one.rows_indexed) for one in datasets_covered()}
    return [
        {
            "name": name,
            "title": rows[name][0],
            "rows": rows[name][1],
            "ticked": name in form.datasets or len(encoders) == 1,
            "deaf": [one for one in sorted(used) if not reads_text(one)],
        }
        for name, used in encoders.items()
    ]


def _panel() -> Panel:
    counts = sweeps_counted()
    facts = [
        ("Being searched", f"{counts.searching:,}"),
        ("To look at", f"{counts.to_look_at:,}"),
        ("Waiting for a second person", f"{counts.second:,}"),
    ]
    note = "Rows of a kind, found by an example or by words, to be listed as a class."
    return Panel("Sweeps", facts=facts, note=note, link=(SWEEPS, "Open the sweeps"))


panel_register("sweeps", _panel, rights=(permissions.SEE, permissions.REVIEW))
