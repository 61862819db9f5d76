"""The other Python FastAGI servers, each answering the same two commands: `python peers.py NAME PORT`.

Runs in an environment of its own (see `__main__.py`), so nothing here imports Zvonok. Each is used as its own
documentation says; where one cannot run at all on Python 3.11, the least that makes it run is here and said.
"""

import io
import sys

NAME = "Иванов И. (ООО Ромашка)"


def panoramisk(port: int) -> None:
    """Its FastAGI application under asyncio."""
    import asyncio

    from panoramisk import fast_agi

    async def announce(request: fast_agi.Request) -> None:
        await request.send_command(f'SET VARIABLE "CALLERID(name)" "{NAME}"')
        await request.send_command('SET VARIABLE "ZVONOK_STATUS" "OK"')

    async def serve() -> None:
        app = fast_agi.Application(loop=asyncio.get_running_loop())
        app.add_route("announce", announce)
        server = await asyncio.start_server(app.handler, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    asyncio.run(serve())


def pystrix(port: int) -> None:
    """Its threaded server."""
    from pystrix.agi import core, fastagi

    def announce(agi: fastagi.FastAGI, *_: object) -> None:
        agi.execute(core.SetVariable("CALLERID(name)", NAME))
        agi.execute(core.SetVariable("ZVONOK_STATUS", "OK"))

    # Its start calls `sysctl`, which a small machine lacks; the number is the kernel's all the same.
    fastagi._ThreadedTCPServer.get_somaxconn = staticmethod(lambda: 4096)
    server = fastagi.FastAGIServer("127.0.0.1", port)
    server.register_script_handler("announce", announce)
    server.serve_forever()


def aioagi(port: int) -> None:
    """Its application under its own runner. It asks for an aiohttp of 2018; these names let that run on Python 3.11."""
    import asyncio.coroutines
    import collections.abc
    import types

    asyncio.coroutines._DEBUG = False  # type: ignore[attr-defined]
    asyncio.coroutine = types.coroutine  # type: ignore[attr-defined]
    for name in collections.abc.__all__:
        setattr(collections, name, getattr(collections.abc, name))

    from aioagi import runner
    from aioagi.app import AGIApplication

    async def announce(request: object) -> None:
        agi = request.agi  # type: ignore[attr-defined]
        await agi.set_variable("CALLERID(name)", NAME)
        await agi.set_variable("ZVONOK_STATUS", "OK")

    app = AGIApplication()
    app.router.add_route("PJSIP", "/announce", announce)
    runner.run_app(app, host="127.0.0.1", port=port, print=lambda *_: None)


def pyst2(port: int) -> None:
    """Its AGI class in a thread for each connection. Its own fastagi.py is Python 2; three things make the class run:

    no signal handler (only the main thread may have one), text written to the binary socket, a stderr of its own.
    """
    import signal
    import socketserver

    from asterisk.agi import AGI

    signal.signal = lambda *_: None  # type: ignore[assignment]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            agi = AGI(self.rfile, io.TextIOWrapper(self.wfile, encoding="utf-8", newline="\n"), io.StringIO())
            agi.set_variable("CALLERID(name)", NAME)
            agi.set_variable("ZVONOK_STATUS", "OK")

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 1024
        daemon_threads = True

    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    {"panoramisk": panoramisk, "pystrix": pystrix, "aioagi": aioagi, "pyst2": pyst2}[sys.argv[1]](int(sys.argv[2]))
