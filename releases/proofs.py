"""Proofs of removal: made on the subject's demand, from the files that everybody can get.

A proof names a release and the key of a row in it, never the row, so that it can be shown to
others without showing what the row was. Only `exact` and `copy` rows have one.
"""

from typing import Any

from releases import places
from releases.ledger import row_keys_of
from releases.models import Release
from releases.selectors import NotReleased, release_manifest
from removal.selectors import OpenedRequest, approved_rows
from unlist.keyfile import keyfile_read
from unlist.proof import ReleaseTree


def proofs_of(*, opened: OpenedRequest) -> list[dict[str, Any]]:
    """Return a proof for each key of the subject's approved rows, in order of kind and key.

    Each names the first release that carried the request's rows, the one that its status names.

    Raises:
        NotReleased: no release carries the request's rows yet.
    """
    opened.request.refresh_from_db()
    numbers = opened.request.released_in
    if not numbers:
        raise NotReleased(
            "Your rows are in no release yet. The proof is here once your status says released."
        )
    release = Release.objects.get(list_name=places.PUBLIC_LIST, number=min(numbers))
    wanted = {pair for row in approved_rows(opened=opened) for pair in row_keys_of(row).items()}
    if not wanted:
        return []
    tree = _tree_of(release)
    return [tree.proof(kind, key) for kind, key in sorted(wanted)]


def _tree_of(release: Release) -> ReleaseTree:
    manifest = release_manifest(release)
    folder = places.release_dir(release.list_name, release.number)
    keys = {file.kind: keyfile_read(folder / file.path) for file in manifest.files}
    return ReleaseTree(manifest, keys)
