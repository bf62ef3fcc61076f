"""The body of http() in leg debian: one request as libcurl would make it for pgsql-http.

Runs inside Postgres, in Debian's own Python, as a part of a PL/Python function (see http_stand_in.sql).
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

MAX_REDIRECTS = 5
POLL_SECONDS = 0.1
REDIRECTS = (301, 302, 303, 307, 308)
DEFAULT_PORTS = {"http": 80, "https": 443}
Headers = list[tuple[str, str]]


class NoAnswerError(Exception):
    """No HTTP answer at all. The message is worded as libcurl does."""


class Clock:
    """How long the whole call and its connecting may take, and what it has received so far."""

    def __init__(
        self,
        options: Mapping[str, str],
        setting: str | None,
        give_way: Callable[[], object],
    ) -> None:
        def seconds(name: str, default: float) -> float:
            milliseconds = options.get(f"{name}_MS")
            value = float(milliseconds) / 1000 if milliseconds else float(options.get(name, default))
            return value or float("inf")

        self.started = time.monotonic()
        self.deadline = self.started + seconds("CURLOPT_TIMEOUT", float(setting) / 1000 if setting else 5)
        self.connect_seconds = seconds("CURLOPT_CONNECTTIMEOUT", 1)
        self.received = 0
        self.give_way = give_way

    def milliseconds(self) -> int:
        return int((time.monotonic() - self.started) * 1000)

    def patience(self, most: float) -> float | None:
        left = min(most, self.deadline - time.monotonic())
        return None if left == float("inf") else max(0.001, left)

    def check(self) -> None:
        self.give_way()
        if time.monotonic() >= self.deadline:
            raise NoAnswerError(
                f"Operation timed out after {self.milliseconds()} milliseconds "
                f"with {self.received} bytes received"
            )


class Patient(io.RawIOBase):
    """Reads in short waits, so that the clock is looked at between them."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self.clock.check()
            try:
                count = self.connection.recv_into(buffer)
            except TimeoutError:
                continue
            self.clock.received += count
            return count


class Wire:
    """What http.client needs of a socket."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock

    def sendall(self, data: bytes) -> None:
        self.connection.settimeout(self.clock.patience(float("inf")))
        self.connection.sendall(data)
        self.connection.settimeout(POLL_SECONDS)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(Patient(self.connection, self.clock))

    def close(self) -> None:
        """http.client closes before it has read the body; exchange() closes in the end."""


def open_wire(parts: SplitResult, clock: Clock) -> Wire:
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    patience = clock.patience(clock.connect_seconds)
    try:
        connection = socket.create_connection((parts.hostname or "", port), timeout=patience)
        if parts.scheme == "https":
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname)
    except socket.gaierror as error:
        raise NoAnswerError(f"Could not resolve host: {parts.hostname}") from error
    except TimeoutError as error:
        raise NoAnswerError(f"Connection timed out after {clock.milliseconds()} milliseconds") from error
    except ssl.SSLError as error:
        raise NoAnswerError(f"SSL: {error.reason or error}") from error
    except OSError as error:
        raise NoAnswerError(
            f"Failed to connect to {parts.hostname} port {port} after {clock.milliseconds()} ms: "
            "Could not connect to server"
        ) from error
    return Wire(connection, clock)


def exchange(
    method: str, uri: str, headers: Headers, body: bytes | None, clock: Clock
) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(uri)
    if parts.scheme not in DEFAULT_PORTS and parts.hostname:
        raise NoAnswerError(f'Protocol "{parts.scheme}" not supported')
    if not parts.hostname:
        raise NoAnswerError("URL using bad/illegal format or missing URL")
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    wire = open_wire(parts, clock)
    client = http.client.HTTPConnection(parts.hostname, parts.port)
    client.sock = wire
    try:
        client.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        client.putheader("Host", parts.netloc.rpartition("@")[2])
        for field, value in headers:
            client.putheader(field, value.encode())
        if body is not None:
            client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        response = client.getresponse()
        return response.status, response.headers, response.read()
    except http.client.RemoteDisconnected as error:
        raise NoAnswerError("Empty reply from server") from error
    except (http.client.HTTPException, OSError) as error:
        raise NoAnswerError(str(error)) from error
    finally:
        wire.connection.close()


def first_headers(request: Mapping[str, Any], agent: str) -> Headers:
    headers = [("User-Agent", agent), ("Accept", "*/*"), ("Connection", "close"), ("Charsets", "utf-8")]
    return headers + [(h["field"], h["value"] or "") for h in request["headers"] or [] if h and h["field"]]


def perform(
    request: Mapping[str, Any],
    options: Mapping[str, str],
    setting: str | None,
    agent: str,
    give_way: Callable[[], object],
) -> dict[str, Any]:
    clock = Clock(options, setting, give_way)
    method = (request["method"] or "GET").upper()
    uri = request["uri"] or ""
    headers = first_headers(request, options.get("CURLOPT_USERAGENT", agent))
    body: bytes | None = None
    if method in ("POST", "PUT", "PATCH") or (method == "DELETE" and request["content"] is not None):
        body = (request["content"] or "").encode()
        if request["content_type"]:
            headers.append(("Content-Type", request["content_type"]))
    for hop in range(MAX_REDIRECTS + 1):
        status, answer, content = exchange(method, uri, headers, body, clock)
        if status not in REDIRECTS or "location" not in answer:
            return as_response(status, answer, content)
        if hop < MAX_REDIRECTS:
            target = urljoin(uri, answer["location"])
            if urlsplit(target).netloc != urlsplit(uri).netloc:
                headers = [(f, v) for f, v in headers if f.lower() not in ("authorization", "cookie")]
            if method == "POST" and status < 307:
                method, body = "GET", None
            uri = target
    raise NoAnswerError(f"Maximum ({MAX_REDIRECTS}) redirects followed")


def as_response(status: int, answer: http.client.HTTPMessage, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode(answer.get_content_charset("utf-8"))
    except (UnicodeDecodeError, LookupError) as error:
        raise NoAnswerError('invalid byte sequence for encoding "UTF8"') from error
    headers = [{"field": field, "value": value} for field, value in answer.items()]
    return {"status": status, "content_type": answer.get("content-type"), "headers": headers, "content": text}
