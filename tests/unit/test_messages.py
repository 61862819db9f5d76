"""The browser protocol's messages and their schema."""

import contextlib
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import messages
from tests.notifier_server import a_call, ended

NOW = 1_800_000_000_000
EVERY_SERVER_MESSAGE = [
    messages.Hello(
        server_time=NOW,
        user=messages.User(id=1, name="Иванов"),
        numbers=[messages.Number(number="+79271390907", label="мобильный")],
        heartbeat_ms=10_000,
        token_expires_at=NOW,
    ),
    messages.Snapshot(server_time=NOW, calls=[a_call(), ended(a_call("c2"))], pbxs=["main"], dismissed=["c2"]),
    messages.CallMessage(server_time=NOW, call=a_call()),
    messages.Dismissed(server_time=NOW, call_id="c1"),
    messages.Source(server_time=NOW, pbx="main", up=False),
    messages.Heartbeat(server_time=NOW),
    messages.Error(server_time=NOW, code=messages.ErrorCode.TEST_CALL_RUNNING, message="a test call is running"),
]


@pytest.mark.parametrize("message", EVERY_SERVER_MESSAGE, ids=lambda message: type(message).__name__)
def test_every_server_message_has_version_type_and_time_and_fits_the_schema(message: messages.ServerMessage) -> None:
    sent = json.loads(messages.encode(message))
    assert sent["v"] == 1
    assert sent["server_time"] == NOW
    schema = messages.schema()
    jsonschema.validate(sent, schema | {"$ref": "#/$defs/FromServer"})


@pytest.mark.parametrize(
    "text",
    [
        '{"v":1,"type":"auth","token":"x","tab_id":"t"}',
        '{"v":1,"type":"dismiss","call_id":"c"}',
        '{"v":1,"type":"heartbeat"}',
        '{"v":1,"type":"client_status","sound":"blocked","notifications":"denied","visible":false}',
        '{"v":1,"type":"client_status","sound":"ready","later":"field"}',
        '{"v":1,"type":"test_call"}',
    ],
)
def test_every_client_message_decodes_and_fits_the_schema(text: str) -> None:
    messages.decode(text)
    jsonschema.validate(json.loads(text), messages.schema() | {"$ref": "#/$defs/FromClient"})


@given(st.one_of(st.text(), st.binary()))
def test_anything_else_is_a_value_error(data: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the sentence says
        messages.decode(data)


_KEYS = st.sampled_from(["v", "type", "token", "call_id", "sound"])
_JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner),
)


@given(_JSON)
def test_odd_json_is_a_message_or_a_value_error(value: object) -> None:
    with contextlib.suppress(ValueError):
        messages.decode(json.dumps(value))
