"""The shapes of this app's API bodies, as the OpenAPI file shows them."""

from rest_framework import serializers

from removal.api.serializers import Shape


class ReleaseFacts(Shape):
    """One published release. Digests are lower-case hex."""

    list = serializers.CharField()
    release = serializers.IntegerField(min_value=1)
    created_on = serializers.DateField()
    published_on = serializers.DateField()
    entries = serializers.IntegerField(help_text="Keys that the release holds.")
    added = serializers.IntegerField(help_text="Keys that the release before did not hold.")
    withdrawn = serializers.IntegerField(help_text="Keys of the release before that are gone.")
    manifest_sha256 = serializers.CharField()
    keyset_sha256 = serializers.CharField()
    tree_root = serializers.CharField()


class Releases(Shape):
    """Every published release, the latest first."""

    releases = ReleaseFacts(many=True)


class ReleaseFile(Shape):
    """A file of a release."""

    name = serializers.CharField()
    target = serializers.CharField(help_text="The name by which TUF signs it.")
    path = serializers.CharField(help_text="Where it lies, from the root of the site.")
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class LatestRelease(ReleaseFacts):
    """The release that clients get now, with its files."""

    fresh_until = serializers.DateTimeField(help_text="Clients refuse the list after this.")
    files = ReleaseFile(many=True)


class ProofDocument(Shape):
    """A proof document, format `unlist-proof/1`; `unlist verify-proof` checks it offline."""

    format = serializers.CharField()
    manifest = serializers.DictField(help_text="The whole manifest of the release.")
    kind = serializers.ChoiceField([(kind, kind) for kind in ("url", "sha256", "md5")])
    value = serializers.CharField(help_text="The row's key in hex.")
    leaf_index = serializers.IntegerField()
    path = serializers.ListField(child=serializers.CharField())
    log = serializers.DictField(allow_null=True)


class Proofs(Shape):
    """One proof for each key of the rows that were removed."""

    proofs = ProofDocument(many=True)
