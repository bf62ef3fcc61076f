# The function as a container, for Cloud Run or any other place. Settings come from the environment (.env.example).
# docker build -t crontick . ; add --build-arg EXTRAS="--extra video --extra ocr" for videos, sounds and OCR (see NOTICE).

FROM python:3.11-slim AS build
ARG EXTRAS=""
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_DEV=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app
RUN pip install --no-cache-dir "uv>=0.9,<1"
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN uv sync --locked --no-install-project ${EXTRAS}
COPY functions ./functions
COPY handlers ./handlers
RUN uv sync --locked ${EXTRAS}

FROM python:3.11-slim
RUN useradd --system --no-create-home crontick
ENV PATH="/app/.venv/bin:$PATH" MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=build /app /app
USER crontick
CMD ["gunicorn", "--config", "functions/gunicorn.conf.py", "functions_framework:create_app(target='cron_tick', source='functions/main.py')"]
