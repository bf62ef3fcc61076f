"""What the Auth stand-in answers when a request is refused, in the two shapes that the real API has."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse

VERSION_HEADER = "x-supabase-api-version"
SECOND_SHAPE_SINCE = "2024-01-01"
OAUTH_NAMES = {
    400: "invalid_request",
    401: "unauthorized_client",
    403: "access_denied",
    500: "server_error",
    503: "temporarily_unavailable",
}


class AuthError(Exception):
    """A refusal: HTTP status, the code that programs look at, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, request: Request) -> JSONResponse:
        version = request.headers.get(VERSION_HEADER, "")
        if version < SECOND_SHAPE_SINCE:
            body = {"code": self.status, "error_code": self.code, "msg": self.message}
            return JSONResponse(body, self.status)
        headers = {VERSION_HEADER: SECOND_SHAPE_SINCE}
        return JSONResponse({"code": self.code, "message": self.message}, self.status, headers)

    def fragment(self) -> str:
        """As it travels behind the `#` of a redirect."""
        named = {"error": OAUTH_NAMES[self.status]} if self.status in OAUTH_NAMES else {}
        return urlencode(named | {"error_code": self.code, "error_description": self.message})


def invalid_credentials() -> AuthError:
    return AuthError(400, "invalid_credentials", "Invalid login credentials")


def invalid_request(message: str) -> AuthError:
    return AuthError(400, "validation_failed", message)


def bad_json(message: str) -> AuthError:
    return AuthError(400, "bad_json", message)


def no_such_refresh_token() -> AuthError:
    return AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")


def refresh_token_already_used() -> AuthError:
    return AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")


def link_expired() -> AuthError:
    return AuthError(403, "otp_expired", "Email link is invalid or has expired")


def sign_ups_are_off() -> AuthError:
    return AuthError(422, "signup_disabled", "Signups not allowed for this instance")


def no_such_user_for_a_link() -> AuthError:
    return AuthError(422, "otp_disabled", "Signups not allowed for otp")


def no_bearer_token() -> AuthError:
    return AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")


def bad_token(reason: str) -> AuthError:
    return AuthError(403, "bad_jwt", f"invalid JWT: {reason}")


def no_such_session() -> AuthError:
    return AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")


def too_many_mails() -> AuthError:
    return AuthError(429, "over_email_send_rate_limit", "email rate limit exceeded")


def too_many_requests() -> AuthError:
    return AuthError(429, "over_request_rate_limit", "Request rate limit reached")
