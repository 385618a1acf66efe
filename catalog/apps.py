"""The catalog as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Datasets, their index groups, and the checks that ``doctor`` runs."""

    name = "catalog"
    verbose_name = "Catalog"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("catalog.checks")
