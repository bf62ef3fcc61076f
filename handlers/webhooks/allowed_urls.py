"""Which addresses `call_webhook` may call: those that begin as one of WEBHOOK_URLS does.

Scheme, host and port have to be the same, and the path has to go on after a whole segment of the allowed one:
https://a.example/hooks allows https://a.example/hooks/orders?x=1 and not https://a.example/hooks2. What is
compared is what is sent: one parser reads the address for both, and spellings that two readers may understand
differently are refused.

Where the name of an allowed host leads is up to whoever answers for it in the DNS: allow hosts that you trust.
"""

from __future__ import annotations

import ipaddress
import re

import httpx

_PORTS = {"https": 443, "http": 80}
_AMBIGUOUS = ("%2e", "%2f", "%5c", "%00")  # a dot, a slash, a backslash and a NUL in disguise


def parse_url(text: str) -> httpx.URL:
    """An absolute address of the web. Raises `ValueError` that says what is wrong with it."""
    if not text.isascii() or not text.isprintable() or "\\" in text or " " in text:
        raise ValueError("it has characters that a URL does not have")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError("it has to be a URL such as https://example.com/hook") from error
    if url.scheme not in _PORTS or not url.host:
        raise ValueError("it has to be a URL such as https://example.com/hook")
    rest = text.partition("://")[2]
    if url.userinfo or "@" in re.split("[/?#]", rest)[0]:
        raise ValueError("a URL with a user name is not allowed")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ValueError("use https: what is sent would travel in clear text")
    path = re.split("[?#]", rest)[0]
    if {".", ".."} & set(path.split("/")[1:]) or any(part in path.lower() for part in _AMBIGUOUS):
        raise ValueError("a path with . or .. or a disguised slash is not allowed")
    return url


def parse_allowed(text: str) -> httpx.URL:
    """The beginning of allowed addresses. Raises `ValueError` likewise."""
    url = parse_url(text)
    if url.query or url.fragment or "?" in text or "#" in text:
        raise ValueError("the beginning of a URL ends before ? and #")
    return url


def is_allowed(url: httpx.URL, beginnings: tuple[httpx.URL, ...]) -> bool:
    """Whether an address may be called."""
    return any(_same_origin(url, one) and _goes_on(url, one) for one in beginnings)


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, where https is not asked for."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same_origin(url: httpx.URL, allowed: httpx.URL) -> bool:
    return (url.scheme, url.raw_host, url.port or _PORTS[url.scheme]) == (
        allowed.scheme,
        allowed.raw_host,
        allowed.port or _PORTS[allowed.scheme],
    )


def _goes_on(url: httpx.URL, allowed: httpx.URL) -> bool:
    wanted = _path(allowed).rstrip("/").split("/")[1:]
    return _path(url).split("/")[1:][: len(wanted)] == wanted


def _path(url: httpx.URL) -> str:
    return url.raw_path.decode("ascii").partition("?")[0]
