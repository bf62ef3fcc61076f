-- realtime: whoever watches a file is told when its jobs move on, without asking again and again.
--
-- A browser joins the private topic 'files:<organisation>' and gets broadcasts 'file_status'; realtime.send makes them
-- rows of realtime.messages, in the transaction that moved the job. Without Realtime, nothing of this does anything.
-- Who may join stands in the file of the privileges.

-- Broadcasts where one job of a file stands, and the file with it: {"file_id", "job_id", "type", "status", "file"}.
-- Called by the triggers below, whose conditions spare jobs without a file. Takes no locks; never fails the job.
create function public.tell_about_file() returns trigger
language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null
    or not (select s.realtime from public.job_queue_settings s where s.only_row) then
    return null;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'file_id', new.file_id, 'job_id', new.id, 'type', new.type, 'status', new.status,
      'file', (select f.status from public.file_status f where f.file_id = new.file_id)),
    'file_status', 'files:' || new.org_id, true);
  return null;
exception when others then
  raise warning 'crontick: realtime was not told about job %: %', new.id, sqlerrm;
  return null;
end $$;
revoke all on function public.tell_about_file() from public, anon, authenticated;

create trigger tell_about_new_job after insert on public.jobs
  for each row when (new.file_id is not null)
  execute function public.tell_about_file();
create trigger tell_about_moved_job after update of status on public.jobs
  for each row when (new.file_id is not null and old.status is distinct from new.status)
  execute function public.tell_about_file();
