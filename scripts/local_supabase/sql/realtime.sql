-- A stand-in for what the database sees of Supabase Realtime: broadcasts are rows, and policies on those rows say who may
-- join a private topic. Nothing is delivered to anybody. Run as supabase_admin, after roles.sql.
--
-- Hosted: the table is partitioned by day and belongs to supabase_realtime_admin; `postgres` may create policies on it
-- by way of supautils. Here it belongs to postgres, for the same effect.

create schema realtime;
grant usage on schema realtime to postgres, anon, authenticated, service_role;

create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
);
alter table realtime.messages enable row level security;
alter table realtime.messages owner to postgres;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

-- The topic that a client asks to join. For row-level security policies.
create function realtime.topic() returns text
language sql
stable
as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;

-- Sends a broadcast. What goes wrong is a warning, as hosted.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql
as $$
declare
  generated_id uuid := gen_random_uuid();
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (generated_id, jsonb_build_object('id', generated_id) || payload, event, topic, private, 'broadcast');
exception when others then
  raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
end;
$$;
grant execute on function realtime.topic(), realtime.send(jsonb, text, text, boolean)
to postgres, anon, authenticated, service_role;
