"""What a user's token says, once it is certain that Supabase Auth of this project said it."""

from __future__ import annotations

from typing import Any, Literal

import jwt
from jwt.types import Options
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from functions.admin.key_ring import KeyRing
from functions.errors import NotSignedIn

LONGEST_TOKEN = 8192  # bytes; a server's usual limit for one header
LEEWAY_SECONDS = 30.0  # how far Auth's clock may be ahead of ours
AUDIENCE = "authenticated"
# Times and names are checked here: against the time that is passed in, and all in one place.
SIGNATURE_ALONE: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class User(BaseModel):
    """The claims of a signed-in user. The keys `anon` and `service_role` are tokens too, and are none."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    iss: str
    aud: str | list[str]
    exp: FiniteFloat
    nbf: FiniteFloat = 0.0
    iat: FiniteFloat = 0.0
    sub: str = Field(min_length=1, max_length=64)
    role: Literal["authenticated"]
    email: str | None = Field(None, max_length=320)
    is_anonymous: bool = False
    app_metadata: dict[str, Any] = Field(default_factory=dict)


def verified(token: str, issuer: str, ring: KeyRing, now: float) -> User:
    """The user of a token that is valid at `now` (Unix seconds).

    Which key, and so which algorithm, is the ring's to say. Raises `NotSignedIn` for any other token, and
    `KeysUnavailable` when the ring has no keys and cannot get them.
    """
    if len(token) > LONGEST_TOKEN:
        raise NotSignedIn("a token of more than 8 kB")
    try:
        header = jwt.get_unverified_header(token)
        key, algorithm = ring.key(header.get("alg"), header.get("kid"))
        user = User.model_validate(jwt.decode(token, key, algorithms=[algorithm], options=SIGNATURE_ALONE))
    except jwt.PyJWTError as error:
        raise NotSignedIn(f"not a token of this project: {type(error).__name__}") from error
    except ValidationError as error:
        wrong = ", ".join(sorted({str(item["loc"][0]) for item in error.errors(include_input=False)}))
        raise NotSignedIn(f"not the token of a user: {wrong}") from error
    _require_now_and_here(user, issuer, now)
    return user


def _require_now_and_here(user: User, issuer: str, now: float) -> None:
    audience = [user.aud] if isinstance(user.aud, str) else user.aud
    if user.iss != issuer:
        raise NotSignedIn(f"the token is of {user.iss}, and by SUPABASE_URL Auth is {issuer}")
    if AUDIENCE not in audience:
        raise NotSignedIn("a token for another audience")
    if user.exp <= now:
        raise NotSignedIn("the token has expired")
    if max(user.nbf, user.iat) > now + LEEWAY_SECONDS:
        raise NotSignedIn("the token is not valid yet")
