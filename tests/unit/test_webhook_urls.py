"""Which addresses may be called: an allow-list that no spelling gets around."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.errors import ConfigurationError
from functions.settings import load_settings
from handlers.webhooks.allowed_urls import is_allowed, parse_allowed, parse_url

ALLOWED = "https://hooks.example/v1/orders, http://localhost:8080, https://open.example"


def may_call(text: str, allowed: str = ALLOWED) -> bool:
    try:
        url = parse_url(text)
    except ValueError:
        return False
    return is_allowed(url, tuple(parse_allowed(one.strip()) for one in allowed.split(",")))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/v1/orders",
        "https://hooks.example/v1/orders/",
        "https://hooks.example/v1/orders/7",
        "https://hooks.example/v1/orders?x=https://evil.example/../..",
        "https://hooks.example:443/v1/orders",
        "HTTPS://HOOKS.EXAMPLE/v1/orders",
        "http://localhost:8080/anything",
        "https://open.example",
        "https://open.example/?a@b",
        "https://open.example/a@b/c",
    ],
)
def test_what_begins_as_allowed_may_be_called(url: str) -> None:
    assert may_call(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/v1/orders",
        "https://hooks.example/v1/orders2",
        "https://hooks.example/v1/order",
        "https://hooks.example/v1",
        "https://hooks.example/V1/orders",
        "https://hooks.example//v1/orders",
        "https://hooks.example/v1//orders",
        "https://hooks.example:8443/v1/orders",
        "https://hooks.example./v1/orders",
        "https://hooks.example.evil.example/v1/orders",
        "https://evil-hooks.example/v1/orders",
        "https://sub.hooks.example/v1/orders",
        "https://hooks.example@evil.example/v1/orders",
        "https://hooks.example:443@evil.example/v1/orders",
        "https://user:word@hooks.example/v1/orders",
        "https://@hooks.example/v1/orders",
        "https://evil.example#@hooks.example/v1/orders",
        "https://evil.example?@hooks.example/v1/orders",
        "https://evil.example/https://hooks.example/v1/orders",
        "https://evil.example\\@hooks.example/v1/orders",
        "https://hooks.example\\.evil.example/v1/orders",
        "https://hooks.example/v1/orders/../../admin",
        "https://hooks.example/v1/orders/..",
        "https://hooks.example/v1/orders/./x",
        "https://hooks.example/v1/orders/%2e%2e/%2E%2E/admin",
        "https://hooks.example/v1/orders/.%2e/admin",
        "https://hooks.example/v1/orders/..%2f..%2fadmin",
        "https://hooks.example/v1/orders%2F..",
        "https://hooks.example/v1/orders/%5c..",
        "https://hooks.example/v1/orders/ x",
        "https://hooks.example/v1/orders\t",
        "https://hooks.example/v1/orders\r\nHost: evil.example",
        "https://hooks\u3002example/v1/orders",
        "https://\uff48ooks.example/v1/orders",
        "http://localhost:8081/x",
        "http://localhost/x",
        "https://localhost:8080/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/x",
        "http://open.example",
        "//open.example/x",
        "https:open.example",
        "https:/open.example",
        "https:///open.example",
        "ftp://open.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "open.example",
        "https://[::1",
        "https://open.example:99999",
        "https://open.example:x",
        "",
        " https://open.example",
    ],
)
def test_nothing_else_may_be_called(url: str) -> None:
    assert not may_call(url)


@given(st.text(alphabet="ab./\\@:#?%2e5cf;&[] \t\n", max_size=40))
def test_whatever_is_appended_the_request_stays_on_the_allowed_host_and_path(rest: str) -> None:
    text = f"https://hooks.example/v1/orders{rest}"
    if may_call(text):
        url = parse_url(text)
        path = url.raw_path.decode().partition("?")[0]
        assert (url.host, url.port, url.userinfo) == ("hooks.example", None, b"")
        assert path == "/v1/orders" or path.startswith("/v1/orders/")
        assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("WEBHOOK_URLS", "http://hooks.example", "use https"),
        ("WEBHOOK_URLS", "https://a.example, hooks.example", "it has to be a URL"),
        ("WEBHOOK_URLS", "https://u:secret-word@a.example", "user name"),
        ("WEBHOOK_URLS", "https://a.example/?key=secret-word", "ends before"),
        ("WEBHOOK_URLS", "https://a.example/x#", "ends before"),
        ("WEBHOOK_URLS", "https://a.example/x/..", "is not allowed"),
        ("WEBHOOK_SECRET", "secret-word", "whsec_"),
        ("WEBHOOK_SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"),
        ("WEBHOOK_SECRET", "whsec_c2hvcnQ=", "24 to 64"),
        ("WEBHOOK_SECRET", "whsec_!!!!MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw secret-word", "whsec_"),
    ],
)
def test_a_setting_that_cannot_work_is_told_when_it_is_read(
    tmp_path: Path, name: str, value: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} .*{problem}") as refused:
        load_settings({name: value}, tmp_path)
    assert "secret-word" not in str(refused.value)


def test_several_beginnings_may_be_given(tmp_path: Path) -> None:
    settings = load_settings({"WEBHOOK_URLS": " https://a.example/x ,, http://127.0.0.1:5/ "}, tmp_path)
    allowed = [str(url) for url in settings.for_handlers().allowed_webhooks()]
    assert allowed == ["https://a.example/x", "http://127.0.0.1:5/"]
