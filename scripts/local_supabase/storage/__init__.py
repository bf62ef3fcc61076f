"""A stand-in for Supabase's Storage API, small and behaving as the real one does.

It exists because the server is in no package registry. What matters is kept: a row of `storage.objects` is
written twice per upload (a rolled-back probe as the caller, then the real write as the service role), bytes
travel in between, and refusals have the real shapes. The tests replay a recording of the real API against it.
"""

from __future__ import annotations

from .app import create_storage_app
from .context import Storage

__all__ = ["Storage", "create_storage_app"]
