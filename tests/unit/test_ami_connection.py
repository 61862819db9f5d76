"""One AMI connection that is told more than it can handle: it reads on, lets the loop turn, and loses nothing."""

import asyncio
import time
from unittest.mock import Mock

import pytest

from fastagi import ami_connection
from fastagi.ami_connection import SLICE, AmiConnection, AmiError
from fastagi.ami_wire import Message
from tests.levels import within

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def hangups(first: int, last: int) -> bytes:
    return b"".join(b"Event: Hangup\r\nUniqueid: %d\r\n\r\n" % number for number in range(first, last))


class Slow:
    """Handles an event in more time than the loop gives at once."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.transport = Mock(spec=asyncio.Transport)
        self.connection = AmiConnection(self._event)
        self.connection.connection_made(self.transport)
        self.connection.data_received(BANNER)

    def _event(self, event: Message) -> None:
        time.sleep(2 * SLICE)
        self.handled.append(int(event.headers["Uniqueid"]))

    async def until_handled(self, count: int) -> None:
        async with asyncio.timeout(within(5)):
            while len(self.handled) < count:
                await asyncio.sleep(0)


async def test_the_loop_has_its_turn_between_events_and_what_comes_meanwhile_is_read():
    slow = Slow()
    slow.connection.data_received(hangups(0, 10))
    assert len(slow.handled) <= 1  # none, where even the banner took this machine a slice
    slow.connection.data_received(hangups(10, 20))
    assert len(slow.handled) <= 1
    await slow.until_handled(20)
    assert slow.handled == list(range(20))
    slow.transport.pause_reading.assert_not_called()


async def test_what_came_before_the_pbx_hung_up_is_handled_before_the_loss_is_told():
    slow = Slow()
    slow.connection.data_received(hangups(0, 10))
    slow.connection.connection_lost(ConnectionResetError("gone"))
    assert not slow.connection.lost.is_set()
    async with asyncio.timeout(within(5)):
        await slow.connection.lost.wait()
    assert slow.handled == list(range(10))
    assert slow.connection.why == "gone"
    with pytest.raises(AmiError, match="gone"):
        await slow.connection.action("Ping")


async def test_only_so_much_is_kept_in_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ami_connection, "MAX_BEHIND", 100)
    slow = Slow()
    slow.connection.data_received(hangups(0, 5))
    slow.transport.pause_reading.reset_mock()
    slow.transport.resume_reading.reset_mock()
    slow.connection.data_received(hangups(5, 10))
    slow.transport.pause_reading.assert_called_once()
    slow.connection.data_received(hangups(10, 15))
    slow.transport.resume_reading.assert_not_called()
    await slow.until_handled(15)
    slow.transport.resume_reading.assert_called()


async def test_nothing_is_handled_after_we_have_left():
    slow = Slow()
    slow.connection.data_received(hangups(0, 10))
    slow.connection.abort()
    slow.connection.connection_lost(None)
    await asyncio.sleep(0.02)
    assert len(slow.handled) <= 1
    assert slow.connection.lost.is_set()


async def test_an_event_that_cannot_be_handled_costs_the_connection_and_so_a_resync(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ami_connection, "SLICE", 60.0)
    transport = Mock(spec=asyncio.Transport)

    def fails(_: Message) -> None:
        raise RuntimeError("a mistake of ours")

    connection = AmiConnection(fails)
    connection.connection_made(transport)
    with pytest.raises(RuntimeError):
        connection.data_received(BANNER + hangups(0, 2))
    transport.abort.assert_called()


async def test_an_answer_that_waits_behind_events_is_waited_for_however_long_they_take():
    slow = Slow()
    await slow.until_handled(0)
    asking = asyncio.create_task(slow.connection.action("CoreStatus", 0.05))
    await asyncio.sleep(0)
    sent = slow.transport.write.call_args[0][0].decode()
    action_id = sent.partition("ActionID: ")[2].split()[0]
    slow.connection.data_received(hangups(0, 100) + f"Response: Success\r\nActionID: {action_id}\r\n\r\n".encode())
    assert (await asking).succeeded
    assert len(slow.handled) == 100


async def test_a_loop_that_stood_still_is_not_the_silence_of_the_pbx():
    slow = Slow()
    slow.connection.silence = 0.2
    asking = asyncio.create_task(slow.connection.action("Ping"))
    await asyncio.sleep(0)
    time.sleep(0.5)  # whatever it is that holds up our loop
    await asyncio.sleep(0.01)
    assert not asking.done()
    with pytest.raises(AmiError, match=r"said nothing for 0\.2 s"):
        await asking


async def test_a_pbx_that_tells_of_its_calls_but_does_not_answer_is_given_up():
    slow = Slow()
    asking = asyncio.create_task(slow.connection.action("CoreStatus", 0.3))
    while not asking.done():
        slow.connection.data_received(hangups(0, 1))
        await asyncio.sleep(0.02)
    with pytest.raises(AmiError, match="does not answer CoreStatus"):
        await asking
