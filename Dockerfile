# Two images from one file: `web` (site, admin, scheduler, releases; no torch) and `worker`.
#   docker build --target web    -t unlist-web .
#   docker build --target worker -t unlist-worker .
# Neither holds a secret: keys are made at run time into volumes, a folder per role.

FROM python:3.11.14-slim-bookworm AS base
# The variable names a folder, it holds no secret:
# hadolint ignore=DL3064
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    UNLIST_DATA_DIR=/data \
    UNLIST_SECRET_DIR=/secrets
RUN groupadd --system --gid 10001 unlist \
    && useradd --system --uid 10001 --gid unlist --home-dir /app --shell /usr/sbin/nologin unlist \
    && install --directory --owner=unlist --group=unlist --mode=0700 \
        /data /secrets /secrets/public /secrets/staff /secrets/worker /secrets/release /secrets/shred
WORKDIR /app

FROM base AS worker
COPY requirements.txt requirements-web.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
USER 10001
# Compiled search loops are kept in memory-backed /tmp: the image itself is read-only.
ENV UNLIST_ROLE=worker \
    NUMBA_CACHE_DIR=/tmp/numba
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "celery --app config --quiet inspect ping --timeout 20 --destination \"celery@$(hostname)\""]
CMD ["celery", "--app", "config", "--quiet", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]

FROM base AS web
COPY requirements-web.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements-web.txt
COPY . .
USER 10001
ENV UNLIST_ROLE=public
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('HEAD', '/'); raise SystemExit(c.getresponse().status >= 500)"]
CMD ["gunicorn", "--config", "python:config.gunicorn", "--bind", "0.0.0.0:8000", "config.wsgi:application"]
