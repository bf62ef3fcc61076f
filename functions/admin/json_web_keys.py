"""Reads a JSON Web Key Set: of each key, which single algorithm it may be used with."""

from __future__ import annotations

from typing import Any

import jwt

Keys = dict[str, jwt.PyJWK]

SHORTEST_RSA_BITS = 2048
# By the kind of the key, never by what a token says. No symmetric kind is among them: what is published
# cannot be a secret.
ALGORITHMS = {("EC", "P-256"): "ES256", ("RSA", ""): "RS256", ("OKP", "Ed25519"): "EdDSA"}


def public_keys(document: object) -> Keys:
    """The usable keys by their `kid`. Raises `ValueError` when the document is no key set."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is no JSON Web Key Set")
    found = (_usable(key) for key in keys if isinstance(key, dict))
    return {key.key_id: key for key in found if key is not None and key.key_id}


def _usable(described: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = ALGORITHMS.get((str(described.get("kty")), str(described.get("crv", ""))))
    if algorithm is None or described.get("alg", algorithm) != algorithm:
        return None
    if described.get("use", "sig") != "sig" or not isinstance(described.get("kid"), str):
        return None
    public = {name: value for name, value in described.items() if name != "d"}
    try:
        key = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    size = getattr(key.key, "key_size", SHORTEST_RSA_BITS)
    return None if described["kty"] == "RSA" and size < SHORTEST_RSA_BITS else key
