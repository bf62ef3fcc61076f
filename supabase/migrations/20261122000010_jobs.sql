-- jobs: one row is one piece of work; everything else in this folder moves these rows along.
--
--   waiting ──► queued ──► processing ──► done
--   (parents)     ▲            │   │
--                 ├── retry ───┘   └────► failed      (a dead letter: permanent, or attempts used up)
--                 └── lease expired, snooze, release
--   waiting, queued, processing ──► cancelled         (operator, newer upload, file deleted, parent failed)
--
-- Who moves a job: enqueue_jobs makes it (waiting or queued); claim_jobs hands it out (processing) and
-- takes it back when its lease ran out; resolve_jobs ends the attempt; the storage trigger and cancel_job
-- cancel; retry_job brings a dead letter back. Only functions write here, and each of them changes a
-- processing row only while the row still carries the lease token it was given.
--
-- Lock order: all jobs that a call may change, in one statement by ascending id (a child's id is always above its
-- parents'), then ingested_files by ascending id.

create table public.job_types (
  type text primary key check (type = '*' or type ~ '^[a-z][a-z0-9_]{0,62}$'),
  max_attempts int check (max_attempts between 1 and 100),
  max_crashes int check (max_crashes between 1 and 100),
  backoff_seconds numeric check (backoff_seconds between 0 and 2592000),
  backoff_cap_seconds numeric check (backoff_cap_seconds between 0 and 2592000),
  timeout_seconds int check (timeout_seconds between 1 and 86400),
  max_concurrency int check (max_concurrency >= 0),
  max_concurrency_per_org int check (max_concurrency_per_org >= 0),
  usual_cost numeric check (usual_cost between 0 and 1e9),
  keep_done_days int check (keep_done_days between 0 and 365000),
  keep_failed_days int check (keep_failed_days between 0 and 365000),
  keep_cancelled_days int check (keep_cancelled_days between 0 and 365000),
  apply_function text check (apply_function ~ '^[a-z_][a-z0-9_]*$'),
  description text,
  constraint the_default_policy_is_complete check (
    type <> '*' or (max_attempts is not null and max_crashes is not null
      and backoff_seconds is not null and backoff_cap_seconds is not null
      and keep_done_days is not null and keep_failed_days is not null and keep_cancelled_days is not null)),
  constraint the_default_limits_no_type check (type <> '*' or max_concurrency is null)
);
comment on table public.job_types is
  'Policy per job type. A null takes the value of the row ''*''; a type without a row is all defaults.';
comment on column public.job_types.timeout_seconds is 'Wins over the handler''s own timeout when set.';
comment on column public.job_types.max_concurrency is
  'At most so many live leases at once, counted when jobs are claimed; 0 stops the type.';
comment on column public.job_types.usual_cost is
  'What one job is expected to cost: reserved against an organisation''s spend_per_day while the job runs.';
comment on column public.job_types.keep_done_days is
  'How long prune_jobs keeps a job after it ended so; likewise keep_failed_days and keep_cancelled_days.';
comment on column public.job_types.apply_function is
  'Function public.<name>(job public.jobs, output jsonb) that writes a done job''s output, in the same transaction.';
comment on column public.job_types.max_crashes is
  'How many leases may expire (worker killed, out of memory) before the job is a dead letter.';

-- Keeps the default policy in its place: without it no job would have one. Called by the trigger below.
create function public.keep_default_policy() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  raise exception 'the row ''*'' of job_types holds the defaults: change its values, but not its name'
    using errcode = 'PT409';
end $$;
revoke all on function public.keep_default_policy() from public, anon, authenticated;
create trigger keep_default_policy before delete or update of type on public.job_types
  for each row when (old.type = '*') execute function public.keep_default_policy();

insert into public.job_types (type, max_attempts, max_crashes, backoff_seconds, backoff_cap_seconds,
  keep_done_days, keep_failed_days, keep_cancelled_days, description)
values ('*', 5, 3, 300, 3600, 7, 90, 7, 'What holds for every type that does not say otherwise');

create table public.job_queue_settings (
  only_row boolean primary key default true check (only_row),
  processing_enabled boolean not null default true,
  paused_reason text,
  paused_at timestamptz,
  lease_seconds int not null default 120 check (lease_seconds between 10 and 3600),
  http_timeout_ms int not null default 55000 check (http_timeout_ms between 1000 and 110000),
  realtime boolean not null default true,
  keep_deleted_files_days int default 30 check (keep_deleted_files_days between 0 and 36500),
  constraint a_pause_has_a_time check (processing_enabled = (paused_at is null))
);
comment on table public.job_queue_settings is 'The switches of the whole queue: exactly one row.';
comment on column public.job_queue_settings.http_timeout_ms is
  'How long invoke_cron_tick waits for the worker. Keep: tick budget < this < schedule < lease.';
comment on column public.job_queue_settings.realtime is
  'Whether Supabase Realtime is told when a job of a file moves on, for those who watch the topic files:<organisation>.';
comment on column public.job_queue_settings.keep_deleted_files_days is
  'How long after a file was deleted prune_jobs removes what was made from it; null keeps it for ever, seen by no member.';
insert into public.job_queue_settings default values;

create table public.jobs (
  id bigint generated always as identity primary key,
  org_id text not null check (btrim(org_id) <> '' and length(org_id) <= 256),
  type text not null check (type ~ '^[a-z][a-z0-9_]{0,62}$'),
  payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  status text not null default 'queued'
    check (status in ('waiting', 'queued', 'processing', 'done', 'failed', 'cancelled')),
  priority int not null default 0 check (priority between -1000 and 1000),
  run_at timestamptz not null default now() check (isfinite(run_at)),
  turn text not null default 'ready' check (turn in ('later', 'ready', 'alone')),
  org_key bigint not null generated always as (hashtextextended(org_id, 0)) stored,
  place double precision not null generated always as (
    extract(epoch from run_at - timestamptz '2000-01-01 00:00:00+00')::double precision - 60 * priority) stored,
  attempts int not null default 0 check (attempts >= 0),
  crashes int not null default 0 check (crashes >= 0),
  max_attempts int not null check (max_attempts between 1 and 100),
  idempotency_key text not null check (length(idempotency_key) between 1 and 512),
  unique_for text not null default 'unfinished' check (unique_for in ('unfinished', 'ever')),
  file_id bigint,
  waiting_for int not null default 0 check (waiting_for >= 0),
  worker_id uuid,
  lease_token uuid,
  lease_expires_at timestamptz,
  progress jsonb,
  output jsonb,
  last_error text,
  public_error text,
  cancelled_by bigint,
  trace_parent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  constraint a_lease_belongs_to_processing check (
    (status = 'processing') = (lease_token is not null)
    and (lease_token is null) = (worker_id is null)
    and (lease_token is null) = (lease_expires_at is null)),
  constraint an_end_has_a_time check (
    (status in ('done', 'failed', 'cancelled')) = (completed_at is not null)),
  constraint waiting_means_parents check ((status = 'waiting') = (waiting_for > 0) or status = 'cancelled'),
  constraint attempts_within_bounds check (attempts <= max_attempts)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
comment on table public.jobs is 'The queue. Read it freely; write it through the functions only.';
comment on column public.jobs.turn is
  'Of a queued job: later (run_at lies ahead; the claim moves it on), ready, or alone (suspect of a crash).';
comment on column public.jobs.org_key is 'A hash of org_id: a random number among them is a random organisation.';
comment on column public.jobs.place is
  'Which ready job comes first, in seconds: one point of priority is a head start of a minute, so the low ones age.';
comment on column public.jobs.unique_for is
  'How long idempotency_key keeps the same work out: while this job is unfinished, or for ever.';
comment on column public.jobs.last_error is 'For operators.';
comment on column public.jobs.public_error is 'For the people whose job it is: the reason a handler gave for them.';
comment on column public.jobs.attempts is 'Attempts that were charged: released, snoozed and crashed ones are given back.';
comment on column public.jobs.crashes is 'Leases that ran out: counted apart from errors.';
comment on column public.jobs.lease_token is 'Fresh for every claim; whoever does not hold it cannot change the job.';
comment on column public.jobs.cancelled_by is
  'The failed job of its flow because of which this one was cancelled: retrying that one revives this one.';
comment on column public.jobs.trace_parent is
  'The W3C trace context of the transaction that enqueued the job, where it had one.';
comment on column public.jobs.waiting_for is 'Parents that are not done yet.';

-- The same work twice at the same time is the same job. Retry and reclaim stay inside this set of
-- statuses, so completing a job can never collide with a newer sibling.
create unique index jobs_unfinished_once on public.jobs (org_id, type, idempotency_key)
  where status in ('waiting', 'queued', 'processing');
create unique index jobs_once_for_ever on public.jobs (org_id, type, idempotency_key) where unique_for = 'ever';
-- Claimable rows only: what is due later, suspect or ended costs a claim nothing.
create index jobs_ready on public.jobs (type, org_key, place, id) where status = 'queued' and turn = 'ready';
-- The last condition always holds; only who names it is given this index, so that without statistics nobody else is.
create index jobs_ready_by_place on public.jobs (type, place, id)
  where status = 'queued' and turn = 'ready' and priority >= -1000;
create index jobs_alone on public.jobs (place, id) where status = 'queued' and turn = 'alone';
create index jobs_later on public.jobs (run_at, id) where status = 'queued' and turn = 'later';
create index jobs_leased on public.jobs (id) where status = 'processing';
create index jobs_dead_letters on public.jobs (completed_at, id) where status = 'failed';
create index jobs_of_file on public.jobs (file_id, id) where file_id is not null;

-- The picture at the top, kept even against statements that are not ours. Called by the trigger below, only when a
-- change of status is none of the picture's: the condition costs next to nothing where it is.
create function public.refuse_impossible_status() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  raise exception 'job % is %: it cannot become %', old.id, old.status, new.status
    using errcode = 'PT409', hint = 'Use cancel_job(), retry_job() and the other functions of the queue.';
end $$;
revoke all on function public.refuse_impossible_status() from public, anon, authenticated;
create trigger refuse_impossible_status after update of status on public.jobs
  for each row when (old.status <> new.status and not (
    (old.status = 'queued' and new.status in ('processing', 'cancelled'))
    or (old.status = 'processing' and new.status in ('done', 'queued', 'failed', 'cancelled'))
    or (old.status = 'waiting' and new.status in ('queued', 'cancelled'))
    or (old.status in ('failed', 'cancelled') and new.status in ('queued', 'waiting'))))
  execute function public.refuse_impossible_status();

create table public.job_parents (
  job_id bigint not null references public.jobs (id) on delete cascade,
  parent_id bigint not null references public.jobs (id) on delete cascade,
  ref text,
  primary key (job_id, parent_id),
  check (parent_id < job_id)
);
comment on table public.job_parents is 'Which job of a flow waits for which; ref: what the flow calls the parent.';
create index job_parents_by_parent on public.job_parents (parent_id);

create table public.job_runs (
  job_id bigint not null,
  id bigint generated always as identity,
  org_id text not null,
  type text not null,
  attempt int not null,
  worker_id uuid not null,
  lease_token uuid not null,
  outcome text not null
    check (outcome in ('done', 'retry', 'failed', 'snooze', 'release', 'superseded', 'cancelled', 'error', 'crash')),
  error text,
  duration_ms int,
  cost numeric check (cost >= 0),
  reused_from bigint,
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  primary key (job_id, id)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);
comment on table public.job_runs is 'One row per attempt and what became of it: the audit trail.';
-- Attempts are written in the order of their ends, so that this index of a few pages finds the last hours.
create index job_runs_by_end on public.job_runs using brin (finished_at) with (pages_per_range = 32, autosummarize = on);
comment on column public.job_runs.cost is 'What the handler reported to have spent.';
comment on column public.job_runs.reused_from is 'The job whose result for the same content was taken.';

-- What a foreign key would do, without its lock on the job for every attempt that ends (a third of resolve_jobs' time).
create function public.delete_runs_of_deleted_jobs() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.job_runs r where r.job_id = any (array(select g.id from gone g));
  return null;
end $$;
revoke all on function public.delete_runs_of_deleted_jobs() from public, anon, authenticated;
create trigger delete_runs_of_deleted_jobs after delete on public.jobs referencing old table as gone
  for each statement execute function public.delete_runs_of_deleted_jobs();

-- Read by claim_jobs and resolve_jobs: the policy of each listed type, and of '*' for all others.
create view public.job_policies with (security_invoker = on) as
select
  t.type,
  coalesce(t.max_attempts, d.max_attempts) as max_attempts,
  coalesce(t.max_crashes, d.max_crashes) as max_crashes,
  coalesce(t.backoff_seconds, d.backoff_seconds) as backoff_seconds,
  coalesce(t.backoff_cap_seconds, d.backoff_cap_seconds) as backoff_cap_seconds,
  coalesce(t.timeout_seconds, d.timeout_seconds) as timeout_seconds,
  t.max_concurrency,
  coalesce(t.max_concurrency_per_org, d.max_concurrency_per_org) as max_concurrency_per_org,
  coalesce(t.usual_cost, d.usual_cost) as usual_cost,
  coalesce(t.keep_done_days, d.keep_done_days) as keep_done_days,
  coalesce(t.keep_failed_days, d.keep_failed_days) as keep_failed_days,
  coalesce(t.keep_cancelled_days, d.keep_cancelled_days) as keep_cancelled_days,
  t.apply_function
from public.job_types t cross join public.job_types d
where d.type = '*';
comment on view public.job_policies is
  'job_types with the defaults filled in; ''*'' itself is the policy of unlisted types.';
