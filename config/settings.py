"""Django's settings. Everything an operator can choose comes from `config.environ`."""

from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config.environ import BASE_DIR, environment_read
from config.secret_key import secret_key_read

UNLIST = environment_read()

try:
    SECRET_KEY = secret_key_read(UNLIST.secret_dir / UNLIST.role)
except OSError as error:
    raise ImproperlyConfigured(
        f"UNLIST_SECRET_DIR cannot be used ({error.filename}: {error.strerror}): name a folder "
        "that the user of this process can read and write"
    ) from None
DEBUG = UNLIST.debug
ALLOWED_HOSTS = list(UNLIST.allowed_hosts)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "config.admin.UnlistAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "config",
    "releases",
    "removal",
    "catalog",
]

MIDDLEWARE = [
    "removal.site.headers.HeadersMiddleware",  # first, so that static files get the headers too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "removal.languages.LanguageMiddleware",  # before all that makes or reads an address
    "removal.site.problem_pages.MethodRefusals",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "removal.desk.clock.StaffSessionClock",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database: with SQLite's defaults a third of concurrent writes failed --------------------

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
    ),
}


def _database() -> dict[str, Any]:
    if UNLIST.database_url:
        parsed: dict[str, Any] = dict(
            dj_database_url.parse(UNLIST.database_url, conn_health_checks=True)
        )
    else:
        UNLIST.data_dir.mkdir(parents=True, exist_ok=True)
        parsed = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": UNLIST.data_dir / "db.sqlite3",
        }
    if parsed["ENGINE"].endswith("sqlite3"):
        parsed["OPTIONS"] = SQLITE_OPTIONS
    return parsed


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery: the database is the queue, messages are hints and carry ids only ----------------

CELERY_BROKER_URL = UNLIST.broker_url
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message that cannot be sent now is dropped: the sweep finds the work in the database.
# What has the lowest priority number is taken first, whichever queue it lies in; then by queue, in
# the order that a worker takes from them.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    # A broker that holds its connections open and answers nothing is as good as none. Longer than
    # the second that a worker waits for a message at a time.
    "socket_timeout": 5,
    "max_retries": 1,
    "queue_order_strategy": "priority",
    "priority_steps": [0, 3, 6, 9],
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"catalog.tasks.index_group": {"priority": 9}}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- what may be sent, and how long ----------------------------------------------------------

FILE_UPLOAD_HANDLERS = ["removal.intake.uploads.MemoryOnlyUploadHandler"]  # never a temporary file
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # of the fields that are no files
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
DATA_UPLOAD_MAX_NUMBER_FILES = 40  # the intake says in words that ten is the most

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "removal.api.problems.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Unlist",
    "DESCRIPTION": "Have a photo taken off image-text datasets, without saying who you are.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RequestStateEnum": "removal.models.State.choices",
        "PhotoStateEnum": ["held", "deleted"],
    },
}

# --- security --------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
SECURE_REFERRER_POLICY = "no-referrer"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_HSTS_SECONDS = 31_536_000 if UNLIST.served_over_https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if UNLIST.served_over_https else None
X_FRAME_OPTIONS = "DENY"

# Of the staff; the subject's, set when they open their request, are in removal/site/session.py.
_PREFIX = "__Host-" if UNLIST.served_over_https else ""
SESSION_COOKIE_NAME = f"{_PREFIX}session"
CSRF_COOKIE_NAME = f"{_PREFIX}csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = UNLIST.served_over_https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60  # at most; 30 minutes without use end it: removal/desk/clock.py
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_FAILURE_VIEW = "removal.site.problem_pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = [UNLIST.public_url]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# The second factor of the staff (docs/adr/0019). Wrong codes lock the account (life/locks.py), so
# that the devices' own throttle, which refuses right codes without saying so, stays off.
OTP_TOTP_ISSUER = f"Unlist {urlsplit(UNLIST.public_url).hostname}"
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# --- pages -----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [  # each by its own name: the reader looks for that; removal/languages.py
    ("en", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
    ("es", "Español"),
    ("pt-br", "Português (Brasil)"),
    ("ar", "العربية"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # the few files come from the apps: there is nothing to collect
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # no media, ever
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- logs: no address, no user agent, no file name, no receipt --------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "faiss": {"level": "WARNING"},  # tells at every start which processor it found
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
        # The host header and the path are the client's words: errors alone are kept.
        "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.security": {"handlers": [], "level": "CRITICAL", "propagate": True},
    },
}
