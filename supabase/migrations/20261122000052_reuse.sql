-- reuse: what a handler found out about some content is not paid for twice. A handler that asks for it gets the stored
-- result of the same content, in the same organisation, from the same version of itself, instead of running.

create table public.content_results (
  org_id text not null,
  type text not null,
  content_sha256 text not null check (content_sha256 ~ '^[0-9a-f]{64}$'),
  handler_version text not null check (length(handler_version) <= 200),
  output jsonb,
  job_id bigint not null,
  created_at timestamptz not null default now(),
  used_at timestamptz not null default now(),
  primary key (org_id, type, content_sha256, handler_version)
) with (fillfactor = 90);
comment on table public.content_results is
  'Outputs by content: the same bytes, type and handler version give the same result.';
comment on column public.content_results.job_id is 'The job that ran; job_runs.reused_from names it.';

-- Keeps the outputs of done jobs whose content is known; the first result of a content stays.
-- Called by resolve_jobs, which holds the jobs' locks. Rows go in by key, so that two calls cannot wait for each other.
create function public.store_content_results(done public.job_result[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  if done = '{}' then
    return;
  end if;
  insert into public.content_results (org_id, type, content_sha256, handler_version, output, job_id)
  select j.org_id, j.type, r.content_sha256, coalesce(r.handler_version, '1'), r.output, j.id
  from unnest(done) r join public.jobs j on j.id = r.job_id
  order by 1, 2, 3, 4
  on conflict do nothing;
end $$;
revoke all on function public.store_content_results(public.job_result[]) from public, anon, authenticated;
grant execute on function public.store_content_results(public.job_result[]) to service_role;

-- The stored result of some content, {"job_id", "output"}, or null. Remembers that it was used, for prune_jobs.
-- Called by workers before they run a handler that reuses results.
create function public.find_content_result(org_id text, type text, content_sha256 text, handler_version text)
returns jsonb
language sql volatile security definer set search_path = '' as $$
  update public.content_results c set used_at = now()
  where c.org_id = find_content_result.org_id and c.type = find_content_result.type
    and c.content_sha256 = find_content_result.content_sha256
    and c.handler_version = find_content_result.handler_version
  returning jsonb_build_object('job_id', c.job_id, 'output', c.output)
$$;
comment on function public.find_content_result(text, text, text, text) is 'The stored result of some content, or null.';
revoke all on function public.find_content_result(text, text, text, text) from public, anon, authenticated;
grant execute on function public.find_content_result(text, text, text, text) to service_role;

-- Stores one result now, not with the job that found it: for what was paid for. The first one of a content stays.
-- Called by workers, for values that a handler keeps by key.
create function public.keep_content_result(
  org_id text, type text, content_sha256 text, handler_version text, output jsonb, job_id bigint)
returns void
language sql volatile security definer set search_path = '' as $$
  insert into public.content_results as c (org_id, type, content_sha256, handler_version, output, job_id)
  values (keep_content_result.org_id, keep_content_result.type, keep_content_result.content_sha256,
    keep_content_result.handler_version, keep_content_result.output, keep_content_result.job_id)
  on conflict do nothing
$$;
comment on function public.keep_content_result(text, text, text, text, jsonb, bigint) is
  'Stores a result by content at once, whatever becomes of the job that found it.';
revoke all on function public.keep_content_result(text, text, text, text, jsonb, bigint) from public, anon, authenticated;
grant execute on function public.keep_content_result(text, text, text, text, jsonb, bigint) to service_role;
