# crontick as a container, for Cloud Run or any other place. Settings come from the environment (.env.example).
#
#   docker build --tag crontick .                                      without parts under the GPL (see NOTICE)
#   docker build --tag crontick --build-arg EXTRAS="video ocr" .       videos, sounds and text in pictures too
#
# One image, several roles: FUNCTION_TARGET=cron_tick (the default) works jobs off, FUNCTION_TARGET=jobs_admin is the
# jobs API with its dashboard, and the command `crontick run` is a worker that polls.

FROM python:3.11-slim-bookworm AS build
ARG EXTRAS=""
ARG UV_VERSION="0.13.9"
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_DEV=1 \
    UV_PYTHON_DOWNLOADS=never \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
WORKDIR /app
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN set -- && for extra in ${EXTRAS}; do set -- "$@" --extra "${extra}"; done && \
    uv sync --locked --no-install-project "$@"
COPY functions ./functions
COPY handlers ./handlers
# uv compiles what it installs; ours is compiled here, checked against its source in case somebody builds on this image.
RUN set -- && for extra in ${EXTRAS}; do set -- "$@" --extra "${extra}"; done && \
    uv sync --locked "$@" && \
    .venv/bin/python -m compileall -q --invalidation-mode checked-hash functions handlers

FROM python:3.11-slim-bookworm
ARG REVISION=""
LABEL org.opencontainers.image.title="crontick" \
      org.opencontainers.image.description="Background processing for Supabase, with nothing running between ticks" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 crontick && \
    useradd --system --uid 10001 --gid crontick --no-create-home --home-dir /nonexistent --no-log-init crontick
ENV PATH="/app/.venv/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    FUNCTION_TARGET=cron_tick
WORKDIR /app
COPY --from=build /app /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Cloud Run has probes of its own; this is for Compose and the like. Any answer will do but a server's error.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "import http.client, os; at = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT', '8080')), timeout=4); at.request('GET', '/health?live'); raise SystemExit(at.getresponse().status >= 500)"]
CMD ["gunicorn", "--config", "functions/gunicorn.conf.py", "functions_framework:create_app(source='functions/main.py')"]
