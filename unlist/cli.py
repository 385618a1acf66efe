"""The ``unlist`` command: pull, apply, check, verify-proof.

Exit codes are part of the contract: 0 done (or: none listed), 10 some listed, 1 the dataset cannot
be cleaned, 2 wrong usage or a proof that does not hold, 3 no usable list.  Anything but 0 means: do
not use the data.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from tqdm import tqdm

from unlist.apply import Report, apply
from unlist.blocklist import Blocklist
from unlist.cache import ListCache, default_cache
from unlist.client import pull
from unlist.files import Advance
from unlist.formats.refused import DatasetRefused
from unlist.keys import Kind
from unlist.manifest import manifest_load
from unlist.proof import ProofInvalid, ProvenEntry, proof_verify
from unlist.refusals import ListUnavailable
from unlist.version import __version__

CANNOT: Final = 1
INVALID: Final = 2
NO_LIST: Final = 3
LISTED: Final = 10

_list_option = click.option(
    "--list", "list_name", default="public", show_default=True, help="Which list."
)
_cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where pulled lists are kept.  [default: ~/.cache/unlist]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unlist")
def main() -> None:
    """Keep rows that asked to go out of your copy of an image-text dataset.

    Pull a signed removal list, apply it, and check what you hold against it.
    """


@main.command("pull")
@click.argument("url")
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The TUF root file to trust, got from the publisher by a way that you trust.",
)
@_list_option
@_cache_option
def pull_command(url: str, root: Path, list_name: str, cache: Path | None) -> None:
    """Fetch and verify the current release of a list.

    URL is the site that publishes the list, or a folder that holds a copy of its files.  A list
    that is expired, older than the one already here, or not signed as the root file demands is
    refused (exit 3), and what is here stays as it was.
    """
    try:
        pulled = pull(url, root, list_name=list_name, cache=cache or default_cache())
    except ListUnavailable as error:
        _refuse(NO_LIST, error)
    except OSError as error:
        _refuse(NO_LIST, _cache_unusable(error))
    news = "new" if pulled.changed else "unchanged"
    click.echo(
        f"{pulled.list}: release {pulled.release} ({news}), {pulled.entries:,} entries, "
        f"made {pulled.created_on} ({_days(pulled.age_days)}), "
        f"good until {pulled.fresh_until:%Y-%m-%d %H:%M} UTC"
    )


@main.command("apply")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="A new folder for the result.")
@click.option("--in-place", is_flag=True, help="Change the dataset itself, shard by shard.")
@click.option(
    "--format", "form", help="img2dataset, laion or images; told from the files unless given."
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a JSON report."
)
@click.option("--release", type=int, help="Insist on this release being the one pulled.")
@_list_option
@_cache_option
def apply_command(  # noqa: PLR0917  # click passes every option by its name
    dataset: Path,
    out: Path | None,
    in_place: bool,
    form: str | None,
    report: Path | None,
    release: int | None,
    list_name: str,
    cache: Path | None,
) -> None:
    """Drop every listed row from all files of DATASET that carry it.

    A run that was interrupted is continued by the same command.
    """
    if in_place == (out is not None):
        raise click.UsageError("Give either --out DIR or --in-place.")
    if report is not None and not report.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {report.parent}.", param_hint="--report")
    blocklist = _opened(cache, list_name, release)
    try:
        made = apply(dataset, blocklist, out=out, format=form, report=report, stage=_bar)
    except DatasetRefused as error:
        _refuse(CANNOT, error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _refuse(
            CANNOT, f"{where}{error.strerror}. What is written is sound; run the command again."
        )
    click.echo(_summary(made))


@main.command("check")
@click.option("--url", "urls", multiple=True, help="An address, exactly as the dataset stores it.")
@click.option(
    "--sha256", "sha256s", multiple=True, help="A SHA-256 in hex, as the dataset records it."
)
@click.option("--md5", "md5s", multiple=True, help="An MD5 in hex, as the dataset records it.")
@_list_option
@_cache_option
def check_command(
    urls: tuple[str, ...],
    sha256s: tuple[str, ...],
    md5s: tuple[str, ...],
    list_name: str,
    cache: Path | None,
) -> None:
    """Say which of the given addresses and digests are listed.

    Exit 0: none.  Exit 10: those printed.  Exit 3: cannot tell.
    """
    asked: list[tuple[Kind, str]] = [("url", url) for url in urls]
    asked += [("sha256", _hex(value, 64, "--sha256")) for value in sha256s]
    asked += [("md5", _hex(value, 32, "--md5")) for value in md5s]
    if not asked:
        raise click.UsageError("Give at least one --url, --sha256 or --md5.")
    blocklist = _opened(cache, list_name, None)
    listed = [(kind, value) for kind, value in asked if blocklist.lists(kind, value)]
    for kind, value in listed:
        click.echo(f"listed: {kind} {value}")
    if listed:
        sys.exit(LISTED)
    click.echo(
        f"none listed in release {blocklist.release} of {list_name} ({_days(blocklist.age_days)})"
    )


@main.command("verify-proof")
@click.argument("proof", type=click.File("rb"))
@_cache_option
def verify_proof_command(proof: Any, cache: Path | None) -> None:
    """Check a proof that a release lists an entry, without the service.

    Exit 0: it holds; prints the release and its day.  Exit 2: it does not; says why.  Where that
    very release is in the cache, the proof is also compared with its signed manifest.  A file with
    several proofs, as the service hands them out, holds if each of them does.
    """
    try:
        proven = [_checked(one, cache or default_cache()) for one in _proofs(json.load(proof))]
    except ProofInvalid as error:
        _refuse(INVALID, error)
    except ValueError as error:
        _refuse(INVALID, f"This is not a proof, for it is not JSON ({error}).")
    except RecursionError:
        _refuse(INVALID, "This is not a proof: it is nested deeper than any proof is.")
    for entry, signed in proven:
        _proven(entry, signed)


def _checked(content: Any, cache: Path) -> tuple[ProvenEntry, bool]:
    entry = proof_verify(content)
    return entry, _compared(content["manifest"], entry, cache)


def _proofs(content: Any) -> list[Any]:
    """Return the proofs of a file: of one, or of a service's answer with all of a request's.

    Raises:
        ProofInvalid: it is such an answer, and there is none in it.
    """
    if not isinstance(content, dict) or not isinstance(content.get("proofs"), list):
        return [content]
    if not content["proofs"]:
        raise ProofInvalid("There is no proof in this file.")
    return list(content["proofs"])


def _proven(entry: ProvenEntry, signed: bool) -> None:
    click.echo(
        f"The proof holds: release {entry.release} of {entry.list}, made {entry.created_on}, "
        f"lists this {entry.kind} key ({entry.value.hex()})."
    )
    click.echo(
        "Its manifest is the signed one in the cache."
        if signed
        else "Whether its manifest is the publisher's follows from pulling that release."
    )


def _compared(manifest: Any, entry: ProvenEntry, cache: Path) -> bool:
    """Whether the signed manifest of that release is at hand and is the proof's.

    Raises:
        ProofInvalid: it is at hand and says something else.
    """
    try:
        cached = ListCache(cache, entry.list).open()
    except ListUnavailable:
        return False
    if cached.manifest.release != entry.release:
        return False
    if manifest_load(manifest) != cached.manifest:
        raise ProofInvalid(
            f"The proof's manifest is not that of release {entry.release} as it was signed."
        )
    return True


def _opened(cache: Path | None, list_name: str, release: int | None) -> Blocklist:
    try:
        return Blocklist.open(cache, list_name=list_name, release=release)
    except ListUnavailable as error:
        _refuse(NO_LIST, error)
    except OSError as error:
        _refuse(NO_LIST, _cache_unusable(error))


def _cache_unusable(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"The cache cannot be used ({where}{error.strerror or error}). "
        "Give this user the right to its folder, make room, or choose another with --cache."
    )


def _refuse(code: int, sentence: object) -> NoReturn:
    click.echo(f"unlist: {sentence}", err=True)
    sys.exit(code)


def _hex(value: str, digits: int, option: str) -> str:
    try:
        whole = len(bytes.fromhex(value)) * 2 == digits
    except ValueError:
        whole = False
    if not whole or value != value.strip():
        raise click.BadParameter(f"{value!r} is not {digits} hex digits.", param_hint=option)
    return value


def _days(days: int) -> str:
    return "today" if days <= 0 else "1 day ago" if days == 1 else f"{days} days ago"


def _summary(made: Report) -> str:
    changed = sum(1 for shard in made.shards if shard.rows_removed)
    return (
        f"release {made.release} of {made.list} applied: {made.rows_in:,} rows in, "
        f"{made.rows_removed:,} removed, {made.rows_out:,} left; "
        f"{changed:,} of {len(made.shards):,} shards changed"
    )


@contextmanager
def _bar(label: str, total: int) -> Iterator[Advance]:
    """A progress bar on standard error, in bytes."""
    with tqdm(total=total, desc=label, unit="B", unit_scale=True, file=sys.stderr) as bar:
        yield bar.update
