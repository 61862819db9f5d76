"""`zvonok notifier` as a process: ready once it listens, a clear word for a taken port, a graceful stop."""

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from tests.levels import within
from tests.notifier_server import AUTH_SECRET, INTAKE_SECRET, token


async def start(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "zvonok",
        "notifier",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path.cwd()),
            "ZVONOK_AUTH_SECRET": AUTH_SECRET,
            "ZVONOK_INTAKE_SECRET": INTAKE_SECRET,
            "ZVONOK_HTTP_LISTEN": "127.0.0.1:0",
            "ZVONOK_INTAKE_LISTEN": "127.0.0.1:0",
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_says_ready_once_it_listens_and_a_stop_tells_clients_1012_and_exits_0(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        process = await start(
            NOTIFY_SOCKET=str(tmp_path / "notify"), ZVONOK_INTAKE_LISTEN=f"unix:{tmp_path}/intake.sock"
        )
        assert process.stderr
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within(15)):
            assert await loop.sock_recv(systemd, 100) == b"READY=1"
            where = re.search(rb"users come in at (\S+),", await process.stderr.readline())
        assert where
        assert (tmp_path / "intake.sock").stat().st_mode & 0o777 == 0o660
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"http://{where[1].decode()}/ws") as ws,
            http.ws_connect(f"http://{where[1].decode()}/ws") as silent,
        ):
            await ws.send_json({"v": 1, "type": "auth", "token": token(), "tab_id": ""})
            assert (await ws.receive_json())["type"] == "hello"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(within(5)):
                while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
                await silent.receive()
                assert (ws.close_code, silent.close_code) == (1012, 1012)
                assert await process.wait() == 0
        rest = (await process.stderr.read()).decode()
        assert "Traceback" not in rest
        assert "ERROR" not in rest


async def test_a_taken_port_gets_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await start(ZVONOK_HTTP_LISTEN=f"127.0.0.1:{taken.getsockname()[1]}")
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"ZVONOK_HTTP_LISTEN: cannot listen" in err
    assert b"Traceback" not in err
