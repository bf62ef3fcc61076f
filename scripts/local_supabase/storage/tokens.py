"""Who calls, and what a signed URL permits: the JWTs of the Storage stand-in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from . import errors
from .database import Caller


@dataclass(frozen=True)
class Tokens:
    secret: str
    user_key: jwt.PyJWK | None = None  # which Auth signs the tokens of users with

    def caller(self, authorization: str | None) -> Caller:
        if authorization is None:
            raise errors.invalid_request("headers must have required property 'authorization'")
        try:
            claims = self._verify(authorization.removeprefix("Bearer ").strip())
        except _BadTokenError as error:
            raise errors.access_denied(str(error)) from error
        return Caller(str(claims.get("role") or "anon"), claims)

    def sign(self, claims: dict[str, Any], expires_in: int) -> str:
        now = int(time.time())
        # The real API leaves `typ` out of the header, PyJWT does so for a null.
        header = {"typ": None}
        claims = {**claims, "iat": now, "exp": now + expires_in}
        return jwt.encode(claims, self.secret, algorithm="HS256", headers=header)

    def permits(self, token: str, scope: str, url: str) -> dict[str, Any]:
        """The claims of a signed URL's token, if it was made for this use and this file."""
        try:
            claims = self._verify(token)
        except _BadTokenError as error:
            raise errors.invalid_token(str(error)) from error
        if claims.get("url") != url or claims.get("scope") != scope:
            raise errors.StorageError(400, "InvalidSignature", "Invalid signature")
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        options: Any = {"verify_aud": False}
        try:
            if self.user_key and jwt.get_unverified_header(token).get("alg") != "HS256":
                algorithms = [self.user_key.algorithm_name]
                return jwt.decode(token, self.user_key, algorithms=algorithms, options=options)
            return jwt.decode(token, self.secret, algorithms=["HS256"], options=options)
        except jwt.ExpiredSignatureError as error:
            raise _BadTokenError('"exp" claim timestamp check failed') from error
        except jwt.InvalidTokenError as error:
            # Three parts are a JWT, whose signature is wrong even when it is not base64.
            is_jwt = token.count(".") == 2
            raise _BadTokenError(
                "signature verification failed" if is_jwt else "Invalid Compact JWS"
            ) from error


class _BadTokenError(Exception):
    """In the words of the JWT library that the real API uses."""
