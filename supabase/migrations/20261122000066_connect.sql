-- connect: one call that joins a deployed worker to this project. `crontick connect` makes it over REST.

-- Stores a secret in Vault under a name, or changes the one that is there. Returns created, updated or unchanged.
-- Called by connect_worker.
create function public.store_vault_secret(secret_name text, value text) returns text
language plpgsql security definer set search_path = '' as $$
declare
  found_id uuid;
  found_value text;
begin
  select s.id, s.decrypted_secret into found_id, found_value from vault.decrypted_secrets s where s.name = secret_name;
  if found_id is null then
    perform vault.create_secret(value, secret_name);
    return 'created';
  elsif found_value is not distinct from value then
    return 'unchanged';
  end if;
  perform vault.update_secret(found_id, value);
  return 'updated';
end $$;
revoke all on function public.store_vault_secret(text, text) from public, anon, authenticated, service_role;

-- The schedules of ticks and maintenance as they stand, by name: to tell what a call has changed. Called by connect_worker.
create function public.scheduled_now() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('cron.job') is null then
    return '{}';
  end if;
  return coalesce((
    select jsonb_object_agg(j.jobname, jsonb_build_object('schedule', j.schedule, 'command', j.command, 'active', j.active))
    from cron.job j
    where j.jobname is not null and (j.command like '%invoke_cron_tick(%' or j.jobname like 'crontick-%')), '{}');
end $$;
revoke all on function public.scheduled_now() from public, anon, authenticated, service_role;

-- How the ticks of that name are scheduled now; null for what cannot be told, and for all where there are none. So that
-- connecting again, as for a new secret, keeps what somebody chose. Called by connect_worker.
create function public.tick_as_scheduled(
  job_name text, out schedule text, out batch_size int, out delay_ms int, out workers int, out endpoint_secret text,
  out runner_secret text
)
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('cron.job') is null then
    return;
  end if;
  select j.schedule,
    substring(j.command from 'batch_size => ([0-9]+)')::int,
    substring(j.command from 'delay_ms => ([0-9]+)')::int,
    replace(substring(j.command from 'endpoint_secret => ''((?:[^'']|'''')+)'''), '''''', ''''),
    replace(substring(j.command from 'runner_secret => ''((?:[^'']|'''')+)'''), '''''', '''')
  into schedule, batch_size, delay_ms, endpoint_secret, runner_secret
  from cron.job j
  where j.jobname = job_name and j.command like '%invoke_cron_tick(%';
  if found then
    select 1 + count(*) into workers from cron.job j
    where left(j.jobname, length(job_name) + 1) = job_name || '-' and substr(j.jobname, length(job_name) + 2) ~ '^[2-8]$'
      and j.command like format('%%invoke_cron_tick(%%slot => %s,%%', substr(j.jobname, length(job_name) + 2));
  end if;
end $$;
revoke all on function public.tick_as_scheduled(text) from public, anon, authenticated, service_role;

-- Makes an extension if it is missing. Returns created or unchanged; raises with the statement to run by hand where the
-- caller's way may not. Called by connect_worker.
create function public.ensure_extension(extension_name text, in_schema text default null) returns text
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_extension e where e.extname = extension_name) then
    return 'unchanged';
  end if;
  execute format('create extension if not exists %I', extension_name)
    || case when in_schema is null then '' else format(' with schema %I', in_schema) end;
  return 'created';
exception when others then
  raise exception 'extension % is missing and cannot be made from here: %', extension_name, sqlerrm
    using errcode = '22023', hint = format('In the SQL editor: create extension if not exists %I%s;', extension_name,
      case when in_schema is null then '' else format(' with schema %I', in_schema) end);
end $$;
revoke all on function public.ensure_extension(text, text) from public, anon, authenticated, service_role;

-- Refuses an address that a worker cannot have. Called by connect_worker.
create function public.check_worker_address(worker_url text) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if not coalesce(worker_url ~ '^https://[^/?#@\s]+(/[^?#\s]*)?$'
    or worker_url ~ '^http://(localhost|127\.0\.0\.1|\[::1\]|host\.docker\.internal)(:[0-9]+)?(/[^?#\s]*)?$', false)
  then
    raise exception 'the worker''s address has to be its https URL, with nothing before the host or after the path'
      using errcode = '22023', hint = 'Such as https://crontick-abc123-ew.a.run.app/';
  end if;
end $$;
revoke all on function public.check_worker_address(text) from public, anon, authenticated, service_role;

-- Refuses a new value for a secret by which another schedule calls its worker: a second environment needs secrets of its
-- own names. Called by connect_worker.
create function public.check_secret_is_ours(secret_name text, value text, job_name text) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  other text;
begin
  if to_regclass('cron.job') is null or not exists (
      select from vault.decrypted_secrets s where s.name = secret_name and s.decrypted_secret is distinct from value) then
    return;
  end if;
  select min(j.jobname) into other from cron.job j
  where j.command like '%invoke_cron_tick(%'
    and strpos(j.command, format('_secret => %L', secret_name)) > 0
    and j.jobname <> job_name
    and not (left(j.jobname, length(job_name) + 1) = job_name || '-' and substr(j.jobname, length(job_name) + 2) ~ '^[2-8]$');
  if other is not null then
    raise exception 'the schedule "%" uses the secret % with another value', other, secret_name
      using errcode = 'PT409',
        hint = 'Give this environment its own --endpoint-secret and --runner-secret, or the job name of the other one.';
  end if;
end $$;
revoke all on function public.check_secret_is_ours(text, text, text) from public, anon, authenticated, service_role;

-- Does what connect_worker promises and lists what each step changed: [{"what", "change"}]. Called by connect_worker.
create function public.connect_worker_steps(
  worker_url text, worker_secret text, job_name text, schedule text, batch_size int, delay_ms int, workers int,
  endpoint_secret text, runner_secret text
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps jsonb := jsonb_build_array(
    jsonb_build_object('what', 'extension pg_cron', 'change', public.ensure_extension('pg_cron')),
    jsonb_build_object('what', 'extension http', 'change', public.ensure_extension('http', 'extensions')));
  before jsonb;
begin
  perform public.check_worker_address(worker_url);
  perform public.check_secret_is_ours(endpoint_secret, worker_url, job_name);
  perform public.check_secret_is_ours(runner_secret, worker_secret, job_name);
  before := public.scheduled_now();
  steps := steps || jsonb_build_array(
    jsonb_build_object('what', 'Vault secret ' || endpoint_secret, 'change', public.store_vault_secret(endpoint_secret, worker_url)),
    jsonb_build_object('what', 'Vault secret ' || runner_secret, 'change', public.store_vault_secret(runner_secret, worker_secret)));
  perform public.schedule_cron_tick(job_name, schedule, batch_size, delay_ms, workers, endpoint_secret, runner_secret);
  perform public.schedule_maintenance();
  return steps || (
    select coalesce(jsonb_agg(jsonb_build_object(
      'what', 'schedule ' || coalesce(a.key, b.key),
      'change', case when b.key is null then 'created' when a.key is null then 'removed'
        when a.value = b.value then 'unchanged' else 'updated' end,
      'paused', coalesce(not (a.value ->> 'active')::boolean, false)) order by coalesce(a.key, b.key)), '[]')
    from jsonb_each(public.scheduled_now()) a full join jsonb_each(before) b on b.key = a.key);
end $$;
revoke all on function public.connect_worker_steps(text, text, text, text, int, int, int, text, text)
from public, anon, authenticated, service_role;

-- Joins a deployed worker to this project: the extensions, its address and secret in Vault, its ticks and the maintenance.
-- Answers {"steps": [{"what", "change": created|updated|unchanged|removed, "paused"?}], "dry_run"}. Safe to repeat; a dry
-- run does it all in a subtransaction that is undone. What is null stays as it is scheduled, and is the usual where nothing
-- is yet: every minute, 5 jobs a batch, one worker, the secrets job_queue_worker_endpoint and job_queue_runner_secret.
-- Called by `crontick connect`. One call at a time, by an advisory lock.
create function public.connect_worker(
  worker_url text,
  worker_secret text,
  job_name text default 'process-flashcard-jobs',
  schedule text default null,
  batch_size int default null,
  delay_ms int default null,
  workers int default null,
  endpoint_secret text default null,
  runner_secret text default null,
  dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  now_is record;
  steps jsonb;
begin
  perform pg_advisory_xact_lock(hashtextextended('crontick: connect', 0));
  select * into now_is from public.tick_as_scheduled(job_name);
  endpoint_secret := coalesce(endpoint_secret, now_is.endpoint_secret, 'job_queue_worker_endpoint');
  runner_secret := coalesce(runner_secret, now_is.runner_secret, 'job_queue_runner_secret');
  if length(coalesce(worker_secret, '')) < 16 then
    raise exception 'the worker''s secret has to have 16 characters at least' using errcode = '22023';
  elsif endpoint_secret = runner_secret then
    raise exception 'the address and the secret need two names in Vault' using errcode = '22023';
  end if;
  begin
    steps := public.connect_worker_steps(
      worker_url, worker_secret, job_name, coalesce(schedule, now_is.schedule, '* * * * *'),
      coalesce(batch_size, now_is.batch_size, 5), coalesce(delay_ms, now_is.delay_ms, 0),
      coalesce(workers, now_is.workers, 1), endpoint_secret, runner_secret);
    if dry_run then
      raise exception using errcode = 'CTDRY', message = 'undone';
    end if;
  exception when sqlstate 'CTDRY' then
    null;
  end;
  return jsonb_build_object('steps', steps, 'dry_run', dry_run);
end $$;
comment on function public.connect_worker(text, text, text, text, int, int, int, text, text, boolean) is
  'Joins a deployed worker to this project: Vault, ticks, maintenance. Safe to repeat.';
revoke all on function public.connect_worker(text, text, text, text, int, int, int, text, text, boolean)
from public, anon, authenticated;
grant execute on function public.connect_worker(text, text, text, text, int, int, int, text, text, boolean) to service_role;
