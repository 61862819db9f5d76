"""Zvonok's FastAGI server for the benchmark: `python -m tests.benchmarks.agi.ours PORT [FACTS_SOCKET]`.

The real pool, sessions, announcer and, with a socket, the real link to the tap; the directory's answer is a constant,
as it is for the peers: what a lookup costs has a benchmark of its own.
"""

import gc
import signal
import sys
from pathlib import Path

from fastagi.agi_server import AgiServer
from fastagi.announce import ROUTE, Announcer
from fastagi.fact_link import FactSender
from zvonok.address import Address
from zvonok.call import Caller, Kind

if __name__ == "__main__":
    who = Caller(number="+79271390907", name="Иванов Иван", kind=Kind.DEALER, id=1, company="ООО Ромашка", matches=1)
    send = FactSender(Path(sys.argv[2])).send if len(sys.argv) > 2 else lambda _: None
    announcer = Announcer(remembered=lambda _: who, who_calls=lambda _: who, send_fact=send)
    server = AgiServer(Address("127.0.0.1", int(sys.argv[1])), {ROUTE: announcer})
    gc.freeze()
    server.start()
    signal.pause()
