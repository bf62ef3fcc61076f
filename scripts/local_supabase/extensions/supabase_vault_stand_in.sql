-- A stand-in for supabase_vault 0.3. Nothing is encrypted: `secret` holds the text in base64, only so that
-- a query that reads it in place of `decrypted_secret` fails here as it does on a hosted project.

create table @extschema@.secrets (
  id uuid primary key default pg_catalog.gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea default pg_catalog.decode(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 'hex'),
  created_at timestamptz not null default pg_catalog.now(),
  updated_at timestamptz not null default pg_catalog.now()
);

create unique index secrets_name_idx on @extschema@.secrets (name) where name is not null;

create view @extschema@.decrypted_secrets as
select
  s.id,
  s.name,
  s.description,
  s.secret,
  pg_catalog.convert_from(pg_catalog.decode(s.secret, 'base64'), 'utf8') as decrypted_secret,
  s.key_id,
  s.nonce,
  s.created_at,
  s.updated_at
from @extschema@.secrets as s;

create function @extschema@.create_secret(
  new_secret text,
  new_name text default null,
  new_description text default '',
  new_key_id uuid default null
) returns uuid
language sql
security definer
set search_path = ''
as $$
  insert into @extschema@.secrets (secret, name, description)
  values (
    pg_catalog.encode(pg_catalog.convert_to(new_secret, 'utf8'), 'base64'),
    new_name,
    coalesce(new_description, '')
  )
  returning id
$$;

create function @extschema@.update_secret(
  secret_id uuid,
  new_secret text default null,
  new_name text default null,
  new_description text default null,
  new_key_id uuid default null
) returns void
language sql
security definer
set search_path = ''
as $$
  update @extschema@.secrets as s
  set
    secret = coalesce(pg_catalog.encode(pg_catalog.convert_to(new_secret, 'utf8'), 'base64'), s.secret),
    name = coalesce(new_name, s.name),
    description = coalesce(new_description, s.description),
    updated_at = pg_catalog.now()
  where s.id = secret_id
$$;

revoke all on function @extschema@.create_secret(text, text, text, uuid) from public;
revoke all on function @extschema@.update_secret(uuid, text, text, text, uuid) from public;
