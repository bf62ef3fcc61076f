-- The roles, schemas and privileges of a hosted Supabase project, as new projects have them since
-- October 2026. Run once, as the superuser supabase_admin, on an empty cluster.
--
-- What is not here: pg-safeupdate (hosted: UPDATE and DELETE without WHERE raise 21000 when they come over
-- REST). It is a C library that neither leg's packages carry.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;

create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';

create role supabase_storage_admin login noinherit createrole;
grant authenticator to supabase_storage_admin;
alter role supabase_storage_admin set search_path = 'storage';

create role postgres login nosuperuser createdb createrole replication bypassrls;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;

alter database postgres owner to postgres;
alter database postgres set statement_timeout = '2min';

-- Schema public belongs to pg_database_owner, which is the role postgres. New objects in it get no grants for
-- the API roles: there is no "alter default privileges" here. PostgreSQL's own default stays: every new
-- function is executable by PUBLIC until somebody revokes that.
grant usage on schema public to anon, authenticated, service_role;

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;

-- PostgREST learns of DDL through these; it does not learn of grants.
create function extensions.pgrst_ddl_watch() returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
  notify pgrst, 'reload schema';
end
$$;

create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_ddl_watch();
