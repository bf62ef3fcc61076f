# ruff: noqa: N999 - the name gunicorn expects
"""How gunicorn runs the function:

    python -m gunicorn -c functions/gunicorn.conf.py \\
      "functions_framework:create_app(target='cron_tick', source='functions/main.py')"
"""

from __future__ import annotations

from typing import Any

from functions.secrecy import hide_from_own_user
from functions.settings import load_settings
from functions.shutdown import chain_sigterm

hide_from_own_user()  # the worker does it too; this is for gunicorn's own process
_settings = load_settings()

bind = f"{_settings.bind}:{_settings.port}"
worker_class = "gthread"
workers = 1  # Cloud Run adds instances; a second worker would only split the memory
threads = 8
timeout = 0  # a tick ends itself
graceful_timeout = int(_settings.shutdown_seconds) + 1
loglevel = "warning"
control_socket_disable = True  # it would be written under $HOME, which may be read-only


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - gunicorn's hook
    """gunicorn keeps SIGTERM to itself: let the running tick hear of it too."""
    chain_sigterm()
