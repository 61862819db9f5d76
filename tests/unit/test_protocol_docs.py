"""docs/protocol.md and docs/protocol.schema.json say what notifier/messages.py does."""

import json
import re
import typing
from pathlib import Path

import jsonschema
import msgspec
import pytest

from notifier import messages
from zvonok.call import Call, Caller, End, Line, Reason, State

DOCS = Path(__file__).parent.parent.parent / "docs"
SCHEMA = json.loads((DOCS / "protocol.schema.json").read_text())
CALL = Call(
    call_id="c1", rev=1, first_linkedid="1.1", user_id=1, state=State.ENDED, caller=Caller(number="+79271390907"),
    line=Line(number="101"), ring_started_at=1, ended_at=2, end=End(reason=Reason.MISSED), pbx="main",
)  # fmt: skip
FROM_SERVER = [
    messages.Hello(
        server_time=1,
        user=messages.User(id=1),
        numbers=[messages.Number(number="101")],
        heartbeat_ms=1,
        token_expires_at=1,
    ),
    messages.Hello(server_time=1, user=messages.User(id=1), numbers=None, heartbeat_ms=1, token_expires_at=1),
    messages.Snapshot(server_time=1, calls=[CALL], pbxs=["main"], dismissed=["c2"]),
    messages.CallMessage(server_time=1, call=CALL),
    messages.Dismissed(server_time=1, call_id="c1"),
    messages.Source(server_time=1, pbx="main", up=False),
    messages.Heartbeat(server_time=1),
    messages.Error(server_time=1, code=messages.ErrorCode.BAD_RENEWAL, message="x"),
]


def names(union: object) -> set[str]:
    """The `type`s of a union of messages."""
    return {str(msgspec.inspect.type_info(one).tag) for one in typing.get_args(union)}  # type: ignore[attr-defined]


def test_the_schema_is_the_one_that_the_messages_make() -> None:
    assert messages.schema() == SCHEMA, "run: make protocol"


@pytest.mark.parametrize("message", FROM_SERVER, ids=lambda message: type(message).__name__)
def test_what_the_server_sends_fits_the_schema(message: messages.ServerMessage) -> None:
    direction = {"$ref": "#/$defs/FromServer", "$defs": SCHEMA["$defs"]}
    jsonschema.validate(json.loads(messages.encode(message)), direction)


def test_every_message_of_the_server_was_tried() -> None:
    assert {type(message) for message in FROM_SERVER} == set(typing.get_args(messages.FromServer))


def test_the_schema_refuses_what_the_server_refuses() -> None:
    direction = {"$ref": "#/$defs/FromClient", "$defs": SCHEMA["$defs"]}
    jsonschema.validate({"v": 1, "type": "dismiss", "call_id": "c1"}, direction)
    for wrong in ({"v": 1, "type": "dismiss"}, {"v": 2, "type": "heartbeat"}, {"v": 1, "type": "no_such"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, direction)
        with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs
            messages.decode(json.dumps(wrong))


def test_the_documentation_names_every_message_code_and_reason() -> None:
    text = (DOCS / "protocol.md").read_text()
    words = set(re.findall(r"\w+", text))
    wanted = names(messages.FromServer) | names(messages.FromClient)
    wanted |= {str(int(code)) for code in messages.Close} | {reason.value for reason in Reason}
    assert wanted - words == set()


def test_the_documentation_shows_the_example_as_it_is() -> None:
    shown = re.search(r"<!-- (examples/\S+) -->\n```python\n(.*?)```", (DOCS / "protocol.md").read_text(), re.DOTALL)
    assert shown is not None
    assert shown[2] == (DOCS / shown[1]).read_text()
