"""Bodies of the release API as they really look, for the OpenAPI file.

They are one small release and a proof of it that `unlist verify-proof` accepts; a test says so.
"""

from typing import Any, Final

_ROOT: Final = "8380aa6ef88ae4ed9f9ad1e1e61595cbc97cc3986dbf587d366e778055c5bf93"
_KEYSET: Final = "b1e715bba61f07c0b063a20f98873d16aab9d8822c71190582edf4bfb828461c"
_MANIFEST_SHA256: Final = "8c9686d84b1d5376f415a389cb542c1aea7c434731c24cea928cedc116a9a6b5"
_KEY_FILES: Final[dict[str, dict[str, Any]]] = {
    "keys-sha256.parquet": {
        "rows": 1,
        "bytes": 262,
        "sha256": "aa2375e224bd851d664765d58be8de0c2807140e799f281ebb6886bf1dc43704",
    },
    "keys-url.parquet": {
        "rows": 2,
        "bytes": 278,
        "sha256": "1fdfdc608cc183681d85c041be0c4418cd20a2756584f30f7ce7b0f98a88950f",
    },
}
_PUBLISHED: Final[dict[str, dict[str, Any]]] = {
    **_KEY_FILES,
    "manifest.json": {"bytes": 1250, "sha256": _MANIFEST_SHA256},
}

RELEASE: Final[dict[str, Any]] = {
    "list": "public",
    "release": 7,
    "created_on": "2026-11-30",
    "published_on": "2026-11-30",
    "entries": 3,
    "added": 2,
    "withdrawn": 0,
    "manifest_sha256": _MANIFEST_SHA256,
    "keyset_sha256": _KEYSET,
    "tree_root": _ROOT,
}
LATEST: Final[dict[str, Any]] = {
    **RELEASE,
    "fresh_until": "2026-12-02T06:00:00+00:00",
    "files": [
        {
            "name": name,
            "target": f"lists/public/7/{name}",
            "path": f"/targets/lists/public/7/{file['sha256']}.{name}",
            "bytes": file["bytes"],
            "sha256": file["sha256"],
        }
        for name, file in _PUBLISHED.items()
    ],
}
MANIFEST: Final[dict[str, Any]] = {
    "format": "unlist-release/1",
    "list": "public",
    "release": 7,
    "created_on": "2026-11-30",
    "valid_until": "2026-12-30",
    "previous_manifest_sha256": "ad82872935acffa0b00ce14648a0c9f851d4f4c0d1fd63cf54f725e06abb6fa2",
    "audit_head": "b81f37a043a6f767e7c94d105f4bd31282f3ecc20680bb9d09bd93461cf4c863",
    "datasets": [{"name": "laion-sample", "revision": "2022-03", "rows": 2000000}],
    "files": [
        {
            "path": name,
            "kind": name.removeprefix("keys-").removesuffix(".parquet"),
            "tier": "exact",
            "bits": None,
            **file,
        }
        for name, file in _KEY_FILES.items()
    ],
    "keyset_sha256": _KEYSET,
    "tree": {"alg": "rfc6962-sha256", "size": 3, "root": _ROOT},
    "counts": {"entries": 3, "added": 2, "withdrawn": 0},
    "collateral": None,
    "deltas": [],
}
PROOF: Final[dict[str, Any]] = {
    "format": "unlist-proof/1",
    "manifest": MANIFEST,
    "kind": "url",
    "value": "bb1885eddf74963b630de4bef73b2057",
    "leaf_index": 2,
    "path": ["36f865116106bf90904887b8b76ebf049a70b1e2ad9f6d26408a97daaa0b2e0c"],
    "log": None,
}
"""That the row of https://pictures.example.org/portrait.jpg is in the release."""
NO_RELEASE: Final[dict[str, Any]] = {
    "type": "urn:unlist:problem:no_release",
    "title": "Not Found",
    "status": 404,
    "detail": "The list 'public' has no release yet.",
    "code": "no_release",
}
NOT_RELEASED: Final[dict[str, Any]] = {
    "type": "urn:unlist:problem:not_released",
    "title": "Conflict",
    "status": 409,
    "detail": (
        "Your picture is on no removal list yet. The proof is here as soon as your request "
        "says that it is."
    ),
    "code": "not_released",
}
