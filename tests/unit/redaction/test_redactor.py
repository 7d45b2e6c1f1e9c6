from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from seq2seq_core.redaction import redactor
from seq2seq_core.redaction.known_secrets import secrets_of_address, secrets_of_settings, secrets_of_variables
from seq2seq_core.redaction.redactor import Redactor, current_redactor, redact, redact_values, remember_webhook
from tests.canary import NEEDLES, SAID, SLASHED, VARIABLES, WEBHOOK_PATH, find_leaks

ORDINARY = (
    "train: 1200/3000 steps, 3 min 10 s left, loss 0.123 (a token and a password are words)",
    "models:/dates@champion, http://mlflow.invalid:5000/#/models/dates@champion and http://[::1]:5000/a@b",
    "dvc:host/123@1764400000000 host/12@34 git@github.com:team/repo.git git+ssh://git@github.com/team/repo@v1",
    "sqlite:///a:b@c.db and file:///a:b@c; batch_tokens=4096, image:tag@sha256:12345abc, data/x.tsv:7: has 2 columns",
    "3 May 2031 @ 12:30, me@example.org",
)


@pytest.mark.parametrize("text", ORDINARY)
@pytest.mark.parametrize("variables", [{}, {"A_PASSWORD": "a", "B_PASSWORD": "train", "C_TOKEN": "password", "PWD": "/train"}])
def test_an_ordinary_text_stays_as_it_is(text: str, variables: dict[str, str]) -> None:
    assert Redactor(secrets_of_variables(variables)).redact(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("to http://me:pw@host:5000/api failed", "to http://***@host:5000/api failed"),
        ("('foo://me:pw@h')", "('foo://***@h')"),
        ("http://me:p/w@host", "http://***@host"),
        ("http://me:p@w@host/path", "http://***@host/path"),
        ("http://me:p%2Fw@host", "http://***@host"),
        ("https://ghp_token@github.com/x", "https://***@github.com/x"),
        ("postgresql+psycopg2://me:pw@db/x", "postgresql+psycopg2://***@db/x"),
        ("http:/me:pw@host", "http:/***@host"),
        ("http://me:12@host", "http://***@host"),
        ("me:pw@mlflow.example.org", "***@mlflow.example.org"),
        ("me:p/w@localhost and me:pw@10.0.0.1 and me:pw@mlflow:5000", "***@localhost and ***@10.0.0.1 and ***@mlflow:5000"),
        ("http://h/?token=abc&page=2", "http://h/?token=***&page=2"),
        ("AccountName=me;AccountKey=abc==;x", "AccountName=me;AccountKey=***;x"),
        ("{'Authorization': 'Bearer abc.def'}", "{'Authorization': 'Bearer ***'}"),
        ("--set runtime.flow.notify.webhook_url=https://h/x", "--set runtime.flow.notify.webhook_url=***"),
    ],
)
def test_credentials_in_anything_like_an_address_are_hidden_although_nobody_knows_them(text: str, redacted: str) -> None:
    assert Redactor(()).redact(text) == redacted
    assert Redactor(()).redact(redacted) == redacted


def test_every_secret_of_the_environment_is_hidden_in_every_form() -> None:
    known = Redactor(secrets_of_variables(VARIABLES))
    assert len(find_leaks([SAID])) >= len(NEEDLES), "the text holds them"
    assert find_leaks([known.redact(SAID), known.redact(json.dumps(SAID)), known.redact(repr(SAID))]) == []
    assert "train" in known.redact(SAID), "a value that is a word is hidden only in an address"


@pytest.mark.parametrize("address", [f"user:{SLASHED}@h", f"foo://user:{SLASHED}@h", f"http://user:{quote(SLASHED)}@h:99999"])
def test_an_address_without_a_scheme_or_with_another_one_is_hidden_with_its_parts(address: str) -> None:
    known = Redactor(secrets_of_variables({"MLFLOW_TRACKING_URI": address}))
    told = known.redact(f"cannot read {address}: no port 'p4ss', user:{SLASHED}@h, {SLASHED}, host w@rd#Canary")
    assert find_leaks([told]) == []
    assert "p4ss" not in told


@pytest.mark.parametrize("address", ["user:a@h", "foo://user:train@h", "user:1@h"])
def test_a_short_password_or_a_word_is_hidden_in_its_address_only(address: str) -> None:
    known = Redactor(secrets_of_address(address))
    assert known.redact(f"{address} train 1 a") == f"{address.split('user')[0]}***@h train 1 a"


def test_a_short_secret_is_hidden_as_a_word_and_a_long_one_anywhere() -> None:
    known = Redactor(secrets_of_variables({"A_TOKEN": "x9Q!", "B_TOKEN": "long-s3cret"}))
    assert known.redact("x9Q! x9Q!? ax9Q! x9Q!a nlong-s3cretx") == "*** ***? ax9Q! x9Q!a n***x"


def test_a_key_in_a_file_is_no_secret_value() -> None:
    variables = {"SSL_KEY": "/etc/hosts", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7", "TOKEN_FILE": "abc123defg"}
    assert secrets_of_variables(variables) == set()


def test_a_private_key_is_hidden_line_by_line_and_a_secret_may_be_too_long_for_a_file() -> None:
    variables = {"SSH_PRIVATE_KEY": "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n", "A_SECRET": "/" + "x9" * 1000}
    known = Redactor(secrets_of_variables(variables))
    assert [known.redact(line) for line in ("MIIEvQIBADANBgkq", "see hkiG9w0BAQEFAASC", variables["A_SECRET"])] == [
        "***", "see ***", "***",
    ]  # fmt: skip


def test_a_header_or_a_path_that_is_too_short_to_tell_hides_nothing_else() -> None:
    known = Redactor(secrets_of_variables({"MLFLOW_TRACKING_PASSWORD": "a", "X_WEBHOOK": "http://h/hook"}))
    assert known.redact("OmE http://other/hook /hook") == "OmE http://other/hook /hook"


def test_settings_hide_a_webhook_and_whatever_stands_beside_it() -> None:
    url = f"https://hooks.invalid{WEBHOOK_PATH}"
    for name in ("webhook_url", "mistyped"):
        known = Redactor(secrets_of_settings({"runtime": {"flow": {"notify": {name: url, "on": ["failure"]}}}}))
        assert known.redact(f"POST {url}: failure") == "POST https://hooks.invalid***: failure"
        assert find_leaks([known.redact("token wEbHooKcAnary3")]) == []


def test_values_are_redacted_with_their_names_and_other_values_stay() -> None:
    value = {"http://me:pw@h": ["http://me:pw@h", ("me", 1)], "n": 1.5, "none": None}
    assert redact_values(value) == {"http://***@h": ["http://***@h", ("me", 1)], "n": 1.5, "none": None}


def test_what_the_environment_gets_later_is_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact("see late-C4nary") == "see late-C4nary"
    monkeypatch.setenv("LATE_PASSWORD", "late-C4nary")
    assert redact("see late-C4nary") == "see ***"
    assert current_redactor() is current_redactor(), "made once"


def test_a_remembered_webhook_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redactor, "_memory", redactor._Memory())
    remember_webhook("https://h.invalid/hooks/aB3dE6gH9")
    assert redact("aB3dE6gH9") == "***"


def test_long_texts_take_no_time_that_grows_with_their_square() -> None:
    known = Redactor(secrets_of_variables(VARIABLES))
    for text in ("x" * 200_000 + "@=", "x-" * 100_000 + "=@", "a://" * 50_000 + "@", "a:b@" * 50_000):
        assert len(known.redact(text)) <= len(text) + 10
