"""Ports on the loopback interface for one run of the local Supabase."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError

# Below the range that Linux hands to outgoing connections, so that nothing takes the port between the
# check here and the moment when its owner binds it.
LOWEST = 15_000
LOWEST_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
ATTEMPTS = 200


def free_port() -> int:
    with listening_socket() as listener:
        port: int = listener.getsockname()[1]
    return port


def listening_socket() -> socket.socket:
    """A bound socket, for servers that can be handed one."""
    highest = max(LOWEST + 1000, int(LOWEST_EPHEMERAL.read_text().split()[0]) - 1)
    for _ in range(ATTEMPTS):
        # The protocol by name: without it asyncio leaves Nagle's algorithm on, and each answer waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", random.SystemRandom().randint(LOWEST, highest)))
        except OSError:
            listener.close()
            continue
        return listener
    raise LocalSupabaseError("no free port on 127.0.0.1")
