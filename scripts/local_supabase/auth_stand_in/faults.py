"""Switches that a test throws: paths that are rate-limited, or that nobody answers at.

POST /auth/v1/stand-in/faults {"path": "/otp", "fault": "rate_limited" | "down" | null}   with the secret key
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from . import errors

KINDS = ("rate_limited", "down")


@dataclass
class Faults:
    by_path: dict[str, str] = field(default_factory=dict)

    def set(self, path: str, fault: str | None) -> None:
        if fault is not None and fault not in KINDS:
            raise errors.invalid_request(f"fault is one of {', '.join(KINDS)}")
        self.by_path.pop(path, None)
        if fault is not None:
            self.by_path[path] = fault

    def answer(self, request: Request, path: str) -> Response | None:
        match self.by_path.get(path):
            case "rate_limited":
                error = errors.too_many_mails() if path == "/otp" else errors.too_many_requests()
                return error.response(request)
            case "down":  # which is the gateway's answer
                return JSONResponse({"message": "The upstream server is currently unavailable"}, 503)
        return None
