"""How the user of a local Supabase gets into its dashboard: by an address that signs the local admin in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SignIn:
    """`secret` is part of that address, and a new one in each run."""

    site_url: str  # where whoever signed in is led to: the dashboard
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def url(self, project_url: str) -> str:
        return f"{project_url}/auth/v1/sign-in/{self.secret}"
