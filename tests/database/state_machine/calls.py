"""The calls that the state machine makes, as SQL with the arguments in one jsonb, and the draws they are made of."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ORGS = ("acme", "blue", "core")
TYPES = ("plain", "brief", "picky", "other")
WORKERS = tuple(f"0000000{n}-0000-4000-8000-000000000000" for n in range(2))

TYPES_OR_NULL = """case when jsonb_typeof($1 -> 'types') = 'array'
  then array(select jsonb_array_elements_text($1 -> 'types')) end"""
HELD_OR_NULL = """case when jsonb_typeof($1 -> 'held') = 'array'
  then array(select jsonb_array_elements_text($1 -> 'held')::bigint) end"""

ENQUEUE = "select public.enqueue_jobs($1)"
CLAIM = f"""select public.claim_jobs(
  worker_id => ($1 ->> 'worker_id')::uuid, batch_size => ($1 ->> 'batch_size')::int, types => {TYPES_OR_NULL},
  lease_seconds => ($1 ->> 'lease_seconds')::int, force => ($1 ->> 'force')::boolean, held => {HELD_OR_NULL})"""
START = """select public.start_job(worker_id => ($1 ->> 'worker_id')::uuid, job => $1 -> 'job',
  lease_seconds => ($1 ->> 'lease_seconds')::int, force => ($1 ->> 'force')::boolean)"""
EXTEND = """select public.extend_leases(
  ($1 ->> 'worker_id')::uuid, $1 -> 'leases', ($1 ->> 'lease_seconds')::int)"""
RESOLVE = "select public.resolve_jobs(($1 ->> 'worker_id')::uuid, $1 -> 'results')"
CANCEL = "select public.cancel_job(($1 ->> 'job_id')::bigint)"
RETRY = "select public.retry_job(($1 ->> 'job_id')::bigint)"
RETRY_FAILED = "select public.retry_failed_jobs($1 ->> 'type')"
PRUNE = "select public.prune_jobs()"
PAUSE = "select public.pause_processing('by the state machine')"
RESUME = "select public.resume_processing()"
PASS = "select to_jsonb(1) from machine.pass(($1 ->> 'seconds')::int)"
RESET = "select to_jsonb(1) from machine.reset(($1 ->> 'luck')::double precision)"
UPLOAD = "select machine.upload($1 ->> 'path')"
DELETE = "select machine.remove($1 ->> 'path')"
OUTDATE = "select machine.outdate(($1 ->> 'file_id')::bigint)"
LIMIT_TYPE = "select machine.limit_type($1)"
LIMIT_ORG = "select machine.limit_org($1)"

picks = st.integers(0, 40)
worker_ids = st.sampled_from(WORKERS)
lease_seconds = st.sampled_from((None, 10, 600, 9999))
limit = st.sampled_from((None, None, 0, 1, 2, 3))

edges = st.sets(st.tuples(picks, picks), max_size=5)
many_edges = st.sets(st.tuples(picks, picks), min_size=3, max_size=8)


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


elements = st.builds(
    lambda required, more, keyed: {**required, **more, **keyed},
    st.fixed_dictionaries(
        {
            "org_id": st.sampled_from(ORGS),
            "type": st.sampled_from(TYPES),
            "payload": st.sampled_from(({"n": 0}, {"n": 1}, {"n": 2}, {"n": 3})),
        }
    ),
    optional(
        run_in=st.sampled_from((-100, 30, 5000)),
        priority=st.sampled_from((-5, 5)),
        max_attempts=st.sampled_from((1, 2)),
        after_job=picks,
    ),
    optional(
        idempotency_key=st.sampled_from(("k", "m")),
        unique_for=st.just("ever"),
        on_conflict=st.sampled_from(("return", "replace", "debounce")),
    ),
)
wishes = st.builds(
    lambda required, more: {**required, **more},
    st.fixed_dictionaries(
        {"on_conflict": st.sampled_from(("return", "replace", "replace", "debounce", "debounce"))}
    ),
    optional(
        run_in=st.sampled_from((-100, 30, 5000)),
        priority=st.sampled_from((-5, 5)),
        max_attempts=st.sampled_from((1, 2)),
        unique_for=st.just("ever"),
    ),
)
results = st.builds(
    lambda required, more: {**required, **more},
    st.fixed_dictionaries(
        {
            "outcome": st.sampled_from(
                ("done", "done", "done", "retry", "retry", "failed", "snooze", "release", "nonsense")
            )
        }
    ),
    optional(
        output=st.sampled_from(({"fine": 1}, {"broken": 1})),
        error=st.just("did not work"),
        public_error=st.just("sorry"),
        retry_in=st.sampled_from((0, 20, 4000)),
        duration_ms=st.just(5),
        cost=st.sampled_from((0, 3)),
    ),
)
