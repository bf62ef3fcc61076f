"""The Auth stand-in's routes."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from . import errors, redirects
from .auth import Auth, auth_of, body_of, text_of
from .config import AuthConfig
from .errors import AuthError
from .sessions import Sessions
from .signing import SigningKey
from .users import ADMIN_EMAIL, USERS, User


def create_auth_app(config: AuthConfig) -> ASGIApp:
    app = Starlette(
        routes=[
            Route("/.well-known/jwks.json", _keys),
            Route("/health", _health),
            Route("/settings", _settings),
            Route("/token", _token, methods=["POST"]),
            Route("/signup", _sign_up, methods=["POST"]),
            Route("/otp", _send_link, methods=["POST"]),
            Route("/verify", _follow_link),
            Route("/user", _user),
            Route("/logout", _sign_out, methods=["POST"]),
            Route("/sign-in/{secret}", _sign_in_here),
            Route("/stand-in/faults", _set_fault, methods=["POST"]),
        ],
        exception_handlers={AuthError: _refuse, HTTPException: _not_found},
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_fault_or_answer)],
    )
    app.state.auth = Auth(config, SigningKey(config.signing_key), Sessions(config.now))
    return app


async def _fault_or_answer(request: Request, answer: RequestResponseEndpoint) -> Response:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return auth_of(request).faults.answer(request, path) or await answer(request)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, AuthError)
    return error.response(request)


async def _not_found(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.status_code} page not found\n", error.status_code)


async def _keys(request: Request) -> Response:
    headers = {"cache-control": "public, max-age=600"}
    return JSONResponse({"keys": [auth_of(request).key.public()]}, headers=headers)


async def _health(_request: Request) -> Response:
    return JSONResponse(
        {"version": "stand-in", "name": "GoTrue", "description": "a stand-in for Supabase Auth"}
    )


async def _settings(_request: Request) -> Response:
    return JSONResponse(
        {"external": {"email": True, "phone": False}, "disable_signup": True, "mailer_autoconfirm": False}
    )


async def _token(request: Request) -> Response:
    auth, grant = auth_of(request), request.query_params.get("grant_type")
    if grant not in ("password", "refresh_token"):
        raise AuthError(400, "invalid_credentials", "unsupported_grant_type")
    body = await body_of(request)
    if grant == "refresh_token":
        if not text_of(body, "refresh_token"):
            raise errors.invalid_request("refresh_token required")
        return JSONResponse(auth.tokens(auth.sessions.refresh(text_of(body, "refresh_token"))))
    if not text_of(body, "email"):
        raise errors.invalid_request("missing email or phone")
    user = auth.user_with(text_of(body, "email"), text_of(body, "password"))
    return JSONResponse(auth.tokens(auth.sessions.begin(user, "password")))


async def _sign_up(_request: Request) -> Response:
    raise errors.sign_ups_are_off()


async def _send_link(request: Request) -> Response:
    auth, body = auth_of(request), await body_of(request)
    email = text_of(body, "email").lower()
    if not email:
        raise errors.invalid_request("One of email or phone must be set")
    if "@" not in email:
        raise errors.invalid_request("Unable to validate email address: invalid format")
    user = USERS.get(email)
    if user is None:
        may_sign_up = body.get("create_user", True)
        raise errors.sign_ups_are_off() if may_sign_up else errors.no_such_user_for_a_link()
    target = redirects.allowed(request.query_params.get("redirect_to"), auth.config.site_url)
    query = {"token": auth.sessions.new_link(user), "type": "magiclink", "redirect_to": target}
    auth.send_mail(user, f"{auth.config.issuer}/verify?{urlencode(query)}")
    return JSONResponse({})


async def _follow_link(request: Request) -> Response:
    auth, query = auth_of(request), request.query_params
    target = redirects.allowed(query.get("redirect_to"), auth.config.site_url)
    try:
        if not query.get("token") or not query.get("type"):
            raise errors.invalid_request("Verify requires a token and a verification type")
        if query["type"] != "magiclink":
            raise errors.link_expired()
        user = auth.sessions.follow_link(query["token"])
    except AuthError as error:
        return _redirect(target, error.fragment(), 303)
    return _redirect(target, _signed_in(auth, user), 303)


async def _user(request: Request) -> Response:
    return JSONResponse(auth_of(request).session_of(request).user.as_json())


async def _sign_out(request: Request) -> Response:
    auth, scope = auth_of(request), request.query_params.get("scope", "global")
    if scope not in ("global", "local", "others"):
        raise errors.invalid_request(f"Unsupported logout scope '{scope}'")
    auth.sessions.end(auth.session_of(request), scope)
    return Response(status_code=204)


async def _sign_in_here(request: Request) -> Response:
    """What `crontick up` shows: the local admin is whoever started the local Supabase. Works more than once."""
    auth = auth_of(request)
    if not hmac.compare_digest(request.path_params["secret"].encode(), auth.config.sign_in_secret.encode()):
        raise HTTPException(404)
    target = redirects.allowed(request.query_params.get("redirect_to"), auth.config.site_url)
    return _redirect(target, _signed_in(auth, USERS[ADMIN_EMAIL]), 303)


async def _set_fault(request: Request) -> Response:
    auth = auth_of(request)
    if auth.claims_of(request).get("role") != "service_role":
        raise AuthError(403, "not_admin", "User not allowed")
    body = await body_of(request)
    auth.faults.set(text_of(body, "path"), body.get("fault"))
    return JSONResponse(auth.faults.by_path)


def _signed_in(auth: Auth, user: User) -> str:
    tokens = auth.tokens(auth.sessions.begin(user, "otp"))
    names = ("access_token", "expires_at", "expires_in", "refresh_token", "token_type")
    return urlencode({name: tokens[name] for name in names} | {"type": "magiclink"})


def _redirect(target: str, fragment: str, status: int) -> Response:
    return RedirectResponse(f"{target.partition('#')[0]}#{fragment}", status, {"cache-control": "no-store"})
