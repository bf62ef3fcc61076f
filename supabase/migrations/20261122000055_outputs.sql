-- outputs: what the three bundled handlers found out, written by resolve_jobs in the transaction that marks the job done.
-- An apply function gets the job and its output; whatever it raises fails that one attempt with the reason.

-- The file version that a job worked on. Called by the apply functions; resolve_jobs holds its lock.
create function public.file_of_job(job public.jobs) returns public.ingested_files
language plpgsql stable security definer set search_path = '' as $$
declare
  file public.ingested_files;
begin
  select * into file from public.ingested_files f where f.id = job.file_id;
  if file.id is null then
    raise exception 'job % (%) has no file: only the storage trigger and backfills may enqueue this type', job.id, job.type
      using errcode = '22023';
  end if;
  return file;
end $$;
revoke all on function public.file_of_job(public.jobs) from public, anon, authenticated;
grant execute on function public.file_of_job(public.jobs) to service_role;

-- A JSON array of strings as text[]. Called by the apply functions.
create function public.text_array(list jsonb) returns text[]
language sql immutable security definer set search_path = '' as $$
  select array(select jsonb_array_elements_text(case when jsonb_typeof(list) = 'array' then list else '[]' end))
$$;
revoke all on function public.text_array(jsonb) from public, anon, authenticated;
grant execute on function public.text_array(jsonb) to service_role;

-- A list in an output, which has to be there: an answer without it must not pass for an empty one.
-- Called by the apply functions.
create function public.list_of_output(output jsonb, name text) returns jsonb
language plpgsql immutable security definer set search_path = '' as $$
begin
  if jsonb_typeof(output -> name) is distinct from 'array' then
    raise exception 'the output has no list "%"', name using errcode = '22023';
  end if;
  return output -> name;
end $$;
revoke all on function public.list_of_output(jsonb, text) from public, anon, authenticated;
grant execute on function public.list_of_output(jsonb, text) to service_role;

-- Stores the analysis of a file version; those of the object's older versions go. Called by resolve_jobs for analyze_file.
create function public.apply_analyze_file(job public.jobs, output jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  file public.ingested_files := public.file_of_job(job);
begin
  delete from public.file_analyses a using public.ingested_files f
  where f.id = a.file_id and f.object_id = file.object_id;
  insert into public.file_analyses (
    file_id, org_id, kind, mime_type, mime_mismatch, title, language, summary, topics, key_terms,
    pages, duration_seconds, width, height, content, notes, provider, degraded, content_sha256,
    safety_flags, requests, tokens_in, tokens_out, cost)
  select
    file.id, file.org_id, o.kind, o.mime_type, coalesce(o.mime_mismatch, false), o.title, o.language, o.summary,
    public.text_array(output -> 'topics'), public.text_array(output -> 'key_terms'),
    o.pages, o.duration_seconds, o.width, o.height, coalesce(o.content, '[]'), public.text_array(output -> 'notes'),
    o.provider, coalesce(o.degraded, false), o.content_sha256,
    public.text_array(output -> 'safety_flags'), u.requests, u.tokens_in, u.tokens_out, u.cost
  from jsonb_to_record(output) o (
    kind text, mime_type text, mime_mismatch boolean, title text, language text, summary text, pages int,
    duration_seconds double precision, width int, height int, content jsonb, provider text, degraded boolean,
    content_sha256 text),
    jsonb_to_record(coalesce(output -> 'use', '{}')) u (requests int, tokens_in int, tokens_out int, cost numeric);
end $$;
revoke all on function public.apply_analyze_file(public.jobs, jsonb) from public, anon, authenticated;
grant execute on function public.apply_analyze_file(public.jobs, jsonb) to service_role;

-- Stores which pictures a file version has. Called by resolve_jobs for create_thumbnail.
create function public.apply_create_thumbnail(job public.jobs, output jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  file public.ingested_files := public.file_of_job(job);
begin
  delete from public.thumbnails t where t.file_id = file.id;
  insert into public.thumbnails (
    file_id, org_id, size, bucket_id, path, width, height, bytes, placeholder, source_width, source_height)
  select
    file.id, file.org_id, o.size, o.bucket, o.path, o.width, o.height, o.bytes,
    output ->> 'placeholder', (output ->> 'width')::int, (output ->> 'height')::int
  from jsonb_to_recordset(public.list_of_output(output, 'thumbnails')) o (
    size int, bucket text, path text, width int, height int, bytes int);
end $$;
revoke all on function public.apply_create_thumbnail(public.jobs, jsonb) from public, anon, authenticated;
grant execute on function public.apply_create_thumbnail(public.jobs, jsonb) to service_role;

-- Stores the one set of cards of an object: a card that is there already keeps its id, its place in the memory model
-- and what a person changed. The others go, but for those that a person changed or removed; what was reviewed only
-- hides, for a file may lose a card by an accident (text recognition that failed) and find it again.
-- Called by resolve_jobs for create_cards. Locks the cards of the object, by key where it writes.
create function public.apply_create_cards(job public.jobs, output jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  file public.ingested_files := public.file_of_job(job);
begin
  insert into public.cards as c (
    file_id, object_id, org_id, card_key, type, front, back, hint, tags, source, difficulty, confidence, quality, position,
    fsrs_state, fsrs_step, fsrs_stability, fsrs_difficulty)
  select distinct on (o.key) file.id, file.object_id, file.org_id, o.key, o.type, o.front, o.back, o.hint,
    public.text_array(o.tags), coalesce(o.source, '{}'), o.difficulty, o.confidence, o.quality, o.position - 1,
    coalesce(f.state, 1), case when f.state is null then 0 else f.step end, f.stability, f.difficulty
  from rows from (
      jsonb_to_recordset(public.list_of_output(output, 'cards')) as (
        key text, type text, front text, back text, hint text, tags jsonb, source jsonb, difficulty real, confidence real,
        quality real, fsrs jsonb)) with ordinality
      as o (key, type, front, back, hint, tags, source, difficulty, confidence, quality, fsrs, position),
    jsonb_to_record(coalesce(o.fsrs, '{}')) f (state int, step int, stability double precision, difficulty double precision)
  order by o.key, o.position
  on conflict on constraint cards_object_id_card_key_key do update set
    file_id = excluded.file_id, org_id = excluded.org_id, type = excluded.type, source = excluded.source,
    front = case when c.edited_at is null then excluded.front else c.front end,
    back = case when c.edited_at is null then excluded.back else c.back end,
    hint = case when c.edited_at is null then excluded.hint else c.hint end,
    tags = case when c.edited_at is null then excluded.tags else c.tags end,
    difficulty = excluded.difficulty, confidence = excluded.confidence, quality = excluded.quality,
    position = excluded.position, gone_at = null,
    updated_at = case when c.source is distinct from excluded.source or c.gone_at is not null
        or c.edited_at is null and (c.front, c.back, c.hint, c.tags)
          is distinct from (excluded.front, excluded.back, excluded.hint, excluded.tags)
      then now() else c.updated_at end;

  delete from public.cards c
  where c.object_id = file.object_id and c.edited_at is null and c.removed_at is null and c.last_review is null
    and c.card_key not in (
      select o.key from jsonb_to_recordset(output -> 'cards') o (key text));
  -- What is kept belongs to the newest version, or it would go with the old one; it comes after the deck.
  update public.cards c set
    file_id = file.id, org_id = file.org_id, position = k.position,
    gone_at = case when c.edited_at is null and c.removed_at is null then coalesce(c.gone_at, now()) end
  from (
    select k.id, jsonb_array_length(output -> 'cards') - 1 + row_number() over (order by k.position, k.id) as position
    from public.cards k
    where k.object_id = file.object_id
      and k.card_key not in (select o.key from jsonb_to_recordset(output -> 'cards') o (key text))) k
  where c.id = k.id;
end $$;
revoke all on function public.apply_create_cards(public.jobs, jsonb) from public, anon, authenticated;
grant execute on function public.apply_create_cards(public.jobs, jsonb) to service_role;

insert into public.job_types (type, max_attempts, apply_function, description) values
  ('analyze_file', null, 'apply_analyze_file', 'Finds out what a file is and what it says'),
  ('create_thumbnail', null, 'apply_create_thumbnail', 'Makes the pictures that stand for a file'),
  ('create_cards', null, 'apply_create_cards', 'Turns an analysis into cards');

-- A receiver may be away for a night: ten calls over about eight hours.
insert into public.job_types (type, max_attempts, backoff_seconds, backoff_cap_seconds, description) values
  ('call_webhook', 10, 60, 21600, 'Posts a signed payload to an address that the operator allows');
