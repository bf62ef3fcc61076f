-- cron tick: pg_cron asks the database whether there is work, and only then the database calls the worker.
--
-- The extensions pg_cron, http and supabase_vault are named here but not needed to apply this file:
-- setup-automated-processing.sql installs what is missing.

-- How many jobs are due now, counted no further than `up_to`: ready ones, those whose time has come, and expired leases.
-- Called by count_claimable_jobs and queue_health. Takes no locks.
create function public.count_due_jobs(up_to int) returns int
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  select (
    (select count(*) from (
      select 1 from public.jobs j where j.status = 'queued' and j.turn = 'ready' limit up_to) ready)
    + (select count(*) from (
      select 1 from public.jobs j where j.status = 'queued' and j.turn = 'alone' and j.run_at <= now() limit up_to) suspect)
    + (select count(*) from (
      select 1 from public.jobs j where j.status = 'queued' and j.turn = 'later' and j.run_at <= now() limit up_to) due)
    + (select count(*) from (
      select 1 from public.jobs j where j.status = 'processing' and j.lease_expires_at < now() limit up_to) expired)
  )::int
$$;
revoke all on function public.count_due_jobs(int) from public, anon, authenticated;
grant execute on function public.count_due_jobs(int) to service_role;

-- How many jobs a claim could take now, counted no further than `up_to`: due, and with room under every limit. With
-- limits on it looks at a hundred organisations; if so many are at their limits, there may be others: then 1.
-- Called by invoke_cron_tick. Takes no locks.
create function public.count_claimable_jobs(up_to int) returns int
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  due int := public.count_due_jobs(up_to);
  candidates public.candidate[];
  free int;
begin
  if due = 0 or not public.limits_are_on() then
    return due;
  end if;
  candidates := public.candidates_in_turn(public.open_types(null, null), up_to, 100) || array(
    select row(s.id, s.type, s.org_key)::public.candidate
    from (
      (select j.id, j.type, j.org_key from public.jobs j
        where j.status = 'queued' and j.turn = 'alone' and j.run_at <= now()
        order by j.place, j.id limit greatest(up_to, 1000))
      union all
      (select j.id, j.type, j.org_key from public.jobs j
        where j.status = 'queued' and j.turn = 'later' and j.run_at <= now()
        order by j.run_at limit greatest(up_to, 1000))) s);
  free := cardinality(public.within_limits(candidates)) + (
    select count(*) from public.jobs j where j.status = 'processing' and j.lease_expires_at < now());
  if free = 0 and (cardinality(candidates) >= 1000 or (select count(distinct c.org_key) from unnest(candidates) c) >= 100) then
    return 1;
  end if;
  return least(free, due);
end $$;
revoke all on function public.count_claimable_jobs(int) from public, anon, authenticated;
grant execute on function public.count_claimable_jobs(int) to service_role;

-- One secret out of Vault, or an exception that says how to create it. Called by invoke_cron_tick.
create function public.read_vault_secret(secret_name text) returns text
language plpgsql stable security definer set search_path = '' as $$
declare
  secret text;
begin
  select s.decrypted_secret into secret from vault.decrypted_secrets s where s.name = secret_name;
  if coalesce(secret, '') = '' then
    raise exception 'Vault has no secret named %', secret_name
      using errcode = '55000', hint = format('select vault.create_secret(''<value>'', %L);', secret_name);
  end if;
  return secret;
end $$;
revoke all on function public.read_vault_secret(text) from public, anon, authenticated, service_role;

-- What pg_cron runs: calls the worker when there is work for this slot, and raises unless it answers 2xx, so that
-- cron.job_run_details tells the truth. Returns a sentence. Slot n calls only when more than (n - 1) batches are due.
-- Called by the schedules that schedule_cron_tick makes. It writes and locks nothing: the call holds this transaction's
-- snapshot until the worker answers, and the worker must never wait for us. The secret goes in the Authorization header,
-- which the http extension drops when an endpoint redirects to another host.
create function public.invoke_cron_tick(
  batch_size int default 5,
  delay_ms int default 0,
  slot int default 1,
  endpoint_secret text default 'job_queue_worker_endpoint',
  runner_secret text default 'job_queue_runner_secret'
) returns text
language plpgsql security definer set search_path = '' as $$
declare
  settings public.job_queue_settings;
  needed int := (greatest(slot, 1) - 1) * batch_size + 1;
  endpoint text;
  host text;
  secret text;
  status int;
  content text;
begin
  select * into settings from public.job_queue_settings s where s.only_row;
  if not settings.processing_enabled then
    return format('not called: processing is paused (%s)', coalesce(settings.paused_reason, 'no reason given'));
  end if;
  if public.count_claimable_jobs(needed) < needed then
    return format('not called: nothing is due for slot %s', slot);
  end if;

  endpoint := public.read_vault_secret(endpoint_secret);
  -- Errors name the host alone: Vault holds more than addresses, and who may call this may name any of its secrets.
  host := substring(endpoint from '^https?://(?:[^/?#@]*@)?[^/?#@]+');
  if host is null then
    raise exception 'Vault''s % is no http(s) URL', endpoint_secret using errcode = '55000';
  end if;
  host := regexp_replace(host, '//[^@]*@', '//');
  secret := public.read_vault_secret(runner_secret);
  perform extensions.http_set_curlopt('CURLOPT_TIMEOUT_MS', settings.http_timeout_ms::text);
  perform extensions.http_set_curlopt('CURLOPT_CONNECTTIMEOUT_MS', '10000');
  perform extensions.http_set_curlopt('CURLOPT_USERAGENT', 'crontick');
  begin
    select h.status, h.content into status, content
    from extensions.http((
      'POST', endpoint,
      array[extensions.http_header('Authorization', 'Bearer ' || secret)],
      'application/json',
      jsonb_build_object('limit', batch_size, 'delay', delay_ms)::text
    )::extensions.http_request) h;
  exception when others then
    raise exception 'the worker at % did not answer: %', host, sqlerrm using errcode = '08000';
  end;

  if status between 200 and 299 then
    return format('called: the worker answered %s', status);
  end if;
  raise exception 'the worker at % answered %: %', host, status, case
    when status = 401 then format('it refused the secret; Vault''s %s must equal its JOB_QUEUE_RUNNER_SECRET or CRON_SECRET', runner_secret)
    when status = 405 then 'the endpoint seems to redirect; store its final https URL'
    else coalesce(nullif(left(content, 300), ''), 'no content') end
    using errcode = '08000';
end $$;
comment on function public.invoke_cron_tick(int, int, int, text, text) is
  'What pg_cron runs: calls the worker when something is due, raises unless it answers 2xx.';
revoke all on function public.invoke_cron_tick(int, int, int, text, text) from public, anon, authenticated;
grant execute on function public.invoke_cron_tick(int, int, int, text, text) to service_role;

-- Refuses where pg_cron is missing, and a schedule, if one is given, that pg_cron would misread.
-- Called by whatever schedules and unschedules. Takes no locks.
create function public.check_cron_schedule(schedule text default null) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('cron.job') is null then
    raise exception 'pg_cron is not installed' using errcode = '55000', hint = 'create extension if not exists pg_cron;';
  end if;
  if array_length(regexp_split_to_array(btrim(schedule), '\s+'), 1) = 6 then
    raise exception 'schedule "%" has six fields; pg_cron would read it as five', schedule
      using errcode = '22023', hint = 'For less than a minute write ''30 seconds'' (1 to 59, pg_cron 1.5 or newer).';
  end if;
end $$;
revoke all on function public.check_cron_schedule(text) from public, anon, authenticated;
grant execute on function public.check_cron_schedule(text) to service_role;

-- Schedules the ticks of one worker, or changes them: job_name for slot 1, job_name-2 … for further slots.
-- Called by setup-automated-processing.sql and operators. Safe to repeat; fewer workers than before removes slots. A
-- schedule that somebody paused stays paused. Other Vault names let staging and production stand side by side.
create function public.schedule_cron_tick(
  job_name text default 'process-flashcard-jobs',
  schedule text default '* * * * *',
  batch_size int default 5,
  delay_ms int default 0,
  workers int default 1,
  endpoint_secret text default 'job_queue_worker_endpoint',
  runner_secret text default 'job_queue_runner_secret'
) returns text
language plpgsql security definer set search_path = '' as $$
declare
  slot int;
  surplus text;
begin
  perform public.check_cron_schedule(schedule);
  if not coalesce(workers between 1 and 8 and batch_size between 1 and 100 and delay_ms between 0 and 60000, false) then
    raise exception 'workers must be 1 to 8, batch_size 1 to 100 and delay_ms 0 to 60000' using errcode = '22023';
  end if;

  select j.jobname into surplus from cron.job j
  where j.command not like '%invoke_cron_tick(%' and j.jobname in (
    select case when n = 1 then job_name else format('%s-%s', job_name, n) end from generate_series(1, workers) n);
  if surplus is not null then
    raise exception 'a schedule named "%" exists and is no tick: choose another job_name', surplus using errcode = 'PT409';
  end if;

  for slot in 1..workers loop
    perform cron.schedule(
      case when slot = 1 then job_name else format('%s-%s', job_name, slot) end,
      schedule,
      format('select public.invoke_cron_tick(batch_size => %s, delay_ms => %s, slot => %s, endpoint_secret => %L, runner_secret => %L)',
        batch_size, delay_ms, slot, endpoint_secret, runner_secret));
  end loop;
  for surplus in
    select j.jobname from cron.job j
    where left(j.jobname, length(job_name) + 1) = job_name || '-'
      and substr(j.jobname, length(job_name) + 2) ~ '^[2-8]$'
      and substr(j.jobname, length(job_name) + 2)::int > workers
      -- Another environment may be called so; only a slot of ours has its number in its name.
      and j.command like format('%%invoke_cron_tick(%%slot => %s,%%', substr(j.jobname, length(job_name) + 2))
  loop
    perform cron.unschedule(surplus);
  end loop;
  return format('scheduled "%s" at "%s": %s worker(s), %s jobs a batch, %s ms between jobs',
    job_name, schedule, workers, batch_size, delay_ms);
end $$;
comment on function public.schedule_cron_tick(text, text, int, int, int, text, text) is
  'Schedules the ticks of one worker; safe to repeat.';
revoke all on function public.schedule_cron_tick(text, text, int, int, int, text, text) from public, anon, authenticated;
grant execute on function public.schedule_cron_tick(text, text, int, int, int, text, text) to service_role;

-- Removes the schedules that schedule_cron_tick made under that name. Called by operators. Safe to repeat.
create function public.unschedule_cron_tick(job_name text default 'process-flashcard-jobs') returns text
language plpgsql security definer set search_path = '' as $$
declare
  scheduled text;
  removed int := 0;
begin
  for scheduled in
    select j.jobname from cron.job j
    where (j.jobname = job_name and j.command like '%invoke_cron_tick(%')
      or (left(j.jobname, length(job_name) + 1) = job_name || '-'
        and substr(j.jobname, length(job_name) + 2) ~ '^[2-8]$'
        and j.command like format('%%invoke_cron_tick(%%slot => %s,%%', substr(j.jobname, length(job_name) + 2)))
  loop
    perform cron.unschedule(scheduled);
    removed := removed + 1;
  end loop;
  return format('removed %s schedule(s) named "%s"', removed, job_name);
end $$;
comment on function public.unschedule_cron_tick(text) is 'Removes the schedules that schedule_cron_tick made.';
revoke all on function public.unschedule_cron_tick(text) from public, anon, authenticated;
grant execute on function public.unschedule_cron_tick(text) to service_role;
