"""The audit log in the admin: filter it, take it away as CSV or JSON lines, verify its chain.

It is read page by page by entry numbers, so that a million entries cost no more than a hundred.
The history of one request is asked for by POST: neither its id nor its tag stands in an address.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from catalog.readonly import ReadOnly
from removal import audit
from removal.audit import START, AuditBroken, AuditHead, audit_check, audit_head
from removal.desk import words
from removal.models import AuditEntry, today
from removal.permissions import AUDIT, AUDIT_EXPORT
from removal.selectors.auditlog import (
    ANY_STAFF,
    HistoryGone,
    LogFilter,
    entries_facts,
    log_entries,
    log_page,
    staff_names,
)

if TYPE_CHECKING:  # generic in the stubs alone
    EntryAdmin = admin.ModelAdmin[AuditEntry]
else:
    EntryAdmin = admin.ModelAdmin

PAGE: Final = 100
HISTORY: Final = 1000
"""How many entries of one request are shown; no request lives to have more."""
CHECKED_AT_ONCE: Final = 20_000
"""How many entries one press of the button checks: about a second."""
_SIGNER: Final = Signer(salt="removal.desk.auditlog")
_COLUMNS: Final = (
    "seq", "day", "at", "actor", "act", "subject", "detail", "previous", "digest",
)  # fmt: skip

OWN_ACTS: Final = {
    "erased": "A request was erased, at the person's wish",
    "purged": "What was left of a request was destroyed",
    "signed_in": "Signed in",
    "signed_out": "Signed out",
    "staff_locked": "An account locked itself after wrong tries",
    "staff_unlocked": "An account was unlocked",
    "password_changed": "Changed their own password",
    "second_factor_set_up": "Set up their second factor",
    "second_factor_moved": "Moved their second factor to another app",
    "second_factor_reset": "The second factor of an account was reset",
    "recovery_codes_made": "Made new recovery codes",
    "recovery_code_used": "Used up a recovery code",
    "account_added": "An account of the staff was made",
    "account_changed": "An account of the staff was changed",
    "unlisted": "Entries were taken off the list",
    "sweep_started": "A sweep was started",
    "sweep_opened": "A sweep was opened",
    "sweep_searched": "A sweep found its rows",
    "sweep_listed": "Rows of a sweep were listed",
    "sweep_dismissed": "A sweep was dismissed",
    "sweep_days_over": "A sweep ended as its days were over",
    "errand_given_up": "Work that no worker could do was given up",
    "audit_exported": "The audit log was exported",
    "audit_verified": "The audit log was verified",
}


def act_words() -> dict[str, str]:
    """Return every act in words, in the order of the words."""
    return dict(sorted({**words.ACT_WORDS, **OWN_ACTS}.items(), key=lambda item: item[1]))


ACTORS: Final = (
    ("", "Anybody"),
    (audit.SUBJECT, "The person who asked"),
    (ANY_STAFF, "Any of the staff"),
    (audit.OPERATOR, "Whoever runs commands"),
    (audit.WORKER, "A worker"),
    (audit.RELEASE, "The release role"),
    (audit.RETENTION, "Retention, by its clock"),
    (audit.RULE, "A rule, without a person"),
)


class FilterForm(forms.Form):
    """What to show of the log."""

    act = forms.ChoiceField(label="What", required=False)
    actor = forms.ChoiceField(label="Who", required=False)
    first = forms.DateField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    last = forms.DateField(
        label="To", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    request = forms.UUIDField(label="Request", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        act, actor = self.fields["act"], self.fields["actor"]
        act.choices = [("", "Anything"), *act_words().items()]  # type: ignore[attr-defined]
        actor.choices = [*ACTORS, *staff_names().items()]  # type: ignore[attr-defined]

    def chosen(self) -> LogFilter:
        """Return the filter."""
        given = self.cleaned_data
        return LogFilter(
            act=given["act"],
            actor=given["actor"],
            first=given["first"],
            last=given["last"],
            request=given["request"],
        )


class AuditEntryAdmin(ReadOnly, EntryAdmin):
    """The audit log, newest first; nobody can change it."""

    def get_urls(self) -> list[URLPattern]:
        """Replace Django's pages: entries have no page of their own."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="removal_auditentry_changelist"),
            path("export/", wrap(self.export_view), name="removal_auditentry_export"),
            path("verify/", wrap(self.verify_view), name="removal_auditentry_verify"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a page of the log; by POST, the history of one request."""
        del extra_context
        _allowed(request, AUDIT)
        if request.method == "POST":
            return self._page(request, FilterForm(request.POST), "")
        given = {name: value for name, value in request.GET.items() if name != "request"}
        return self._page(request, FilterForm(given), request.GET.get("before", ""))

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Give away what the filter lets through, as CSV or as JSON lines; it is noted first."""
        _allowed(request, AUDIT_EXPORT)
        return require_http_methods(["POST"])(self._exported)(request)

    def _exported(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        form, kind = FilterForm(request.POST), request.POST.get("format", "")
        if not form.is_valid() or kind not in _WRITERS:
            return self._page(request, form, "", status=400)
        try:
            count, upto = _export_noted(request, form.chosen(), kind)
        except HistoryGone as gone:
            return self._page(request, form, "", fault=str(gone), status=404)
        facts = entries_facts(form.chosen(), upto=upto)
        content_type, write = _WRITERS[kind]
        answer = StreamingHttpResponse(write(facts), content_type=content_type)
        name = f"audit-{today().isoformat()}-{count}-entries.{kind}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Check the chain, a part at a time, and show the head or the first broken entry."""
        _allowed(request, AUDIT_EXPORT)
        return require_http_methods(["POST"])(self._verified)(request)

    def _verified(self, request: HttpRequest) -> HttpResponse:
        context: dict[str, Any] = {}
        try:
            check = audit_check(after=_resume(request), most=CHECKED_AT_ONCE)
        except BadSignature:
            raise PermissionDenied from None
        except AuditBroken as broken:
            context["broken"] = str(broken)
            _noted(request, "audit_verified", {"broken": broken.seq})
        else:
            context["check"] = check
            context["resume"] = _SIGNER.sign(f"{check.reached.seq}:{check.reached.digest}")
            if check.whole:
                _noted(request, "audit_verified", {"entries": check.head.seq, "broken": None})
        return self._answer(request, "unlist_admin/audit_verified.html", context)

    def _page(
        self,
        request: HttpRequest,
        form: FilterForm,
        before: str,
        *,
        fault: str = "",
        status: int = 200,
    ) -> HttpResponse:
        entries: list[AuditEntry] = []
        older = False
        if not fault and form.is_valid():
            try:
                start = int(before) if before.isdecimal() and len(before) < 19 else None
                which = form.chosen()
                most = HISTORY if which.request else PAGE
                entries, older = log_page(which, before=start, most=most)
            except HistoryGone as gone:
                fault, status = str(gone), 404
        context = {
            "form": form,
            "fault": fault,
            "entries": _told(entries),
            "older": _older_address(form, entries) if older else "",
            "head": audit_head(),
            "may_export": request.user.has_perm(AUDIT_EXPORT),
        }
        return self._answer(request, "unlist_admin/auditlog.html", context, status)

    def _answer(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        shown = {**self.admin_site.each_context(request), "title": "Audit log", **context}
        return TemplateResponse(request, template, shown, status=status)


def _allowed(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _told(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Return entries as the page shows them."""
    names, acts = staff_names(), act_words()
    return [
        {
            "entry": entry,
            "act": acts.get(entry.act, entry.act),
            "name": names.get(entry.actor, ""),
        }
        for entry in entries
    ]


def _older_address(form: FilterForm, entries: list[AuditEntry]) -> str:
    """Return where the page goes on; a request's history is one page and needs none."""
    kept = {
        name: form.data[name] for name in ("act", "actor", "first", "last") if form.data.get(name)
    }
    return "?" + urlencode({**kept, "before": entries[-1].seq})


def _resume(request: HttpRequest) -> AuditHead:
    """Return where the last press of the button came to, which nobody else can claim."""
    token = request.POST.get("resume", "")
    if not token:
        return START
    seq, _, digest = _SIGNER.unsign(token).partition(":")
    return AuditHead(int(seq), digest)


def _noted(request: HttpRequest, act: str, detail: dict[str, Any]) -> None:
    with transaction.atomic():
        audit.audit_append(act=act, actor=audit.staff(request.user.pk or 0), detail=detail)


def _export_noted(request: HttpRequest, which: LogFilter, kind: str) -> tuple[int, int]:
    """Note an export before its first byte; return how many entries it has and the last number."""
    upto = audit_head().seq
    count = log_entries(which).filter(seq__lte=upto).count()
    detail = {"format": kind, "entries": count, "one_request": which.request is not None}
    _noted(request, "audit_exported", detail)
    return count, upto


def _csv(facts: Iterable[dict[str, Any]]) -> Iterator[str]:
    writer = csv.DictWriter(_Echo(), _COLUMNS, lineterminator="\r\n")
    yield str(writer.writeheader())
    for entry in facts:
        detail = json.dumps(entry["detail"], sort_keys=True)
        yield str(writer.writerow({**entry, "detail": detail}))


def _jsonl(facts: Iterable[dict[str, Any]]) -> Iterator[str]:
    for entry in facts:
        yield json.dumps(entry, sort_keys=True) + "\n"


class _Echo:
    """A file that hands each line straight back."""

    def write(self, line: str) -> str:
        return line


_WRITERS: Final = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "jsonl": ("application/jsonl", _jsonl),
}
