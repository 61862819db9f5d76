"""The cluster's keys and values, for any name and id."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notifier_server import a_call
from zvonok.cluster import jetstream
from zvonok.cluster.keys import call_subject, dismissal_subject, dismissed, pbx_of, pulse_subject, token, untoken
from zvonok.cluster.values import CallPut, Pulse, decode, encode

# What NATS takes as a key: https://docs.nats.io/nats-concepts/jetstream/key-value-store
LEGAL = re.compile(r"[-/_=.a-zA-Z0-9]+")
TEXTS = st.text(min_size=1, max_size=64)
USERS = st.integers(1, 2**63 - 1)


@given(TEXTS)
def test_any_text_is_one_legal_token_that_gives_the_text_back(text: str) -> None:
    assert LEGAL.fullmatch(token(text))
    assert "." not in token(text)
    assert untoken(token(text)) == text


@given(st.text(alphabet="=ABCDEFabcdef0123456789.*> -_я", max_size=12))
def test_what_is_read_as_a_token_is_what_we_would_have_made(part: str) -> None:
    try:
        text = untoken(part)
    except ValueError:
        return
    assert token(text) == part


@given(TEXTS, USERS, TEXTS, TEXTS)
def test_a_pbx_s_keys_are_its_own_whatever_its_calls_are_called(pbx: str, user: int, call_id: str, other: str) -> None:
    subject = call_subject(pbx, user, call_id)
    assert pbx_of(subject) == pbx
    assert pbx_of(pulse_subject(pbx)) == pbx
    assert subject.startswith(f"{pulse_subject(pbx)}.")
    if other != pbx:
        assert not subject.startswith(f"{pulse_subject(other)}.")


@given(USERS, TEXTS)
def test_a_dismissal_s_key_tells_the_user_and_the_call(user: int, call_id: str) -> None:
    assert dismissed(dismissal_subject(user, call_id)) == (user, call_id)


@pytest.mark.parametrize("key", ["", "1", "0.a", "-1.a", "1.a.b", "x.a", "1.", "1.=41", "1.a*", f"{10**20}.a"])
def test_other_keys_are_no_dismissals(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        dismissed(f"$KV.zvonok_dismissals.{key}")


def test_a_value_says_what_was_put() -> None:
    put = CallPut(run=1, seq=2, now=3, call=a_call())
    pulse = Pulse(run=1, seq=2, now=3, live=["a"])
    assert decode(encode(put)) == put
    assert decode(encode(pulse)) == pulse


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"type":"pulse","run":-1,"seq":1,"now":1}', b'{"type":"x"}']
)
def test_what_is_no_value_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence is msgspec's
        decode(data)


@given(st.binary(max_size=200))
def test_no_answer_of_the_engine_is_anything_but_understood_or_a_value_error(data: bytes) -> None:
    for read in (jetstream.ack, jetstream.info_answer):
        try:
            read(data)
        except ValueError:
            continue


def test_where_a_key_stands_is_read_from_the_refusal() -> None:
    assert jetstream.last_sequence(jetstream.ApiError(description="wrong last sequence: 17")) == 17
    assert jetstream.last_sequence(jetstream.ApiError(description="wrong last sequence")) is None
