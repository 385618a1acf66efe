"""The app's start: hear approvals and cases that end, register the checks that `doctor` runs."""

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    """Releases of the removal lists."""

    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        """Connect ledger and proofs to what removal tells, and register the system checks."""
        from releases import (  # noqa: PLC0415 - models must be loaded first
            checks,  # noqa: F401
            checks_proofs,  # noqa: F401
            ledger,
            panel,
            proofs,
        )

        ledger.connect()
        proofs.connect()
        panel.register()
