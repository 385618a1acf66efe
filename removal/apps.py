"""The removal app."""

from django.apps import AppConfig


class RemovalConfig(AppConfig):
    """Registers the app's system checks and receivers when Django is ready."""

    name = "removal"
    verbose_name = "Removal requests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks and receivers, which register themselves; say who does which errand."""
        from removal import checks  # noqa: F401, PLC0415  # needs the app registry
        from removal.life import spreading, sweep_listing  # noqa: F401, PLC0415
        from removal.models import ErrandKind  # noqa: PLC0415
        from removal.search import covering  # noqa: F401, PLC0415
        from removal.search.duplicates import DuplicatesWork  # noqa: PLC0415
        from removal.search.errands import work_register  # noqa: PLC0415
        from removal.search.sweeps import SweepsWork  # noqa: PLC0415

        work_register(ErrandKind.DUPLICATES, DuplicatesWork())
        work_register(ErrandKind.SWEEP, SweepsWork())
