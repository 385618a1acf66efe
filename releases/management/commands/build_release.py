"""`build_release`: make the next release of a list from all that was approved."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from releases.build import NothingToRelease, release_build, release_plan
from releases.freeze import InputDamaged
from releases.locks import AlreadyRunning
from releases.places import PUBLIC_LIST, ListUnknown, release_dir


class Command(BaseCommand):
    help = (
        "Freeze what was approved and make the next release of a list from it. Nothing is "
        "published yet. With nothing new since the last release it says so and makes none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", default=PUBLIC_LIST, help="the list (default: public)")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what the release would hold, write nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        act = self._say_plan if options["dry_run"] else self._build
        try:
            act(options["list"])
        except NothingToRelease as nothing:
            self.stdout.write(str(nothing))
        except (ListUnknown, AlreadyRunning, InputDamaged) as refusal:
            raise CommandError(str(refusal)) from None

    def _say_plan(self, list_name: str) -> None:
        plan = release_plan(list_name=list_name)
        facts = plan.frozen.ledger
        self.stdout.write(
            f"Release {plan.frozen.release} of the list {list_name!r} would hold "
            f"{facts.rows:,} keys: {facts.added:,} added, {facts.withdrawn:,} withdrawn. "
            f"Requests that wait for it: {plan.waiting:,}. Nothing was written."
        )

    def _build(self, list_name: str) -> None:
        release = release_build(list_name=list_name)
        self.stdout.write(
            f"Built release {release.number} of the list {list_name!r}: {release.entries:,} keys, "
            f"{release.added:,} added, {release.withdrawn:,} withdrawn."
        )
        self.stdout.write(f"  manifest  sha256 {release.manifest_sha256}")
        self.stdout.write(f"  tree root {release.tree_root}")
        self.stdout.write(f"  folder    {release_dir(list_name, release.number)}")
        self.stdout.write("`publish_release` makes it public.")
