"""The ports of the local Supabase."""

from __future__ import annotations

import asyncio
import socket

from scripts.local_supabase.ports import free_port, listening_socket


def test_a_taken_port_is_never_given_out_again() -> None:
    with listening_socket() as taken:
        assert taken.getsockname()[1] not in {free_port() for _ in range(20)}


def test_answers_of_a_server_on_our_socket_are_not_held_back() -> None:
    """Nagle's algorithm is off on what asyncio accepts: with it each small answer takes 40 ms."""

    async def accepted_without_delay() -> bool:
        seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted: socket.socket = writer.get_extra_info("socket")
            seen.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        listener = listening_socket()
        server = await asyncio.start_server(on_connection, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            answer = await asyncio.wait_for(seen, 10)
            writer.close()
            await writer.wait_closed()
        return answer

    assert asyncio.run(accepted_without_delay())
