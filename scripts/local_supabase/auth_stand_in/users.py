"""The two people of a local project: an admin of the jobs API, and somebody with an account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

ADMIN_EMAIL = "admin@example.com"
MEMBER_EMAIL = "member@example.com"
SINCE = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class User:
    email: str
    role: str | None = None  # in app_metadata, which only the project itself writes

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email}"))

    @property
    def app_metadata(self) -> dict[str, Any]:
        known = {"provider": "email", "providers": ["email"]}
        return known | ({"role": self.role} if self.role else {})

    @property
    def user_metadata(self) -> dict[str, Any]:
        return {"email": self.email, "email_verified": True, "phone_verified": False, "sub": self.id}

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": self.email,
            "email_confirmed_at": SINCE,
            "phone": "",
            "confirmed_at": SINCE,
            "last_sign_in_at": SINCE,
            "app_metadata": self.app_metadata,
            "user_metadata": self.user_metadata,
            "identities": [],
            "created_at": SINCE,
            "updated_at": SINCE,
            "is_anonymous": False,
        }


USERS = {user.email: user for user in (User(ADMIN_EMAIL, role="admin"), User(MEMBER_EMAIL))}
