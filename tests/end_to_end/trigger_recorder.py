"""Sees what a row trigger on `storage.objects` sees, in transactions that are rolled back too.

What a trigger writes into a table is rolled back with it. So each event is copied to a file of its own,
numbered by a sequence: neither files nor sequences know transactions. The transaction's id tells how it ended.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

INSTALL = """
create schema trigger_recorder;
grant usage on schema trigger_recorder to public;
create sequence trigger_recorder.numbers;

create function trigger_recorder.keep(event jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    execute format(
        'copy (select %L) to %L',
        encode(convert_to(event::text, 'utf8'), 'hex'),
        {directory} || '/' || to_char(nextval('trigger_recorder.numbers'), 'FM000000')
    );
end;
$$;

create function trigger_recorder.record() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if coalesce(new.bucket_id, old.bucket_id) = {bucket} then
        perform trigger_recorder.keep(jsonb_build_object(
            'op', tg_op, 'role', current_user, 'xid', pg_current_xact_id()::text,
            'new', to_jsonb(new) - 'path_tokens', 'old', to_jsonb(old) - 'path_tokens'
        ));
    end if;
    return null;
end;
$$;

create trigger trigger_recorder
after insert or update or delete on storage.objects
for each row execute function trigger_recorder.record();
"""
REMOVE = "drop trigger trigger_recorder on storage.objects; drop schema trigger_recorder cascade;"


class TriggerRecorder:
    def __init__(self, admin: psycopg.Connection[Any], bucket: str) -> None:
        self._admin = admin
        self._bucket = bucket
        # Not pytest's own directory: Postgres may run as a user who cannot enter that one.
        self._directory = Path(tempfile.mkdtemp(prefix="trigger-recorder-"))
        self._directory.chmod(0o777)

    def __enter__(self) -> Self:
        directory, bucket = sql.Literal(str(self._directory)), sql.Literal(self._bucket)
        self._admin.execute(sql.SQL(INSTALL).format(directory=directory, bucket=bucket))
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.execute(REMOVE)
        shutil.rmtree(self._directory)

    def take(self) -> list[dict[str, Any]]:
        """The events since the last call, in their order."""
        files = sorted(self._directory.iterdir())
        events = [json.loads(bytes.fromhex(file.read_text())) for file in files]
        for file in files:
            file.unlink()
        for event in events:
            status = self._admin.execute("select pg_xact_status(%s::xid8)", [event.pop("xid")]).fetchone()
            event["committed"] = status == ("committed",)
        return events
