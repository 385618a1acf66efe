"""Keep the translations in `locale/` in step with the words in the code; no gettext needed.

    python -m scripts.messages            take new words into the .po files, write the .mo files
    python -m scripts.messages --check    say what is missing, unfit or out of step (`make check`)

The words are found as Django's `makemessages` finds them (its own `templatize` for templates), but
by Babel, which is Python alone. The pages of the staff are in English and left out.
"""

import argparse
import io
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parent.parent
LOCALE: Final = ROOT / "locale"
LOCALES: Final = ("de", "fr", "es", "pt_BR", "ar")

SOURCES: Final = (
    "removal/**/*.py",
    "removal/templates/removal/**/*.html",
    "releases/**/*.py",
    "releases/templates/releases/**/*.html",
)
STAFF: Final = re.compile(r"/(admin\w*|adminsite|desk\w*|management|migrations)(/|\.py)")

_PLURAL: Final = (1, 2)
_CONTEXT: Final = ((1, "c"), 2)
_CONTEXT_PLURAL: Final = ((1, "c"), 2, 3)
KEYWORDS: Final = {
    "_": None,
    **dict.fromkeys(("gettext", "gettext_lazy"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), _PLURAL),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), _CONTEXT),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), _CONTEXT_PLURAL),
}
NAMED: Final = re.compile(r"%\((\w+)\)[sd]|%%|(?<!\{)\{(\w*)\}(?!\})")
TAG: Final = re.compile(r"</?[a-z][^>]*>")
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - as Babel writes it


def words_found(root: Path = ROOT) -> Catalog:
    """Return every message of the public pages and the API, with the files that hold it."""
    found = Catalog(charset="utf-8")
    for path in _sources(root):
        place = path.relative_to(root).as_posix()
        for _line, function, message, _notes in _extracted(path):
            context, text = _parted(function, message)
            found.add(text, locations=[(place, 0)], context=context)
    return found


def _sources(root: Path) -> Iterator[Path]:
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            if not STAFF.search(path.relative_to(root).as_posix()):
                yield path


def _extracted(path: Path) -> Iterator[tuple[int, str, object, list[str]]]:
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".html":  # what is left of the page is words and blanks: no indentation
        source = "\n".join(line.strip() for line in templatize(source).splitlines())
    yield from extract_python(io.BytesIO(source.encode()), KEYWORDS, [], {})  # type: ignore[misc]


def _parted(function: str, message: object) -> tuple[str | None, str | tuple[str, str]]:
    """Return context and text of a call; a text with a plural is a pair."""
    parts = [message] if isinstance(message, str) else [p for p in message if p is not None]  # type: ignore[attr-defined]
    context = parts.pop(0) if function.startswith(("pgettext", "npgettext")) else None
    return context, parts[0] if len(parts) == 1 else (parts[0], parts[1])


def catalog_read(locale: str, folder: Path = LOCALE) -> Catalog:
    """Return a language's catalog as it lies in `locale/`; an empty one for a new language."""
    path = po_path(locale, folder)
    if not path.is_file():
        return Catalog(locale=locale, project="Unlist", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def po_path(locale: str, folder: Path = LOCALE) -> Path:
    """Return where a language's words lie; its `.mo` lies beside."""
    return folder / locale / "LC_MESSAGES" / "django.po"


def catalog_update(catalog: Catalog, found: Catalog) -> None:
    """Take in new messages without a translation, and drop those that no source has any more."""
    catalog.update(found, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.creation_date = catalog.revision_date = _EPOCH  # no difference without a difference
    catalog.project, catalog.version = "Unlist", "1"
    catalog.msgid_bugs_address = catalog.last_translator = catalog.language_team = "Unlist"
    catalog.header_comment = "# Unlist's public pages. New words: python -m scripts.messages"


def catalog_write(catalog: Catalog, locale: str, folder: Path = LOCALE) -> None:
    """Write `.po` and `.mo`."""
    path = po_path(locale, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(po_bytes(catalog))
    path.with_suffix(".mo").write_bytes(mo_bytes(catalog_read(locale, folder)))


def po_bytes(catalog: Catalog) -> bytes:
    """Return a catalog as its `.po` file."""
    out = io.BytesIO()
    write_po(
        out, catalog, width=100, sort_output=True, include_lineno=False, include_previous=False
    )
    return out.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """Return a catalog as its `.mo` file."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def faults(locale: str, found: Catalog, folder: Path = LOCALE) -> list[str]:
    """Return what is wrong with a language, each fault as a sentence; none when all is well."""
    catalog = catalog_read(locale, folder)
    known, used = _keys(catalog), _keys(found)
    told = [f"has no entry for {key[0]!r}" for key in sorted(used - known, key=str)]
    told += [f"has {key[0]!r}, which no source has" for key in sorted(known - used, key=str)]
    for message in catalog:
        if message.id:
            told += [
                f"{fault}: {_first(message.id)!r}" for fault in message_faults(message, catalog)
            ]
    compiled = po_path(locale, folder).with_suffix(".mo")
    if not compiled.is_file() or compiled.read_bytes() != mo_bytes(catalog):
        told.append("has a .mo file that is not made from its .po file")
    return [f"{locale} {fault}" for fault in told]


def message_faults(message: Message, catalog: Catalog) -> list[str]:
    """Return what is wrong with one translation."""
    forms = [message.string] if isinstance(message.string, str) else list(message.string or ())
    sources = [message.id] if isinstance(message.id, str) else list(message.id)
    if message.fuzzy:
        return ["is unsure (fuzzy) about"]
    if not forms or not all(forms) or (message.pluralizable and len(forms) != catalog.num_plurals):
        return ["lacks a translation of"]
    told = []
    if any(not _keeps(form, sources) for form in forms):
        told.append("changes the placeholders or marks of")
    if any(_edges(form) != _edges(sources[-1]) for form in forms):
        told.append("begins or ends otherwise than")
    return told


def _keeps(form: str, sources: Sequence[str]) -> bool:
    """Tell whether a translation has a source's placeholders, and its HTML tags."""
    wanted = [(set(NAMED.findall(s)), sorted(TAG.findall(s))) for s in sources]
    has = (set(NAMED.findall(form)), sorted(TAG.findall(form)))
    # "one" may be written as a word, but nothing may be there that the source lacks.
    fewer = len(sources) > 1 and has[0] <= wanted[-1][0] and has[1] == wanted[-1][1]
    return has in wanted or fewer


def _edges(text: str) -> tuple[bool, bool]:
    return text[:1].isspace(), text[-1:].isspace()


def _keys(catalog: Catalog) -> set[tuple[object, str | None]]:
    return {(_first(message.id), message.context) for message in catalog if message.id}


def _first(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else text[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Update or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.messages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what is wrong")
    check = parser.parse_args(arguments).check
    found = words_found()
    for locale in () if check else LOCALES:
        catalog = catalog_read(locale)
        catalog_update(catalog, found)
        catalog_write(catalog, locale)
    told = [fault for locale in LOCALES for fault in faults(locale, found)]
    print("\n".join(told) or f"{len(found)} messages in {len(LOCALES)} languages, all in step")
    if told:
        print(
            "Run `python -m scripts.messages`, then fill in what is missing in locale/*/*/django.po"
        )
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
