"""One AGI session over a socket: pyst2's `AGI` made safe to use in the path of a call. The only importer of pyst2.

pyst2 gives the commands (`set_variable`, `verbose`, ...), `execute` and the exception tree. Everything below them is
replaced, because pyst2 0.5.1 installs a signal handler (fails outside the main thread), writes text to a binary file,
dumps each call's data to stderr, waits for ever, reads without limit, escapes nothing, and takes a hangup for a number.

Here each read has an absolute deadline and a size limit, undecodable bytes never raise, and whatever Asterisk or a
stranger sends ends in one of pyst2's exceptions or one of ours (all are `AGIException`).
"""

import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from asterisk.agi import (
    AGI,
    AGIAppError,
    AGIError,
    AGIException,
    AGIHangup,
    AGIInvalidCommand,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGIUnknownError,
    AGIUsageError,
)

__all__ = ["AGIError", "AGIException", "AGIHangup", "AGISession", "BadRequest", "PeerTooSlow"]

ENV_DEADLINE: Final = 0.5  # s from accept to the blank line that ends the request
SESSION_DEADLINE: Final = 0.9  # s from accept to the last reply; PATIENCE more at the very most
STALL: Final = 0.004  # s of a peer's silence after which others are let past (a tick of most kernels)
PATIENCE: Final = 0.1  # s a silent peer may keep a worker while no other worker is free
MAX_REQUEST: Final = 32_768  # bytes; a request of Asterisk has about 700
MAX_REPLY: Final = 16_384  # bytes; res_agi's own buffer has 8,192
MAX_COMMAND: Final = 8_190  # bytes with the line feed, below res_agi's buffer (AGI_BUF_LEN)

_CHUNK: Final = 8_192
# A kernel time-out costs one system call for a session; Python's own would put a poll() before each recv().
_STALL: Final = struct.pack("ll", 0, int(STALL * 1_000_000))
_PATIENCE: Final = struct.pack("ll", 0, int(PATIENCE * 1_000_000))
_UNSAFE: Final = {0: None, 10: None, 13: None, 34: '\\"', 92: "\\\\"}
_LINE_BREAKS: Final = {0: None, 10: None, 13: None}


class BadRequest(AGIException):  # type: ignore[misc]  # pyst2 has no types
    """What the peer sent is not AGI, or is too long."""


class PeerTooSlow(AGIException):  # type: ignore[misc]
    """The peer was silent past a deadline, or past PATIENCE while no worker was free."""


def _nobody_waits() -> bool:
    return False


def _nobody_is_behind() -> None:
    pass


class AGISession(AGI):  # type: ignore[misc]
    """A session on a connected, blocking socket; the request has been read when the constructor returns.

    `env` holds the request's lines (`agi_uniqueid` and so on) as text. `crowded` tells whether every worker is busy:
    then a silent peer is given up after PATIENCE. `step_aside` is called once, when the peer is silent for STALL: the
    session is going to wait, and somebody else should take the next call. A route calls it too before it waits for
    anything else. Use a session in one thread, and `release` it in the end.

    Raises `BadRequest`, `PeerTooSlow`, or `AGIHangup` if the peer is gone; the commands raise these as well, and
    `AGIError` where Asterisk refuses one.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        crowded: Callable[[], bool] = _nobody_waits,
        step_aside: Callable[[], None] = _nobody_is_behind,
    ) -> None:
        # Not super().__init__(): it installs a signal handler and prints the request.
        self.started = time.monotonic()
        self.env: dict[str, str] = {}
        self._sock = sock
        self._crowded = crowded
        self._on_wait = step_aside
        self._aside = False
        self._unread = b""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _STALL)
        self._get_agi_env()

    @property
    def route(self) -> str:
        """What the dialplan asks for: `announce` of `AGI(agi://HOST/announce,...)`; a query is cut off."""
        return self.env.get("agi_network_script", "").partition("?")[0].strip("/ ")

    def arguments(self) -> list[str]:
        """The arguments after the URL, `agi_arg_1` and on, in order.

        Raises `BadRequest` unless they are the request's last lines, where Asterisk puts them: one further up was
        smuggled in by a line break in a caller's name.
        """
        found: list[str] = []
        while (value := self.env.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value.strip())
        last = list(self.env)[len(self.env) - len(found) :]
        if any(not key.startswith("agi_arg_") for key in last):
            raise BadRequest("an argument stands between other lines; does a caller's name hold a line break?")
        return found

    def release(self) -> None:
        """Give the call back to the dialplan: Asterisk goes on as soon as the connection is closed."""
        self._sock.close()

    def step_aside(self) -> None:
        """This session is going to wait: let others past. Twice is harmless."""
        if not self._aside:
            self._aside = True
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
            self._on_wait()

    def _get_agi_env(self) -> None:
        until = self.started + ENV_DEADLINE
        data = self._receive(until)
        while (end := data.find(b"\n\n")) < 0:
            # A port scanner, a browser or TLS is known by its first bytes and need not wait for the deadline.
            if not b"agi_".startswith(data[:4]) and not data.startswith(b"agi_"):
                raise BadRequest("this is not an AGI request: it does not begin with agi_")
            if len(data) > MAX_REQUEST:
                raise BadRequest(f"the request has more than {MAX_REQUEST} bytes")
            data += self._receive(until)
        if end > MAX_REQUEST or not data.startswith(b"agi_"):
            raise BadRequest("this is not an AGI request, or it is too long")
        self._unread = data[end + 2 :]
        # Not splitlines(): a name may hold U+2028 and the like, and Asterisk ends lines with a line feed only.
        lines = _text(data[:end]).split("\n")
        for line in lines:
            key, _, value = line.partition(": ")
            self.env[key] = value
        if len(self.env) != len(lines):
            # Asterisk says nothing twice, so a line break in a name has smuggled a line in: trust none of it.
            raise BadRequest("the request says something twice; does a caller's name hold a line break?")

    def _receive(self, until: float) -> bytes:
        """Some bytes, within PATIENCE of `until` (monotonic seconds)."""
        while time.monotonic() < until:
            try:
                data = self._sock.recv(_CHUNK)
            except BlockingIOError:  # STALL is over, or PATIENCE
                if not self._aside:
                    self.step_aside()
                elif self._crowded():
                    raise PeerTooSlow(f"silent for {PATIENCE:g} s while other calls wait for a worker") from None
                continue
            except OSError as exc:
                raise AGISIGPIPEHangup(f"the connection broke: {exc.strerror}") from exc
            if not data:
                raise AGIHangup("the peer closed the connection")
            return data
        raise PeerTooSlow(f"not done {time.monotonic() - self.started:.1f} s after the connection")

    def _line(self) -> str:
        until = self.started + SESSION_DEADLINE
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > MAX_REPLY:
                raise BadRequest(f"a reply has more than {MAX_REPLY} bytes")
            self._unread += self._receive(until)
        line, self._unread = self._unread[:end], self._unread[end + 1 :]
        return _text(line)

    def _quote(self, value: object) -> str:
        """`value` as one argument of res_agi's parser: `"` and `\\` escaped, NUL and line breaks removed."""
        text = str(value)
        if not text.isprintable() or '"' in text or "\\" in text:  # translate() is slow, and hardly ever needed
            text = text.translate(_UNSAFE)
        return f'"{text}"'

    def test_hangup(self) -> None:
        """Nothing to test: a hangup comes as a HANGUP line or as the end of the connection, not as a signal."""

    def send_command(self, command: str, *args: object) -> None:
        """Send one command line. Raises `AGIError` for one that Asterisk could not take."""
        line = " ".join([command, *map(str, args)])
        if not line.isprintable():
            line = line.translate(_LINE_BREAKS)
        data = line.encode("utf-8", "replace") + b"\n"
        if len(data) > MAX_COMMAND:
            raise AGIError(f"{command}: {len(data)} bytes; Asterisk reads at most {MAX_COMMAND}")
        try:
            # One short line after each reply fits the socket's buffer, so this never blocks.
            self._sock.sendall(data)
        except OSError as exc:
            raise AGISIGPIPEHangup(f"the connection broke: {exc.strerror}") from exc

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """The reply as pyst2's commands want it: `{"result": (value, data)}`. Raises as pyst2 documents."""
        line = self._line()
        while line.startswith("100 "):  # "Trying...": the reply proper is still to come
            line = self._line()
        if line == "200 result=1":
            return {"result": ("1", "")}
        code, _, response = line.partition(" ")
        if code == "200":
            return _parse_result(response)
        raise self._refusal(line, code, response)

    def _refusal(self, line: str, code: str, response: str) -> AGIException:
        if line == "HANGUP":
            return AGISIGHUPHangup("the caller hung up")
        if code == "511":
            return AGIHangup("the channel is already hung up (511)")
        if code == "510":
            return AGIInvalidCommand(response)
        if code == "520":
            return AGIUsageError(response)
        if code.startswith("520-"):  # the usage follows, up to "520 End of proper usage."
            while not self._line().startswith("520"):
                pass
            return AGIUsageError(line[4:])
        return AGIUnknownError(f"not a reply to a command: {line[:80]!r}")


def _parse_result(response: str) -> dict[str, tuple[str, str]]:
    """`result=1 (value)` or `result=0 endpos=8000`, as `{"result": ("1", "value")}` and so on."""
    found: dict[str, tuple[str, str]] = {"result": ("", "")}
    key, _, rest = response.partition("=")
    value, _, rest = rest.partition(" ")
    rest = rest.strip()
    data = rest[1 : rest.rfind(")")] if rest.startswith("(") and ")" in rest else ""
    found[key] = (value, data)
    for word in rest[rest.rfind(")") + 1 :].split():
        name, equals, text = word.partition("=")
        if equals:
            found[name] = (text, "")
    if key != "result":
        raise AGIUnknownError(f"not a result: {response[:80]!r}")
    if data == "hangup":
        raise AGIResultHangup("the caller hung up during the command")
    if value == "-1":
        raise AGIAppError("Asterisk could not do it, or the channel is gone (result=-1)")
    return found


def _text(data: bytes) -> str:
    """`data` as text, whatever it is: UTF-8, or where not one character of it is UTF-8, Windows-1251 (old trunks)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "\n".join(map(_line_text, data.split(b"\n")))


def _line_text(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    # Asterisk cuts long names at a byte, so UTF-8 with a broken end stays UTF-8.
    if "\ufffd" in text and all(char.isascii() or char == "\ufffd" for char in text):
        return line.decode("cp1251", "replace")
    return text
