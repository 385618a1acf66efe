"""Celery: the application and the schedule.

Messages carry ids and are hints; the sweep finds whatever was never sent or got lost.
"""

import os

from celery import Celery

from config import workers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("unlist")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
workers.install(app)

app.conf.beat_schedule = {
    "sweep": {"task": "removal.tasks.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "index_sweep": {
        "task": "catalog.tasks.index_sweep",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "retention": {
        "task": "removal.tasks.retention_run",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "proofs_sweep": {
        "task": "releases.tasks.proofs_sweep",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "months_close": {
        "task": "releases.tasks.months_close",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}
