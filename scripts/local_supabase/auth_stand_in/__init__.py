"""A stand-in for Supabase Auth: two users, who sign in by password or by a link in a mail that is kept here.

It answers as the real one (GoTrue) does, faults included, to what the dashboard and supabase-js ask of it.
Sign-ups, codes instead of links, phones and other providers are not there. Sessions live as long as it does.
"""

from .app import create_auth_app
from .config import AuthConfig

__all__ = ["AuthConfig", "create_auth_app"]
