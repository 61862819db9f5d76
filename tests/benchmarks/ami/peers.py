"""The other Python AMI clients: `python peers.py NAME PORT EVENT...`, listening to these events.

Runs in an environment of its own (see tests/benchmarks/agi), so nothing here imports Zvonok. Each is used as its own
documentation says. The event whose Uniqueid is `end` ends it: the CPU seconds are printed.
"""

import os
import sys
import time


def panoramisk(port: int, events: list[str]) -> None:
    """Its manager under asyncio."""
    import asyncio

    from panoramisk import Manager

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    manager = Manager(loop=loop, host="127.0.0.1", port=port, username="a", secret="b", ping_interval=600)
    for name in events:
        manager.register_event(name, lambda _, event: _heard(event.get("Uniqueid")))
    manager.connect()
    loop.run_forever()


def pystrix(port: int, events: list[str]) -> None:
    """Its manager, which has threads of its own."""
    from pystrix.ami import Manager, core

    manager = Manager()
    for name in events:
        manager.register_callback(name, lambda event, _: _heard(event.get("Uniqueid")))
    manager.connect("127.0.0.1", port)
    manager.send_action(core.Login("a", "b"))
    time.sleep(600)


def pyst2(port: int, events: list[str]) -> None:
    """Its manager, which has threads of its own."""
    from asterisk.manager import Manager

    manager = Manager()
    for name in events:
        manager.register_event(name, lambda event, _: _heard(event.get_header("Uniqueid")))
    manager.connect("127.0.0.1", port)
    manager.login("a", "b")
    time.sleep(600)


def _heard(uniqueid: object) -> None:
    if uniqueid == "end":
        print(f'{{"cpu": {time.process_time() - began}}}', flush=True)
        os._exit(0)


if __name__ == "__main__":
    client = {"panoramisk": panoramisk, "pystrix": pystrix, "pyst2": pyst2}[sys.argv[1]]
    began = time.process_time()
    client(int(sys.argv[2]), sys.argv[3:])
