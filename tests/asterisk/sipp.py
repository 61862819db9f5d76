"""SIPp as a phone: a SIP stack that is neither ours nor Asterisk's, run with the scenarios in sipp/."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SOCK_DGRAM

from tests.asterisk.instance import free_port
from tests.levels import unavailable, within

SCENARIOS = Path(__file__).parent / "sipp"


class Sipp:
    """One run of one scenario against a PBX's SIP port."""

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        self._process, self._errors = process, errors

    async def done(self, timeout: float = 15) -> None:
        """Wait until its call went through the whole scenario. Raises RuntimeError with what SIPp complains of."""
        if await asyncio.wait_for(self._process.wait(), within(timeout)) != 0:
            told = self._errors.read_text(errors="replace") if self._errors.exists() else ""
            raise RuntimeError(f"SIPp ended with {self._process.returncode}:\n{told[-3000:]}")


@contextlib.asynccontextmanager
async def sipp(
    name: str, sip_port: int, *, port: int | None = None, pause_ms: int = 0, **keys: str
) -> AsyncIterator[Sipp]:
    """SIPp runs one call of `sipp/<name>.xml` from `port`; `keys` are the scenario's own words, such as [number].

    `pause_ms`: how long its pauses without a length of their own are.
    """
    if shutil.which("sipp") is None:
        unavailable("SIPp is not installed: sudo make test-tools, or apt install sip-tester")
    with tempfile.TemporaryDirectory(prefix="zvonok-sipp-") as folder:
        errors = Path(folder) / "errors"
        words = [word for key, value in keys.items() for word in ("-key", key, value)]
        local = ["-i", "127.0.0.1", "-p", str(port or free_port(SOCK_DGRAM)), "-mp", str(free_port(SOCK_DGRAM))]
        run = ["-m", "1", "-aa", "-d", str(pause_ms), "-nostdin", "-trace_err", "-error_file", str(errors)]
        process = await asyncio.create_subprocess_exec(
            *("sipp", f"127.0.0.1:{sip_port}", "-sf", str(SCENARIOS / f"{name}.xml"), *words, *local, *run),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            yield Sipp(process, errors)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
