"""A Supabase for laptops and tests: real parts where a registry carries them, named stand-ins elsewhere."""

from __future__ import annotations

from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.leg import Leg
from scripts.local_supabase.local_supabase import LocalSupabase

__all__ = ["Leg", "LocalSupabase", "LocalSupabaseError"]
