"""No secret in any text that leaves, whatever surrounds it."""

from __future__ import annotations

import io
import json
import random
import string
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from functions import log, redact
from functions.settings import load_settings

LETTERS = string.ascii_letters + string.digits
SHAPES = (
    "https://abc.supabase.co/storage/v1/object/sign/ingest/a.pdf?token={}",
    "https://abc.supabase.co/storage/v1/render/image/sign/a/b.png?width=9&token={}",
    "/object/sign/ingest/a%20b.pdf?token={}&download=",
    "https://s3.amazonaws.com/b/k?X-Amz-Credential=a&X-Amz-Signature={}",
    "https://a.co/fetch?url=https%3A%2F%2Fb.co%2Fx%3Ftoken%3D{}",
    "fetch/https%3A%2F%2Fb.co%2Fx%3Ftoken%3D{}",
    "https://user:{}@host/path",
    "postgresql://postgres.abc:{}@aws-0.pooler.supabase.com:6543/postgres",
    "https://{}@o1.ingest.sentry.io/1",
    "Authorization: Bearer {}",
    "authorization=Basic {}",
    "{{'Authorization': 'Bearer {}', 'a': 1}}",
    '{{"apikey": "{}"}}',
    '{{\\"apikey\\":\\"{}\\"}}',
    "[(b'apikey', b'{}'), (b'accept', b'*/*')]",
    "('authorization', 'Bearer {}')",
    "x-job-runner-secret: {}",
    "CRON_SECRET={}",
    "password = {}",
    "password: 'correct horse {}'",
    'the secret_key:"a \\" {}"',
    "Set-Cookie: {}",
    "sb_secret_{}",
    "MY_sb_secret_{}",
    "\\nsb_secret_{}",
    "whsec_{}",
    "sk-proj-{}",
    "jwt eyJhbGciOiJIUzI1NiJ9.{}.{}",
    "\\neyJhbGciOiJIUzI1NiJ9.{}",
    "x_eyJhbGciOiJIUzI1NiJ9.{}",
    "bearer {}",
)


@pytest.fixture(autouse=True)
def nothing_hidden() -> Iterator[None]:
    yield
    redact.hide([])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_found_wherever_it_stands(shape: str) -> None:
    rng = random.Random(shape)
    noise = (" ", "\n", "\t", ", ", "(", '"', "'", ": ", " caused by ", "\\n", "}", "é", "\x00", "...")
    for _ in range(300):
        secret = "".join(rng.choices(LETTERS, k=rng.choice((20, 43, 64))))
        before = "".join(rng.choices(noise, k=rng.randrange(4)))
        after = "".join(rng.choices(noise, k=rng.randrange(4)))
        cut = redact.redact(before + shape.format(*[secret] * shape.count("{}")) + after)
        assert secret[:8] not in cut, (before, after, cut)
        assert secret[-8:] not in cut, (before, after, cut)


def test_nor_is_it_in_a_message_a_field_an_exception_or_a_line_of_its_stack() -> None:
    rng = random.Random(2)
    stream = io.StringIO()
    log.configure(stream=stream)
    for shape in SHAPES:
        secret = "".join(rng.choices(LETTERS, k=40))
        text = shape.format(*[secret] * shape.count("{}"))
        try:
            raise LookupError(text) from ValueError(text)
        except LookupError as error:
            log.error(f"said {text}", exception=error, field=text, more={"list": [text]}, other=error)
        line = stream.getvalue().splitlines()[-1]
        assert json.loads(line)["stack_trace"].count("Error: ") == 2
        assert secret[:8] not in line, line
        assert secret[-8:] not in line, line


@pytest.mark.parametrize("secret", ["correct horse battery", 'quo"ted/&=', "plainwords", "x" * 300])
def test_the_values_of_the_settings_are_taken_out_whatever_they_look_like(secret: str) -> None:
    settings = load_settings(
        {"K_SERVICE": "x", "CRON_SECRET": secret, "OPENAI_API_KEY": "", "BIND": "0.0.0.0"}
    )
    assert settings.secrets() == [secret]
    stream = io.StringIO()
    log.configure(stream=stream, secrets=settings.secrets())
    for form in (secret, quote(secret, safe=""), json.dumps(secret), "y" * 7_990 + secret):
        log.info(f"somebody sent [{form}] as it is", field=form)
    assert secret[:12] not in stream.getvalue()
    assert json.dumps(secret)[1:-1][:12] not in stream.getvalue()


def test_a_value_that_is_an_ordinary_word_is_not_searched_for() -> None:
    log.configure(stream=io.StringIO(), secrets=["", "job"])
    assert redact.redact("a job") == "a job"


@pytest.mark.parametrize(
    "text",
    [
        "handler create_cards returned dict; it has to return a pydantic model",
        "the key of the journal is keyJournalOfToday",
        "a task-list-of-many-things is not a risk-assessment-of-mine",
        "CRON_SECRET is not set: copy it",
        "the token is wrong",
        "file_id: organisation acme has no file 4711",
        "https://abc.supabase.co/storage/v1/object/ingest/acme/report.pdf answered 404",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text: str) -> None:
    assert redact.redact(text) == text
