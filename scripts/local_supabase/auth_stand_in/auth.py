"""What every route of the Auth stand-in works with."""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass, field
from typing import Any, cast

import jwt
from starlette.requests import Request

from . import errors
from .config import AuthConfig
from .faults import Faults
from .sessions import Session, Sessions
from .signing import ALGORITHM, SigningKey
from .users import USERS, User

TOKEN_SECONDS = 3600


@dataclass
class Auth:
    config: AuthConfig
    key: SigningKey
    sessions: Sessions
    faults: Faults = field(default_factory=Faults)

    def user_with(self, email: str, password: str) -> User:
        known = self.config.passwords.get(email.lower(), "")
        if not hmac.compare_digest(known.encode(), password.encode()) or not known:
            raise errors.invalid_credentials()
        return USERS[email.lower()]

    def tokens(self, session: Session) -> dict[str, Any]:
        """What a sign-in or a refresh is answered."""
        now = int(self.config.now())
        return {
            "access_token": self.key.sign(self._claims(session, now)),
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
            "expires_at": now + TOKEN_SECONDS,
            "refresh_token": session.refresh_token,
            "user": session.user.as_json(),
            "weak_password": None,
        }

    def _claims(self, session: Session, now: int) -> dict[str, Any]:
        user = session.user
        return {
            "iss": self.config.issuer,
            "sub": user.id,
            "aud": "authenticated",
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "email": user.email,
            "phone": "",
            "app_metadata": user.app_metadata,
            "user_metadata": user.user_metadata,
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": session.method, "timestamp": int(session.began_at)}],
            "session_id": session.id,
            "is_anonymous": False,
        }

    def claims_of(self, request: Request) -> dict[str, Any]:
        """Of the token in a request; a key was made one by the gateway."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.no_bearer_token()
        try:
            claims = self._verified(token)
        except jwt.InvalidTokenError as error:
            raise errors.bad_token(f"unable to parse or verify signature, {error}") from error
        if claims.get("exp", 0) <= self.config.now():
            reason = "unable to parse or verify signature, token has invalid claims: token is expired"
            raise errors.bad_token(reason)
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        unchecked: Any = dict.fromkeys(("verify_aud", "verify_exp", "verify_iat", "verify_nbf"), False)
        if jwt.get_unverified_header(token).get("alg") == ALGORITHM:
            return jwt.decode(token, self.key.verifying, algorithms=[ALGORITHM], options=unchecked)
        return jwt.decode(token, self.config.jwt_secret, algorithms=["HS256"], options=unchecked)

    def session_of(self, request: Request) -> Session:
        claims = self.claims_of(request)
        if not claims.get("sub"):
            raise errors.AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        return self.sessions.find(claims.get("session_id"))

    def send_mail(self, user: User, link: str) -> None:
        """Keeps the mail, readable by the owner of the files only: whoever has the link is the user."""
        line = json.dumps({"at": self.config.now(), "to": user.email, "link": link})
        descriptor = os.open(self.config.mail_path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def auth_of(request: Request) -> Auth:
    return cast("Auth", request.app.state.auth)


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise errors.bad_json(f"Could not parse request body as JSON: {error}") from error
    if not isinstance(body, dict):
        raise errors.bad_json("Could not parse request body as JSON: it is no object")
    return body


def text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    return value if isinstance(value, str) else ""
