"""One admitted request, as the views get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.admin.desk import Desk
from functions.admin.identity import Operator
from functions.operator_rows import Operation


@dataclass(frozen=True)
class Call:
    """Who asks, and what the answer is made of."""

    desk: Desk
    operator: Operator

    def change(self, action: Operation, parameters: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Carries out one change in this operator's name."""
        return self.desk.operate(self.operator, action, parameters, dry_run=dry_run)
