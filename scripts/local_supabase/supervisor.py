"""Runs one local Supabase in the foreground, from an empty folder to the last process stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from scripts.local_supabase import database, function_process
from scripts.local_supabase.auth_stand_in.signing import SigningKey, key_set
from scripts.local_supabase.cron_stand_in import CronStandIn
from scripts.local_supabase.details import (
    Details,
    for_people,
    remove_environment_file,
    settings_of,
    write_environment_file,
)
from scripts.local_supabase.errors import LocalSupabaseError, OutdatedDataError
from scripts.local_supabase.function_process import Ports, Target
from scripts.local_supabase.gateway_thread import running_gateway
from scripts.local_supabase.leg import Leg
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.postgres import ADMIN, Cluster, running_cluster
from scripts.local_supabase.postgrest import find_or_install, running_postgrest
from scripts.local_supabase.processes import Child
from scripts.local_supabase.sign_in import SignIn
from scripts.local_supabase.state import RESET_SIGNAL, Keys, LegFolder, Lock

WATCH_SECONDS = 0.25
NO_DASHBOARD = "http://127.0.0.1:3000"  # what the real one has as its site until somebody sets it
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, RESET_SIGNAL)


@dataclass(frozen=True)
class Options:
    """The command line of `up`."""

    leg: Leg
    directory: Path
    tick_schedule: str | None = None
    function: bool = True
    follow_stdin: bool = False
    postgrest: str | None = None
    fsync: bool = True


class StopRequested(BaseException):
    """Raised in the main thread by the first signal, so that even a start is left in order."""


class Supervisor:
    """Owns every part. Parts are stopped in the reverse order of their start, however the run ends."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.folder = LegFolder(options.directory.resolve(), options.leg)
        self.stack = ExitStack()
        self.vital: list[Child] = []
        self.functions: list[Child] = []

    def __enter__(self) -> Self:
        self.stack.enter_context(Lock(self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        ignore_signals()
        self.stack.close()

    def start(self) -> Details:
        program = find_or_install(self.options.postgrest)
        self.folder.create()
        keys = self.folder.keys()
        cluster = self.stack.enter_context(
            running_cluster(self.folder, keys.database_password, fsync=self.options.fsync)
        )
        self.vital.append(cluster.child)
        database.prepare_platform(cluster)
        database.migrate(cluster)
        postgrest, postgrest_url = self.stack.enter_context(
            running_postgrest(
                program,
                cluster,
                key_set(keys.jwt_secret, SigningKey(keys.signing_key)),
                self.folder.logs / "postgrest.log",
            )
        )
        self.vital.append(postgrest)
        ports = Ports(free_port(), free_port()) if self.options.function else None
        sign_in = SignIn(f"{ports.admin_url}/dashboard" if ports else NO_DASHBOARD)
        url = self.stack.enter_context(running_gateway(cluster, keys, postgrest_url, self.folder, sign_in))
        details = self.describe(cluster, keys, url, ports, sign_in)
        if ports is not None:
            self.connect_functions(cluster, keys, details, ports)
        self.start_cron(cluster)
        self.publish(details, keys)
        return details

    def connect_functions(self, cluster: Cluster, keys: Keys, details: Details, ports: Ports) -> None:
        secrets = {
            "job_queue_worker_endpoint": ports.function_url,
            "job_queue_runner_secret": keys.runner_secret,
        }
        database.store_secrets(cluster, secrets)
        running = function_process.running_functions(
            settings_of(details, keys),
            {Target.TICK: ports.function, Target.ADMIN: ports.admin},
            self.folder.logs,
        )
        self.functions = self.stack.enter_context(running)

    def start_cron(self, cluster: Cluster) -> None:
        if not cluster.cron_is_real:
            cron = CronStandIn(cluster)
            self.stack.callback(cron.stop)
            cron.start()
        if self.options.tick_schedule is not None:
            database.schedule_ticks(cluster, self.options.tick_schedule)

    def publish(self, details: Details, keys: Keys) -> None:
        directory = self.folder.directory
        self.stack.callback(remove_environment_file, directory, details.url)
        write_environment_file(directory, settings_of(details, keys) | for_people(details, keys))

    def describe(
        self, cluster: Cluster, keys: Keys, url: str, ports: Ports | None, sign_in: SignIn
    ) -> Details:
        return Details(
            leg=str(self.options.leg),
            directory=str(self.folder.directory),
            url=url,
            publishable_key=keys.publishable_key,
            secret_key=keys.secret_key,
            anon_key=keys.anon_key,
            service_role_key=keys.service_role_key,
            jwt_secret=keys.jwt_secret,
            database_url=cluster.url("postgres"),
            admin_database_url=cluster.url(ADMIN),
            function_url=ports.function_url if ports else None,
            admin_url=ports.admin_url if ports else None,
            sign_in_url=sign_in.url(url),
            runner_secret=keys.runner_secret,
            log_directory=str(self.folder.logs),
        )

    def watch(self) -> None:
        """Until a signal. A part that everything needs must not be missing unnoticed."""
        while True:
            for child in self.vital:
                child.require_alive()
            for function in [one for one in self.functions if one.process.poll() is not None]:
                code = function.process.returncode
                print(f"{function.name} ended with code {code}; see {function.log_path}", file=sys.stderr)
                self.functions.remove(function)
            time.sleep(WATCH_SECONDS)


def up(options: Options) -> int:
    request_stop_on_signals()
    try:
        if options.follow_stdin:
            threading.Thread(target=stop_when_stdin_ends, name="follow-stdin", daemon=True).start()
        with Supervisor(options) as supervisor:
            details = supervisor.start()
            print(details.to_json(), flush=True)
            supervisor.watch()
    except StopRequested:
        return 0
    except OutdatedDataError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (LocalSupabaseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def reset(directory: Path, legs: Sequence[Leg] = tuple(Leg)) -> int:
    """Stops what runs in the directory and deletes the data of the legs."""
    try:
        for leg in legs:
            folder = LegFolder(directory.resolve(), leg)
            if not folder.directory.exists():
                continue
            with Lock(folder).taken_from_holder():
                folder.remove()
    except (LocalSupabaseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def request_stop_on_signals() -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        if number == RESET_SIGNAL:
            print("A reset stops it and deletes its data.", file=sys.stderr, flush=True)
        raise StopRequested

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def ignore_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop_when_stdin_ends() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
