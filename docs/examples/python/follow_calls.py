"""Follow a user's calls from a terminal: python follow_calls.py ws://127.0.0.1:5004/ws TOKEN"""

import asyncio
import json
import sys

import aiohttp


async def follow(url: str, token: str) -> None:
    calls: dict[str, int] = {}  # call_id -> the highest rev seen
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        await socket.send_json({"v": 1, "type": "auth", "token": token})
        async for frame in socket:
            message = json.loads(frame.data)
            if message["type"] == "hello":
                print("logged in as", message["user"]["name"], flush=True)
            for call in [message["call"]] if message["type"] == "call" else message.get("calls", []):
                if call["rev"] <= calls.get(call["call_id"], 0):
                    continue  # old news: states may come twice
                calls[call["call_id"]] = call["rev"]
                caller = call["caller"]
                print(call["state"], caller["name"] or caller["number"] or "unknown", flush=True)
        print("closed:", socket.close_code, flush=True)


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], sys.argv[2]))
