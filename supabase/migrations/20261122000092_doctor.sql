-- doctor: the facts about this project that `crontick doctor` judges, all of them in one call over REST, because an
-- operator's laptop has the secret key and no database connection. Nothing here judges, and nothing returns a secret.

-- What a Vault secret looks like, never what it is: {"name", "present", "length", "padded"}, of an address also its
-- scheme and host, of a secret also whether it is an API key of Supabase. Called by inspect_secrets and worker_answers.
create function public.inspect_secret(secret_name text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  value text;
begin
  select s.decrypted_secret into value from vault.decrypted_secrets s where s.name = secret_name;
  return jsonb_build_object(
    'name', secret_name,
    'present', coalesce(value, '') <> '',
    'length', length(value),
    'padded', coalesce(value <> btrim(value, E' \t\r\n'), false),
    'scheme', lower(substring(value from '^\s*([A-Za-z][A-Za-z+.-]*)://')),
    -- Without what may stand before an @: that is a password.
    'host', lower(substring(value from '^\s*https?://(?:[^/?#@]*@)?([^/?#@\s]+)')),
    'is_api_key', coalesce(value ~ '^\s*(sb_(secret|publishable)_|eyJ)', false));
end $$;
revoke all on function public.inspect_secret(text) from public, anon, authenticated, service_role;

-- One fact, or {"unknown": why} where the owner may not see it or the extension behind it is not there: one missing link
-- must not hide the others. `query` is one of the constants in inspect_project. Called by inspect_project.
create function public.fact_or_reason(query text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  fact jsonb;
begin
  execute query into fact;
  return fact;
exception when others then
  return jsonb_build_object('unknown', sqlerrm, 'code', sqlstate);
end $$;
revoke all on function public.fact_or_reason(text) from public, anon, authenticated, service_role;

-- The schedules that concern us and the last runs of each, newest first. Of a schedule that is not ours only its name is
-- told, and only if a secret seems to stand in it. Called by inspect_project.
create function public.inspect_schedules() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('cron.job') is null then
    return '[]';
  end if;
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'jobid', j.jobid, 'name', j.jobname, 'schedule', j.schedule, 'active', j.active,
      'database', j.database, 'username', j.username,
      'kind', mine.kind, 'command', case when not mine.shows_secret then j.command end,
      'shows_secret', mine.shows_secret,
      'runs', coalesce((
        select jsonb_agg(jsonb_build_object(
          'status', r.status, 'message', left(r.return_message, 500),
          'seconds_ago', extract(epoch from clock_timestamp() - coalesce(r.start_time, r.end_time))::bigint)
          order by r.runid desc)
        from (
          select d.runid, d.status, d.return_message, d.start_time, d.end_time from cron.job_run_details d
          where d.jobid = j.jobid order by d.runid desc limit 5) r), '[]'),
      'overdue_seconds', public.schedule_overdue_by(j.jobid, j.schedule)) order by j.jobname)
    from cron.job j
    cross join lateral (
      select case when j.command like '%invoke_cron_tick(%' then 'tick'
        when j.jobname in (select m.name from public.maintenance_schedules() m) then 'maintenance' else 'other' end as kind,
        j.command ~* '(bearer\s+[a-z0-9]|sb_secret_|eyj[a-z0-9_-]{10,}\.)' as shows_secret) mine
    where mine.kind <> 'other' or mine.shows_secret), '[]');
end $$;
revoke all on function public.inspect_schedules() from public, anon, authenticated, service_role;

-- For how many seconds a schedule should have run again: three of its turns, and ten minutes at least, after its last
-- run; 0 or less when all is well, null when it never ran or its schedule cannot be read. Called by inspect_schedules.
create function public.schedule_overdue_by(jobid bigint, schedule text) returns bigint
language plpgsql stable security definer set search_path = '' as $$
declare
  started_at timestamptz;
begin
  select max(coalesce(d.start_time, d.end_time)) into started_at
  from (
    select r.start_time, r.end_time from cron.job_run_details r
    where r.jobid = schedule_overdue_by.jobid order by r.runid desc limit 3) d;
  return extract(epoch from now() - greatest(started_at + interval '10 minutes', public.next_cron_time(schedule,
    public.next_cron_time(schedule, public.next_cron_time(schedule, started_at)))))::bigint;
exception when invalid_parameter_value then
  return null;
end $$;
revoke all on function public.schedule_overdue_by(bigint, text) from public, anon, authenticated, service_role;

-- The Vault secrets that the ticks' schedules name, or else the usual two, and the alerts' webhook.
-- Called by inspect_project.
create function public.inspect_secrets() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  pairs jsonb := '[]';
begin
  if to_regclass('cron.job') is not null then
    select coalesce(jsonb_agg(distinct jsonb_build_array(named.endpoint, named.runner)), '[]') into pairs
    from cron.job j
    cross join lateral (
      select coalesce(substring(j.command from 'endpoint_secret => ''([^'']+)'''), 'job_queue_worker_endpoint') as endpoint,
        coalesce(substring(j.command from 'runner_secret => ''([^'']+)'''), 'job_queue_runner_secret') as runner) named
    where j.command like '%invoke_cron_tick(%';
  end if;
  if pairs = '[]' then
    pairs := '[["job_queue_worker_endpoint", "job_queue_runner_secret"]]';
  end if;
  return jsonb_build_object(
    'workers', (
      select jsonb_agg(jsonb_build_object(
        'endpoint', public.inspect_secret(p.value ->> 0), 'secret', public.inspect_secret(p.value ->> 1)) order by p.value)
      from jsonb_array_elements(pairs) p),
    'alert_webhook', public.inspect_secret('job_queue_alert_webhook'));
end $$;
revoke all on function public.inspect_secrets() from public, anon, authenticated, service_role;

-- What is due, by type (counted to about a thousand), and how those of the newest 10,000 jobs ended that ended within a
-- day. Bounded: a million jobs cost no more. Called by inspect_project. Takes no locks.
create function public.inspect_queue() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'due', (
      with recursive ready (type) as (
        (select j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready' order by j.type limit 1)
        union all
        select (
          select j.type from public.jobs j
          where j.status = 'queued' and j.turn = 'ready' and j.type > r.type order by j.type limit 1)
        from ready r where r.type is not null
      )
      select coalesce(jsonb_agg(jsonb_build_object('type', d.type, 'jobs', d.jobs, 'oldest_seconds', d.oldest_seconds)
        order by d.type), '[]')
      from (
        select t.type, count(*) as jobs, extract(epoch from now() - min(t.run_at))::bigint as oldest_seconds
        from (
          select r.type, first.run_at
          from ready r
          cross join lateral (
            select j.run_at from public.jobs j
            where j.status = 'queued' and j.turn = 'ready' and j.priority >= -1000 and j.type = r.type
            order by j.place, j.id limit 1000) first
          union all
          (select j.type, j.run_at from public.jobs j
            where j.status = 'queued' and j.turn = 'alone' and j.run_at <= now() limit 1000)
          union all
          (select j.type, j.run_at from public.jobs j
            where j.status = 'queued' and j.turn = 'later' and j.run_at <= now() order by j.run_at limit 1000)) t
        group by t.type) d),
    'expired', (
      select jsonb_build_object('jobs', count(*), 'oldest_seconds', extract(epoch from now() - min(j.lease_expires_at))::bigint)
      from public.jobs j where j.status = 'processing' and j.lease_expires_at < now()),
    'ended', (
      select jsonb_build_object(
        'done', count(*) filter (where e.status = 'done'), 'failed', count(*) filter (where e.status = 'failed'))
      from (select j.status, j.completed_at from public.jobs j order by j.id desc limit 10000) e
      where e.status in ('done', 'failed') and e.completed_at > now() - interval '24 hours'),
    'failed_types', (
      select coalesce(jsonb_agg(distinct f.type), '[]')
      from (
        select j.type from public.jobs j where j.status = 'failed' and j.completed_at > now() - interval '24 hours'
        order by j.completed_at desc limit 1000) f),
    'ingest_failures', (
      select jsonb_build_object('uploads', count(*), 'error', left((array_agg(f.error order by f.id desc))[1], 300))
      from (
        select i.id, i.error from public.ingest_failures i where i.created_at > now() - interval '24 hours'
        order by i.created_at desc limit 1000) f))
$$;
revoke all on function public.inspect_queue() from public, anon, authenticated, service_role;

-- Everything at once: each key is a fact, or {"unknown": why}. Called by `crontick doctor`, through PostgREST, which is
-- how the role, the statement timeout and the settings of the caller's way become facts too. Takes no locks.
create function public.inspect_project(snapshot_seconds int default 300) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'now', clock_timestamp(),
    'database', public.fact_or_reason($q$select jsonb_build_object(
      'name', current_database(), 'version', current_setting('server_version'),
      'replica', pg_catalog.pg_is_in_recovery(),
      'read_only', current_setting('default_transaction_read_only')::boolean,
      'bytes', pg_catalog.pg_database_size(current_database()),
      'connections', (select count(*) from pg_catalog.pg_stat_activity a where a.backend_type = 'client backend'),
      'max_connections', current_setting('max_connections')::int)$q$),
    'caller', public.fact_or_reason($q$select jsonb_build_object(
      'role', nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
      'statement_timeout_ms', (extract(epoch from current_setting('statement_timeout')::interval) * 1000)::bigint,
      'timeout_setting', current_setting('statement_timeout'))$q$),
    'extensions', public.fact_or_reason($q$select coalesce(jsonb_agg(jsonb_build_object(
      'name', e.extname, 'version', e.extversion, 'schema', e.extnamespace::regnamespace::text) order by e.extname), '[]')
      from pg_catalog.pg_extension e where e.extname in ('pg_cron', 'http', 'supabase_vault', 'pg_net')$q$),
    'functions', public.fact_or_reason($q$select jsonb_agg(jsonb_build_object(
      'name', p.proname,
      'anon', has_function_privilege('anon', p.oid, 'execute'),
      'authenticated', has_function_privilege('authenticated', p.oid, 'execute'),
      'service_role', has_function_privilege('service_role', p.oid, 'execute')) order by p.proname)
      from pg_catalog.pg_proc p where p.pronamespace = 'public'::regnamespace$q$),
    'tables', public.fact_or_reason($q$select jsonb_agg(jsonb_build_object(
      'name', c.relname, 'row_security', c.relrowsecurity,
      'anon', has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate'),
      'members_write', has_table_privilege('authenticated', c.oid, 'insert, update, delete, truncate'),
      'service_role', has_table_privilege('service_role', c.oid, 'select')) order by c.relname)
      from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')$q$),
    'triggers', public.fact_or_reason($q$select coalesce(jsonb_agg(jsonb_build_object(
      'name', t.tgname, 'enabled', t.tgenabled <> 'D', 'definition', pg_catalog.pg_get_triggerdef(t.oid)) order by t.tgname), '[]')
      from pg_catalog.pg_trigger t
      where t.tgrelid = 'storage.objects'::regclass and not t.tgisinternal and t.tgname like 'crontick%'$q$),
    'settings', public.fact_or_reason($q$select jsonb_build_object(
      'processing_enabled', s.processing_enabled, 'paused_reason', s.paused_reason,
      'paused_seconds', extract(epoch from now() - s.paused_at)::bigint,
      'lease_seconds', s.lease_seconds, 'http_timeout_ms', s.http_timeout_ms)
      from public.job_queue_settings s where s.only_row$q$),
    'scheduler', public.fact_or_reason($q$select jsonb_build_object(
      'processes', (select count(*) from pg_catalog.pg_stat_activity a
        where a.application_name ilike 'pg_cron scheduler%' or a.backend_type ilike 'pg_cron%'),
      'visible', pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
      'runs_in', current_setting('cron.database_name', true),
      'details_bytes', case when to_regclass('cron.job_run_details') is not null
        then pg_catalog.pg_total_relation_size('cron.job_run_details') end)$q$),
    'schedules', public.fact_or_reason('select public.inspect_schedules()'),
    'maintenance', public.fact_or_reason($q$select jsonb_agg(m.name order by m.name) from public.maintenance_schedules() m$q$),
    'secrets', public.fact_or_reason('select public.inspect_secrets()'),
    'routes', public.fact_or_reason($q$select coalesce(jsonb_agg(jsonb_build_object(
      'name', r.name, 'bucket', r.bucket_id, 'active', r.active, 'path_pattern', r.path_pattern,
      'mime_pattern', r.mime_pattern,
      'types', (select jsonb_agg(distinct e ->> 'type') from jsonb_array_elements(r.flow) e)) order by r.name), '[]')
      from public.ingest_routes r$q$),
    'recurring_types', public.fact_or_reason(
      $q$select coalesce(jsonb_agg(distinct t.type), '[]') from public.cron_tasks t where t.active$q$),
    'buckets', public.fact_or_reason($q$select coalesce(jsonb_agg(jsonb_build_object(
      'id', b.id, 'public', b.public, 'file_size_limit', b.file_size_limit,
      'allowed_mime_types', b.allowed_mime_types) order by b.id), '[]') from storage.buckets b$q$),
    'queue', public.fact_or_reason('select public.inspect_queue()'),
    'snapshots', public.fact_or_reason(format($q$select coalesce(jsonb_agg(s.snapshot order by s.xact_start), '[]') from (
      select a.xact_start, jsonb_build_object(
        'pid', a.pid, 'seconds', extract(epoch from now() - a.xact_start)::bigint, 'application', a.application_name,
        'user', a.usename, 'state', a.state) as snapshot
      from pg_catalog.pg_stat_activity a
      where a.datname = current_database() and a.pid <> pg_catalog.pg_backend_pid()
        and (a.backend_xmin is not null or a.backend_xid is not null)
        and a.xact_start < now() - make_interval(secs => %s)
      order by a.xact_start limit 5) s$q$, snapshot_seconds)),
    'bloat', public.fact_or_reason($q$select coalesce(jsonb_agg(jsonb_build_object(
      'table', t.relname, 'live', t.n_live_tup, 'dead', t.n_dead_tup,
      'bytes', pg_catalog.pg_total_relation_size(t.relid)) order by t.relname), '[]')
      from pg_catalog.pg_stat_user_tables t
      where t.schemaname = 'public' and t.relname in ('jobs', 'job_runs', 'ingested_files')$q$))
$$;
comment on function public.inspect_project(int) is 'The facts that crontick doctor judges, each or why it is unknown.';
revoke all on function public.inspect_project(int) from public, anon, authenticated;
grant execute on function public.inspect_project(int) to service_role;

-- Calls the worker as a tick would, only with {"ping": true}: whether the database reaches it, and what it says of itself.
-- {"ok", "status", "seconds", "error", "host", "answer", "at"}; `answer` is the worker's own, null if somebody else
-- answered; `at` is the database's clock at that moment. Ends within 6 seconds, since statements end after 8.
-- Called by `crontick doctor`. Takes no locks.
create function public.worker_answers(
  endpoint_secret text default 'job_queue_worker_endpoint',
  runner_secret text default 'job_queue_runner_secret'
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  started_at timestamptz := clock_timestamp();
  said jsonb := jsonb_build_object('ok', false, 'status', null, 'error', null, 'host', null, 'answer', null);
  endpoint text;
  secret text;
  answered int;
  content text;
  answer jsonb;
begin
  begin
    endpoint := public.read_vault_secret(endpoint_secret);
    secret := public.read_vault_secret(runner_secret);
    said := said || jsonb_build_object('host', public.inspect_secret(endpoint_secret) ->> 'host');
    perform extensions.http_set_curlopt('CURLOPT_TIMEOUT_MS', '6000');
    perform extensions.http_set_curlopt('CURLOPT_CONNECTTIMEOUT_MS', '5000');
    perform extensions.http_set_curlopt('CURLOPT_USERAGENT', 'crontick');
    select h.status, h.content into answered, content
    from extensions.http((
      'POST', endpoint, array[extensions.http_header('Authorization', 'Bearer ' || secret)],
      'application/json', '{"ping": true}')::extensions.http_request) h;
    begin
      answer := content::jsonb;
    exception when others then
      answer := null;
    end;
    if not coalesce(jsonb_typeof(answer) = 'object' and answer @> '{"ping": true}', false) then
      answer := null;
    end if;
    said := said || jsonb_build_object('status', answered, 'answer', answer, 'ok', answered = 200 and answer is not null);
  exception when others then
    -- The address may be the secret that somebody stored under the wrong name.
    said := said || jsonb_build_object('error', replace(sqlerrm, coalesce(nullif(endpoint, ''), sqlerrm || ' '), '…'));
  end;
  return said || jsonb_build_object(
    'seconds', round(extract(epoch from clock_timestamp() - started_at)::numeric, 3), 'at', clock_timestamp());
end $$;
comment on function public.worker_answers(text, text) is
  'Whether the database reaches the worker, and what it says of itself.';
revoke all on function public.worker_answers(text, text) from public, anon, authenticated;
grant execute on function public.worker_answers(text, text) to service_role;

-- Removes the rows that an upload of doctor's left: its object has to be gone already, which ended its jobs. Returns
-- {"files", "jobs"}. Refuses every other path. Called by `crontick doctor --probe`. Locks the jobs by ascending id, then
-- the files.
create function public.forget_probe(path text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  file_ids bigint[];
  jobs int;
begin
  if path not like 'crontick-doctor/%' then
    raise exception 'this path is no probe of doctor''s: %', path using errcode = '22023';
  end if;
  file_ids := array(
    select f.id from public.ingested_files f
    where f.path = forget_probe.path and f.org_id = 'crontick-doctor'
      and (f.deleted_at is not null or f.superseded_at is not null));
  perform 1 from public.jobs j where j.file_id = any (file_ids) order by j.id for update;
  delete from public.jobs j where j.file_id = any (file_ids);
  get diagnostics jobs = row_count;
  delete from public.ingested_files f where f.id = any (file_ids);
  delete from public.content_results c where c.org_id = 'crontick-doctor';
  delete from public.ingest_failures i where i.path = forget_probe.path;
  return jsonb_build_object('files', cardinality(file_ids), 'jobs', jobs);
end $$;
comment on function public.forget_probe(text) is 'Removes the rows that an upload of crontick doctor left.';
revoke all on function public.forget_probe(text) from public, anon, authenticated;
grant execute on function public.forget_probe(text) to service_role;
