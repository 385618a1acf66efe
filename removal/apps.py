"""The removal app."""

from django.apps import AppConfig


class RemovalConfig(AppConfig):
    """Registers the app's system checks and receivers when Django is ready."""

    name = "removal"
    verbose_name = "Removal requests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks and receivers, which register themselves."""
        from removal import checks  # noqa: F401, PLC0415  # needs the app registry
        from removal.search import covering  # noqa: F401, PLC0415
