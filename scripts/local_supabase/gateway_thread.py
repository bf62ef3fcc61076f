"""Serves the gateway inside the supervisor, on a port that is bound before anyone is told of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from scripts.local_supabase.auth_stand_in import AuthConfig
from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.gateway import GatewayConfig, create_app
from scripts.local_supabase.ports import listening_socket
from scripts.local_supabase.postgres import Cluster
from scripts.local_supabase.sign_in import SignIn
from scripts.local_supabase.state import Keys, LegFolder

START_SECONDS = 15.0
STOP_SECONDS = 5.0


@contextmanager
def running_gateway(
    cluster: Cluster, keys: Keys, postgrest_url: str, folder: LegFolder, sign_in: SignIn
) -> Iterator[str]:
    listener = listening_socket()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = GatewayConfig(
        postgrest_url=postgrest_url,
        storage_dsn=cluster.socket_dsn("supabase_storage_admin"),
        files_directory=folder.files,
        jwt_secret=keys.jwt_secret,
        publishable_key=keys.publishable_key,
        secret_key=keys.secret_key,
        anon_key=keys.anon_key,
        service_role_key=keys.service_role_key,
        public_url=url,
        auth=AuthConfig(
            issuer=f"{url}/auth/v1",
            jwt_secret=keys.jwt_secret,
            signing_key=keys.signing_key,
            passwords={ADMIN_EMAIL: keys.admin_password, MEMBER_EMAIL: keys.member_password},
            site_url=sign_in.site_url,
            mail_path=folder.mail,
            sign_in_secret=sign_in.secret,
        ),
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
