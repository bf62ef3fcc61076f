-- Makes the extensions that a hosted project offers, real ones and stand-ins alike (their comments in
-- pg_available_extensions say which is which), with the privileges that hosted projects give to `postgres`.
-- Run as supabase_admin, so that a later "create extension if not exists" of a migration changes nothing.

create extension http with schema extensions cascade;

create extension pg_cron;
grant usage on schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
grant all on all tables in schema cron to postgres with grant option;
grant all on all sequences in schema cron to postgres with grant option;
revoke all on table cron.job from postgres;
grant select on table cron.job to postgres with grant option;
revoke trigger on table cron.job_run_details from postgres;

create schema vault;
create extension supabase_vault with schema vault;
grant usage on schema vault to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete, truncate, references on vault.secrets, vault.decrypted_secrets
  to postgres with grant option;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function
  vault.create_secret(text, text, text, uuid),
  vault.update_secret(uuid, text, text, text, uuid)
  to postgres, service_role;
