-- A stand-in for pgsql-http 1.6: its types, signatures, defaults, redirects and errors, over Python's
-- http.client (http_stand_in.py, put in where its name stands). A call gives way to a cancel or a shutdown, as
-- it does in the real one since 1.7.

create domain @extschema@.http_method as text;
create domain @extschema@.content_type as text check (value ~ '^\S+\/\S+');
create type @extschema@.http_header as (field varchar, value varchar);
create type @extschema@.http_response as (
  status integer, content_type varchar, headers @extschema@.http_header[], content varchar
);
create type @extschema@.http_request as (
  method @extschema@.http_method, uri varchar, headers @extschema@.http_header[], content_type varchar,
  content varchar
);

create function @extschema@.http_set_curlopt(curlopt varchar, value varchar) returns boolean
language plpython3u
as $$
known = {
    "CURLOPT_TIMEOUT", "CURLOPT_TIMEOUT_MS", "CURLOPT_CONNECTTIMEOUT", "CURLOPT_CONNECTTIMEOUT_MS",
    "CURLOPT_USERAGENT", "CURLOPT_TCP_KEEPALIVE", "CURLOPT_TCP_KEEPIDLE",
}
if curlopt not in known:
    plpy.error(f"curl option '{curlopt}' is not available in the http stand-in", sqlstate="XX000")
GD.setdefault("http_curlopts", {})[curlopt] = value
return True
$$;

create function @extschema@.http_reset_curlopt() returns boolean
language plpython3u
as $$
GD.pop("http_curlopts", None)
return True
$$;

create function @extschema@.http_list_curlopt() returns table (curlopt text, value text)
language plpython3u
as $$
return list(GD.get("http_curlopts", {}).items())
$$;

create function @extschema@.http_header(field varchar, value varchar) returns @extschema@.http_header
language sql
as $$ select $1, $2 $$;

create function @extschema@.http_stand_in(
  request @extschema@.http_request, out response @extschema@.http_response, out failure text
)
language plpython3u
as $$
@http_stand_in.py@
try:
    response = perform(
        request,
        GD.get("http_curlopts", {}),
        setting=plpy.execute("select nullif(current_setting('http.timeout_msec', true), '') as ms")[0]["ms"],
        agent="PostgreSQL/" + plpy.execute("show server_version")[0]["server_version"].split()[0],
        # The query is there for its check for interrupts: a cancel or a shutdown ends the wait.
        give_way=lambda: plpy.execute("select 1"),
    )
except NoAnswerError as failure:
    return {"response": None, "failure": str(failure)}
return {"response": response, "failure": None}
$$;

-- Raised from here because PL/Python would put its own name and a traceback around the message.
create function @extschema@.http(request @extschema@.http_request) returns @extschema@.http_response
language plpgsql
as $$
declare
  answer record;
begin
  select * into answer from @extschema@.http_stand_in(request);
  if answer.failure is not null then
    raise exception using errcode = 'XX000', message = answer.failure;
  end if;
  return answer.response;
end
$$;

create function @extschema@.http_get(uri varchar) returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('GET', $1, null, null, null)::@extschema@.http_request) $$;

create function @extschema@.http_post(uri varchar, content varchar, content_type varchar)
returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('POST', $1, null, $3, $2)::@extschema@.http_request) $$;

create function @extschema@.http_put(uri varchar, content varchar, content_type varchar)
returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('PUT', $1, null, $3, $2)::@extschema@.http_request) $$;

create function @extschema@.http_patch(uri varchar, content varchar, content_type varchar)
returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('PATCH', $1, null, $3, $2)::@extschema@.http_request) $$;

create function @extschema@.http_delete(uri varchar) returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('DELETE', $1, null, null, null)::@extschema@.http_request) $$;

create function @extschema@.http_delete(uri varchar, content varchar, content_type varchar)
returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('DELETE', $1, null, $3, $2)::@extschema@.http_request) $$;

create function @extschema@.http_head(uri varchar) returns @extschema@.http_response
language sql
as $$ select @extschema@.http(('HEAD', $1, null, null, null)::@extschema@.http_request) $$;

create function @extschema@.urlencode(string bytea) returns text
language plpython3u immutable strict
as $$
from urllib.parse import quote_plus
return quote_plus(string)
$$;

create function @extschema@.urlencode(string varchar) returns text
language sql immutable strict
as $$ select @extschema@.urlencode(pg_catalog.convert_to($1, 'utf8')) $$;

create function @extschema@.urlencode(data jsonb) returns text
language sql immutable strict
as $$
  select pg_catalog.string_agg(
    @extschema@.urlencode(e.key::varchar) || '=' || @extschema@.urlencode(coalesce(e.value, '')::varchar), '&'
  )
  from pg_catalog.jsonb_each_text($1) as e
$$;

create function @extschema@.http_get(uri varchar, data jsonb) returns @extschema@.http_response
language sql
as $$
  select @extschema@.http(('GET', $1 || '?' || @extschema@.urlencode($2), null, null, null)::@extschema@.http_request)
$$;

create function @extschema@.http_post(uri varchar, data jsonb) returns @extschema@.http_response
language sql
as $$
  select @extschema@.http(
    ('POST', $1, null, 'application/x-www-form-urlencoded', @extschema@.urlencode($2))::@extschema@.http_request
  )
$$;

create function @extschema@.text_to_bytea(data text) returns bytea
language sql immutable strict
as $$ select pg_catalog.convert_to($1, 'utf8') $$;

create function @extschema@.bytea_to_text(data bytea) returns text
language sql immutable strict
as $$ select pg_catalog.convert_from($1, 'utf8') $$;
