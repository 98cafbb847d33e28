"""slixmpp as an XEP-0114 component, for the benchmarks.

    python3 slixmpp_component.py inbound PORT WARM MEASURED FILE     FILE: one namespace per line for MatchXPath, or - for none
    python3 slixmpp_component.py outbound PORT WARM MEASURED
    python3 slixmpp_component.py connect PORT WARM MEASURED          one connection after the other
"""

import asyncio
import json
import os
import sys
import time

import slixmpp
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

measure, port, warm, measured = sys.argv[1], *map(int, sys.argv[2:5])


class Span:
    """CPU and wall time from the end of the warm-up to the last stanza."""

    def __init__(self):
        self.seen = self.matches = 0
        self.result = asyncio.get_event_loop().create_future()

    def step(self):
        self.seen += 1
        if self.seen == warm:
            self.cpu, self.wall, self.matches = time.process_time(), time.monotonic(), 0
        if self.seen == warm + measured:
            cpu, wall = time.process_time() - self.cpu, time.monotonic() - self.wall
            self.result.set_result({"cpu": cpu * 1e6, "wall": wall, "matches": self.matches})


def component():
    return slixmpp.ComponentXMPP("echo.example.org", "secret", "127.0.0.1", port)


async def ready(one):
    started = asyncio.get_event_loop().create_future()
    one.add_event_handler("session_start", lambda _: started.done() or started.set_result(None))
    one.connect()
    await started


async def inbound():
    span = Span()
    one = component()

    def received(stanza):
        span.step()
        return stanza

    def matched(_):
        span.matches += 1

    if sys.argv[5] != "-":
        with open(sys.argv[5], encoding="utf-8") as lines:
            for number, namespace in enumerate(lines.read().splitlines()):
                path = "{jabber:component:accept}message/{%s}event" % namespace
                one.register_handler(Callback(f"filter {number}", MatchXPath(path), matched))
    one.add_filter("in", received)
    await ready(one)
    return await span.result


async def outbound():
    span = Span()
    one = component()
    await ready(one)
    while not span.result.done():
        for _ in range(500):
            one.make_message("alice@example.org", "hello there, how are you doing today?", mtype="chat").send()
            span.step()
            if span.result.done():
                break
        # It sends from a task of its own, and tells of it by an empty queue.
        while not one.waiting_queue.empty():
            await asyncio.sleep(0)
        while one.transport.get_write_buffer_size() > 0:
            await asyncio.sleep(0.001)
    return await span.result


async def connect():
    times = []
    kept = []
    for number in range(warm + measured):
        one = component()
        start = time.monotonic()
        await ready(one)
        if number >= warm:
            times.append((time.monotonic() - start) * 1000)
        one.abort()
        # What is collected with a task still pending is complained about.
        kept.append(one)
    times.sort()
    return {"p50": times[len(times) // 2], "p95": times[len(times) * 95 // 100]}


async def main():
    result = await {"inbound": inbound, "outbound": outbound, "connect": connect}[measure]()
    version = "{} on Python {}".format(slixmpp.__version__, sys.version.split()[0])
    print(json.dumps({**result, "version": version}), flush=True)
    # Nobody waits for the stream to be closed in order.
    os._exit(0)


asyncio.get_event_loop_policy().get_event_loop().run_until_complete(main())
