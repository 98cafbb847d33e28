import asyncio
import gc
import os
import sys

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout

# The event loop keeps no hold of its tasks, and slixmpp keeps none of those it begins: some would be collected half done.
gc.disable()

env = os.environ
component = env["PEER_KIND"] == "component"


def say(*words):
    print("\t".join(str(word) for word in words), flush=True)


class Common:
    def follow(self):
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("message", self.message)
        self.add_event_handler("presence", lambda p: say("presence", p["from"], p["type"]))
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.reading = None

    async def started(self, _):
        if not component:
            await self.get_roster()
            self.send_presence()
        say("online", self.boundjid)
        self.reading = self.reading or asyncio.ensure_future(self.read())

    def message(self, message):
        kind = "groupchat" if message["type"] == "groupchat" else "message"
        if message["body"]:
            say(kind, message["from"], message["body"])

    async def read(self):
        reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            order, *words = line.decode().rstrip("\n").split("\t")
            try:
                await getattr(self, "do_" + order)(*words)
            except (IqError, IqTimeout) as error:
                say("failed", order, error)
        await self.disconnect()

    async def do_message(self, to, body):
        self.send_message(mto=to, mbody=body, mfrom=self.boundjid if component else None)

    async def do_ping(self, to):
        await self["xep_0199"].send_ping(to, ifrom=self.boundjid if component else None, timeout=20)
        say("pong")


class Client(Common, slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(env["PEER_JID"], env["PEER_PASSWORD"])
        self.ca_certs = env["PEER_CA"]
        self.follow()
        for plugin in ("xep_0045", "xep_0198", "xep_0313"):
            self.register_plugin(plugin)
        self.refusals = []
        self.add_event_handler("failed_auth", lambda failure: self.refusals.append(failure["condition"]))
        self.add_event_handler("failed_all_auth", lambda _: self.give_up())
        self.add_event_handler("session_resumed", lambda _: say("resumed"))
        self.add_event_handler("disconnected", self.lost)

    def give_up(self):
        say("failed", *self.refusals)
        self.loop.stop()

    def lost(self, _):
        if self.reading is None:
            self.give_up()
        else:
            self.reach()

    def reach(self):
        self.connect((env["PEER_HOST"], int(env["PEER_PORT"])), use_ssl=env["PEER_TLS"] == "direct")

    async def do_roster(self):
        roster = await self.get_roster()
        say("roster", *roster["roster"]["items"])

    async def do_join(self, room, nick):
        await self["xep_0045"].join_muc_wait(room, nick, maxstanzas=0)
        say("joined", room)

    async def do_groupchat(self, room, body):
        self.send_message(mto=room, mbody=body, mtype="groupchat")

    async def do_archive(self):
        pages = await self["xep_0313"].retrieve(timeout=20)
        found = pages["mam"]["results"]
        say("archive", *(each["mam_result"]["forwarded"]["stanza"]["body"] for each in found))


class Component(Common, slixmpp.ComponentXMPP):
    def __init__(self):
        super().__init__(env["PEER_JID"], env["PEER_PASSWORD"], env["PEER_HOST"], int(env["PEER_PORT"]))
        self.follow()
        self.add_event_handler("stream_error", self.refused)

    def refused(self, error):
        say("failed", error["condition"])
        self.loop.stop()

    def reach(self):
        self.connect()


entity = Component() if component else Client()
entity.reach()
entity.process(forever=True)
