"""The app's start: hear approvals, cases that end and withdrawals; register checks and panels."""

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    """Releases of the removal lists."""

    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        """Connect ledger, proofs and withdrawals to what removal tells, and register the rest."""
        from releases import (  # noqa: PLC0415 - models must be loaded first
            checks,  # noqa: F401
            checks_proofs,  # noqa: F401
            ledger,
            panel,
            proofs,
            unlisting,
        )

        ledger.connect()
        proofs.connect()
        panel.register()
        unlisting.register()
