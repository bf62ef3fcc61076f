# ruff: noqa: N999 - the name gunicorn expects
"""How gunicorn runs the function:

    python -m gunicorn -c functions/gunicorn.conf.py \\
      "functions_framework:create_app(target='cron_tick', source='functions/main.py')"
"""

from __future__ import annotations

import logging
import socket
import struct
from typing import Any

from functions import log
from functions.secrecy import hide_from_own_user
from functions.settings import load_settings
from functions.shutdown import chain_sigterm

hide_from_own_user()  # the worker does it too; this is for gunicorn's own process
_settings = load_settings()
log.configure(_settings.log_level, project=_settings.google_cloud_project, secrets=_settings.secrets())

bind = f"{_settings.bind}:{_settings.port}"
worker_class = "gthread"
workers = 1  # Cloud Run adds instances; a second worker would only split the memory
threads = 8
timeout = 0  # a tick ends itself
graceful_timeout = int(_settings.shutdown_seconds) + 2  # for the last call of the queue
loglevel = "warning"
logconfig_dict = log.server_logging(_settings.google_cloud_project)  # JSON lines, as the function's own
control_socket_disable = True  # it would be written under $HOME, which may be read-only


_SILENCE_SECONDS = 10


def post_worker_init(worker: Any) -> None:
    """gunicorn keeps SIGTERM to itself: let the running tick hear of it too.

    And it waits for ever for the rest of a request that somebody began: connections inherit the time limit
    of the socket they came in on (on Linux), so a silent one gives its thread back.
    """
    chain_sigterm()
    for listener in worker.sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENCE_SECONDS, 0))
    worker.log.error_log.addFilter(_is_worth_logging)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Whoever may connect may also fall silent: not worth a traceback each time."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
