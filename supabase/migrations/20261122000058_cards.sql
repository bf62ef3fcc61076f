-- cards: what signed-in users do to them. An application calls these with its user's token; apply_create_cards keeps
-- what they did when the file is processed again.

-- The organisation's own card, locked; another organisation's is as if it did not exist, and so is one whose file was
-- deleted or moved to another organisation. Called by the functions below.
-- Locks that one card: resolve_jobs may wait for it, and it for resolve_jobs, each for one row only.
create function public.card_of_member(card_id uuid, removed boolean) returns public.cards
language plpgsql security definer set search_path = '' as $$
declare
  card public.cards;
begin
  select * into card from public.cards c
  where c.id = card_of_member.card_id and c.org_id = any (public.current_org_ids())
    and (removed or (c.removed_at is null and c.gone_at is null))
    and exists (
      select from public.ingested_files f
      where f.object_id = c.object_id and f.org_id = c.org_id and f.superseded_at is null and f.deleted_at is null)
  for update of c;
  if card.id is null then
    raise exception 'there is no card %', card_id using errcode = '22023';
  end if;
  return card;
end $$;
revoke all on function public.card_of_member(uuid, boolean) from public, anon, authenticated, service_role;

-- Raises 22023 unless the card can be learnt: texts that are there, one gap in a cloze and none elsewhere, few tags.
-- Called by edit_card.
create function public.check_card(card public.cards) returns void
language plpgsql immutable security definer set search_path = '' as $$
declare
  gaps int := (length(card.front) - length(replace(card.front, '[…]', ''))) / length('[…]');
begin
  if card.front !~ '\S' or card.back !~ '\S' then
    raise exception 'front and back of a card must not be empty: to take it away use remove_card' using errcode = '22023';
  elsif greatest(length(card.front), length(card.back), length(card.hint)) > 4000 then
    raise exception 'front, back and hint may have 4000 characters each' using errcode = '22023';
  elsif card.type = 'cloze' and gaps <> 1 then
    raise exception 'the front of a cloze needs exactly one gap, written as […]' using errcode = '22023';
  elsif array_ndims(card.tags) > 1 then
    raise exception 'tags have to be a plain list of strings' using errcode = '22023';
  elsif cardinality(card.tags) > 20 or exists (
    select from unnest(card.tags) tag where tag is null or tag !~ '\S' or length(tag) > 100) then
    raise exception 'a card may have 20 tags, none of them empty or longer than 100 characters' using errcode = '22023';
  end if;
end $$;
revoke all on function public.check_card(public.cards) from public, anon, authenticated, service_role;

-- Changes what a card says; null leaves a field as it is, an empty hint takes the hint away. From then on processing the
-- file again leaves the card's texts alone. What changes nothing (a form that was saved as it was) is no edit.
-- Called by signed-in users. Locks the card.
create function public.edit_card(
  card_id uuid, front text default null, back text default null, hint text default null, tags text[] default null)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  card public.cards := public.card_of_member(card_id, removed => false);
begin
  card.front := coalesce(edit_card.front, card.front);
  card.back := coalesce(edit_card.back, card.back);
  card.hint := case when edit_card.hint is null then card.hint else nullif(btrim(edit_card.hint), '') end;
  card.tags := coalesce(edit_card.tags, card.tags);
  perform public.check_card(card);
  update public.cards c set
    front = card.front, back = card.back, hint = card.hint, tags = card.tags, edited_at = now(), updated_at = now()
  where c.id = card.id and (c.front, c.back, c.hint, c.tags) is distinct from (card.front, card.back, card.hint, card.tags);
  return (select to_jsonb(c) from public.cards c where c.id = card.id);
end $$;
comment on function public.edit_card(uuid, text, text, text, text[]) is
  'Changes what a card says, for good: processing its file again leaves it alone.';
revoke all on function public.edit_card(uuid, text, text, text, text[]) from public, anon, service_role;
grant execute on function public.edit_card(uuid, text, text, text, text[]) to authenticated;

-- Takes a card away, also from what later processing finds. Again is harmless. Called by signed-in users. Locks the card.
create function public.remove_card(card_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  card public.cards := public.card_of_member(card_id, removed => true);
begin
  update public.cards c set removed_at = coalesce(c.removed_at, now()), updated_at = now()
  where c.id = card.id returning * into card;
  return jsonb_build_object('card_id', card.id, 'removed_at', card.removed_at);
end $$;
comment on function public.remove_card(uuid) is 'Takes a card away for good; restore_card brings it back.';
revoke all on function public.remove_card(uuid) from public, anon, service_role;
grant execute on function public.remove_card(uuid) to authenticated;

-- Brings back what remove_card took away, with the state of its reviews. Called by signed-in users. Locks the card.
create function public.restore_card(card_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  card public.cards := public.card_of_member(card_id, removed => true);
begin
  -- Somebody wants it: that its file does not say it any more is no reason to keep it away.
  update public.cards c set
    removed_at = null, gone_at = null, updated_at = now(),
    edited_at = case when c.gone_at is null then c.edited_at else coalesce(c.edited_at, now()) end
  where c.id = card.id returning * into card;
  return to_jsonb(card);
end $$;
comment on function public.restore_card(uuid) is 'Brings back a card that remove_card took away.';
revoke all on function public.restore_card(uuid) from public, anon, service_role;
grant execute on function public.restore_card(uuid) to authenticated;

-- Stores where a card stands after a review, as the package fsrs works it out (its Card has the same fields).
-- Called by signed-in users. Raises PT409 when a later review is there already. Locks the card.
create function public.schedule_card(
  card_id uuid, state int, step int, stability double precision, difficulty double precision,
  due timestamptz, last_review timestamptz)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  card public.cards := public.card_of_member(card_id, removed => false);
begin
  perform public.check_schedule(state, step, stability, difficulty, due, last_review);
  if card.last_review > schedule_card.last_review then
    raise exception 'card % was reviewed at % already: read it again before the next review', card_id, card.last_review
      using errcode = 'PT409';
  end if;
  update public.cards c set
    fsrs_state = schedule_card.state, fsrs_step = schedule_card.step, fsrs_stability = schedule_card.stability,
    fsrs_difficulty = schedule_card.difficulty, due = schedule_card.due, last_review = schedule_card.last_review,
    updated_at = now()
  where c.id = card.id;
  return jsonb_build_object('card_id', card.id, 'due', schedule_card.due);
end $$;
comment on function public.schedule_card(
  uuid, int, int, double precision, double precision, timestamptz, timestamptz) is
  'Stores where a card stands after a review, as the package fsrs works it out.';
revoke all on function public.schedule_card(
  uuid, int, int, double precision, double precision, timestamptz, timestamptz)
from public, anon, service_role;
grant execute on function public.schedule_card(
  uuid, int, int, double precision, double precision, timestamptz, timestamptz)
to authenticated;

-- Raises 22023 for a state that the memory model FSRS cannot be in. Called by schedule_card.
-- nan sorts above infinity, so that every comparison below refuses it.
create function public.check_schedule(
  state int, step int, stability double precision, difficulty double precision,
  due timestamptz, last_review timestamptz)
returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if state is null or state not between 1 and 3 then
    raise exception 'state has to be 1 (learning), 2 (review) or 3 (relearning)' using errcode = '22023';
  elsif (state = 2) <> (step is null) or step not between 0 and 100 then
    raise exception 'step has to be null in state 2, and a number from 0 to 100 in the others' using errcode = '22023';
  elsif stability is null or not (stability > 0 and stability <= 365000) then
    raise exception 'stability has to be a number of days above 0, at most 365000' using errcode = '22023';
  elsif difficulty is null or difficulty not between 1 and 10 then
    raise exception 'difficulty has to be a number from 1 to 10' using errcode = '22023';
  elsif last_review is null or last_review < '1970-01-01 00:00:00+00' or last_review > now() + interval '1 hour' then
    raise exception 'last_review has to be the time of the review' using errcode = '22023';
  elsif due is null or not isfinite(due) or due < last_review or due > last_review + interval '200 years' then
    raise exception 'due has to be a time after last_review' using errcode = '22023';
  end if;
end $$;
revoke all on function public.check_schedule(int, int, double precision, double precision, timestamptz, timestamptz)
from public, anon, authenticated, service_role;
