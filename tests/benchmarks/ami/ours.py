"""Zvonok's AMI intake for the benchmark: `python -m tests.benchmarks.ami.ours PORT [tracker]`.

The tap's own connection, parser and translation; with `tracker`, its tracker too, whose questions are answered at once.
The event whose Uniqueid is `end` ends it: the CPU seconds are printed.
"""

import asyncio
import gc
import os
import sys
import time

from fastagi.ami_connection import AmiConnection
from fastagi.ami_facts import translate
from fastagi.ami_rights import AmiRights
from fastagi.ami_wire import Message
from fastagi.facts import HungUp
from tests.benchmarks.pbx_stream import Follower


async def main(port: int, *, tracker: bool) -> None:
    """Take the flood until its end."""
    follower = Follower() if tracker else None

    def heard(event: Message) -> None:
        facts = translate(event)
        rights.event(event)
        for fact in facts:
            if isinstance(fact, HungUp) and fact.channel.uniqueid == "end":
                print(f'{{"cpu": {time.process_time() - began}}}', flush=True)
                os._exit(0)
            if follower is not None:
                follower.feed(fact)

    rights = AmiRights()
    rights.logged_in(0)
    gc.freeze()
    began = time.process_time()
    connection = AmiConnection(heard)
    await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)
    await connection.action("Login", Username="a", Secret="b", Events="call,agent")
    await connection.lost.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), tracker=sys.argv[2:] == ["tracker"]))
