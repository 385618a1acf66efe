"""The wiring as a Django app, so that it can bring commands such as `serve`."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Settings, URLs, Celery and the commands that start the whole."""

    name = "config"
    verbose_name = "Unlist"
