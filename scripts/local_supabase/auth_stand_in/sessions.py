"""Who is signed in: sessions, their refresh tokens, and the links in mails. All of it ends with the process."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from . import errors
from .users import User

REUSE_SECONDS = 10.0  # for this long the token before the last one still gets the last one
LINK_SECONDS = 3600.0


@dataclass
class Session:
    user: User
    method: str  # password or otp
    began_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    refresh_token: str = ""
    previous_token: str = ""
    refreshed_at: float = 0.0


class Sessions:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._of_refresh_token: dict[str, str] = {}  # used ones too: their return means that one was stolen
        self._links: dict[str, tuple[User, float]] = {}

    def begin(self, user: User, method: str) -> Session:
        session = Session(user, method, self._now())
        self._sessions[session.id] = session
        self._next_token(session)
        return session

    def refresh(self, token: str) -> Session:
        """The session with a new refresh token. An old one that comes back ends the session."""
        session = self._sessions.get(self._of_refresh_token.get(token, ""))
        if session is None:
            raise errors.no_such_refresh_token()
        if token == session.refresh_token:
            self._next_token(session)
        elif token != session.previous_token or self._now() - session.refreshed_at >= REUSE_SECONDS:
            self.end(session)
            raise errors.refresh_token_already_used()
        return session

    def find(self, session_id: object) -> Session:
        session = self._sessions.get(str(session_id))
        if session is None:
            raise errors.no_such_session()
        return session

    def end(self, session: Session, scope: str = "local") -> None:
        """`global`: everywhere; `others`: everywhere but here."""
        same_user = [one for one in self._sessions.values() if one.user == session.user]
        ended = {
            "local": [session],
            "others": [one for one in same_user if one is not session],
            "global": same_user,
        }[scope]
        for one in ended:
            del self._sessions[one.id]

    def new_link(self, user: User) -> str:
        """The token of a link that signs in once. A newer link makes those before it worthless."""
        self._links = {token: of for token, of in self._links.items() if of[0] != user}
        token = secrets.token_hex(28)
        self._links[token] = (user, self._now() + LINK_SECONDS)
        return token

    def follow_link(self, token: str) -> User:
        user, good_until = self._links.pop(token, (None, 0.0))
        if user is None or self._now() >= good_until:
            raise errors.link_expired()
        return user

    def _next_token(self, session: Session) -> None:
        session.previous_token, session.refresh_token = session.refresh_token, secrets.token_urlsafe(9)
        session.refreshed_at = self._now()
        self._of_refresh_token[session.refresh_token] = session.id
