"""What can go wrong around a job, one leaf per decision that a caller can take.

    CrontickError
    ├── ConfigurationError      a variable or a deployment is wrong: an operator has to act
    │   └── HandlerUnavailable  this deployment has no such handler: put the job back, do not fail it
    ├── QueueUnavailable        the database cannot be reached right now: the same call may pass later
    │   ├── QueueTooSlow        it gave up on this call for its size: a smaller one may pass
    │   └── AnswerUnknown       it answered, but not what this version expects: believe nothing of it
    ├── RequestRefused          the database understood the call and said no: the caller has to change it
    ├── NotSignedIn             the jobs API knows nobody by what the caller brought: sign in (again)
    ├── NotAllowed              it knows them, and they are no admin: signing in again does not help
    ├── KeysUnavailable         it cannot tell, for want of the keys that tokens are signed with: try later
    └── LeaseLost               the job belongs to somebody else now: drop the work, report nothing

Every message names the thing and the remedy. Errors of httpx and postgrest end here, as `__cause__`.
"""

from __future__ import annotations


class CrontickError(Exception):
    """Base of everything that this project raises on purpose."""


class ConfigurationError(CrontickError):
    """A variable is missing or wrong. `QueueUnavailable` is for what waiting may cure; this is not."""


class HandlerUnavailable(ConfigurationError):  # noqa: N818 - says what is the matter
    """No handler of that name can be loaded here: normal for a minute while a deploy is under way."""


class QueueUnavailable(CrontickError):  # noqa: N818 - as above
    """The database, PostgREST or the way to it is down or overloaded, and retries did not help."""

    def __init__(self, message: str, *, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt  # True: the call may have been carried out, only its answer is missing


class QueueTooSlow(QueueUnavailable):
    """A statement or a request ran into its time limit."""


class AnswerUnknown(QueueUnavailable):
    """Another version's answer, or that of something in between; not a refusal of what was asked."""


class RequestRefused(CrontickError):  # noqa: N818 - as above
    """The database refused the call itself: `sqlstate` says why, `hint` what to do, where it knows.

    `said` is its sentence alone, for callers who know neither functions nor SQLSTATEs.
    """

    def __init__(
        self, message: str, *, sqlstate: str | None = None, hint: str | None = None, said: str | None = None
    ) -> None:
        super().__init__(message)
        self.said = said or message
        self.sqlstate = sqlstate
        self.hint = hint


class NotSignedIn(CrontickError):  # noqa: N818 - as above
    """The message is for the log; the caller learns nothing of why."""


class NotAllowed(CrontickError):  # noqa: N818 - as above
    """As with `NotSignedIn`, the message is for the log."""


class KeysUnavailable(CrontickError):  # noqa: N818 - as above
    """Supabase Auth does not hand out its public keys right now, and none that would do are in store."""


class LeaseLost(CrontickError):  # noqa: N818 - as above
    """Raised inside a handler by its context, when the job was cancelled, reclaimed or stopped."""
