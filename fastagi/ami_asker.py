"""One AMI connection for a few questions: `zvonok check`'s. The tap's own, which follows the PBX, is `fastagi.ami`."""

import itertools
import socket
import time
from collections.abc import Sequence
from typing import Final, Self

from fastagi.ami_wire import AmiParser, Banner, Message, encode_action
from zvonok.errors import ZvonokError

TIMEOUT: Final = 3.0


class AmiSilenceError(ZvonokError):
    """AMI did not answer in time, or hung up."""


class AmiAsker:
    """One AMI connection for a few questions, one at a time, each within `TIMEOUT` seconds. Lists give the events
    named in `wanted`."""

    def __init__(self, host: str, port: int, *, wanted: Sequence[str] = ()) -> None:
        self._parser = AmiParser(wanted=wanted)
        self._ids = itertools.count(1)
        self._pending: list[Banner | Message] = []
        self._sock = socket.create_connection((host, port), TIMEOUT)
        self.banner: Banner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sock.close()

    def ask(self, action: str, *headers: tuple[str, str]) -> Message:
        """The response to an action. Raises `AmiSilenceError`."""
        ident = self._send(action, headers)
        while True:
            message = self._next(ident)
            if not message.event:
                return message

    def ask_list(
        self, action: str, *headers: tuple[str, str], seconds: float = TIMEOUT
    ) -> tuple[list[Message], Message]:
        """The events of a list, and the response that announced it (which may refuse it), all within `seconds`."""
        ident = self._send(action, headers, seconds)
        entries: list[Message] = []
        response: Message | None = None
        while True:
            message = self._next(ident)
            if not message.event:
                response = message
                if not message.succeeded:
                    return [], message
            elif message.ends_list:
                assert response is not None
                return entries, response
            else:
                entries.append(message)

    def _send(self, action: str, headers: tuple[tuple[str, str], ...], seconds: float = TIMEOUT) -> str:
        ident = f"check-{next(self._ids)}"
        self._patience = seconds
        self._deadline = time.monotonic() + seconds
        self._sock.sendall(encode_action(action, ident, headers))
        return ident

    def _next(self, ident: str) -> Message:
        while True:
            while self._pending:
                message = self._pending.pop(0)
                if isinstance(message, Banner):
                    self.banner = message
                elif message.action_id == ident:
                    return message
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise AmiSilenceError(f"AMI did not answer within {self._patience:g} s")
            self._sock.settimeout(left)
            try:
                data = self._sock.recv(65_536)
            except TimeoutError as exc:
                raise AmiSilenceError(f"AMI did not answer within {self._patience:g} s") from exc
            if not data:
                raise AmiSilenceError("AMI hung up without an answer")
            self._pending.extend(self._parser.receive(data))
