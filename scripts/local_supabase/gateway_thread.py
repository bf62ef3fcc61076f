"""Serves the gateway inside the supervisor, on a port that is bound before anyone is told of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.gateway import GatewayConfig, create_app
from scripts.local_supabase.ports import listening_socket
from scripts.local_supabase.postgres import Cluster
from scripts.local_supabase.state import Keys

START_SECONDS = 15.0
STOP_SECONDS = 5.0


@contextmanager
def running_gateway(cluster: Cluster, keys: Keys, postgrest_url: str, files_directory: Path) -> Iterator[str]:
    listener = listening_socket()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = GatewayConfig(
        postgrest_url=postgrest_url,
        storage_dsn=cluster.socket_dsn("supabase_storage_admin"),
        files_directory=files_directory,
        jwt_secret=keys.jwt_secret,
        publishable_key=keys.publishable_key,
        secret_key=keys.secret_key,
        anon_key=keys.anon_key,
        service_role_key=keys.service_role_key,
        public_url=url,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            log_level="warning",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=int(STOP_SECONDS) - 2,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gateway", daemon=True)
    thread.start()
    try:
        wait_until_started(server, thread)
        yield url
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()


def wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise LocalSupabaseError("The gateway does not start; see the lines above.")
        time.sleep(0.01)
