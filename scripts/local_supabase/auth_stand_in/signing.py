"""The key that a local project signs its users' tokens with, and the sets in which it is handed on."""

from __future__ import annotations

import base64
import json
import uuid
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "ES256"


def new_signing_key() -> str:
    """A private JSON Web Key, as text."""
    key = ec.generate_private_key(ec.SECP256R1())
    described: dict[str, Any] = jwt.get_algorithm_by_name(ALGORITHM).to_jwk(key, as_dict=True)
    return json.dumps(described | {"kid": str(uuid.uuid4()), "alg": ALGORITHM})


class SigningKey:
    """ES256, as projects have it that do not sign with a shared secret any more."""

    def __init__(self, private_key: str) -> None:
        self._private: dict[str, Any] = json.loads(private_key)

    @cached_property
    def _signing(self) -> jwt.PyJWK:
        return jwt.PyJWK(self._private, ALGORITHM)

    @cached_property
    def verifying(self) -> jwt.PyJWK:
        return jwt.PyJWK(self.public(), ALGORITHM)

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._signing, headers={"kid": self._private["kid"]})

    def private_text(self, **changes: str) -> str:
        """As it was given, or with another name."""
        return json.dumps(self._private | changes)

    def verifying_pem(self) -> bytes:
        key: ec.EllipticCurvePublicKey = self.verifying.key
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def public(self) -> dict[str, Any]:
        """As the real one publishes it."""
        shared = {name: self._private[name] for name in ("kty", "crv", "x", "y", "kid", "alg")}
        return shared | {"use": "sig", "key_ops": ["verify"], "ext": True}


def key_set(jwt_secret: str, key: SigningKey) -> str:
    """Both ways in which a token of the project may be signed, for PostgREST."""
    encoded = base64.urlsafe_b64encode(jwt_secret.encode()).rstrip(b"=").decode()
    return json.dumps({"keys": [{"kty": "oct", "k": encoded, "alg": "HS256"}, key.public()]})
