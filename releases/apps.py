"""The app's start: hear approvals, register the checks that `doctor` runs."""

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    """Releases of the removal lists."""

    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        """Connect the ledger to approvals and register the system checks."""
        from releases import checks, ledger  # noqa: F401, PLC0415 - models must be loaded first

        ledger.connect()
