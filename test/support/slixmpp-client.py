# A client written with slixmpp, for what others have to see of us. One line of JSON on stdin asks, one on stdout answers:
#   {"id": 1, "do": "info", "to": "a@b/c", "node": "n"}  ->  {"id": 1, "result": {...}} or {"id": 1, "error": "condition"}
# Arguments: host port jid password authority.pem
import asyncio
import gc
import json
import sys

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream import ET

# The event loop keeps no hold of its tasks, and slixmpp keeps none of those it begins: some would be collected half done.
gc.disable()

host, port, jid, password, authority = sys.argv[1:6]


def say(**facts):
    print(json.dumps(facts), flush=True)


class Asker(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        self.ca_certs = authority
        for plugin in ("xep_0030", "xep_0092", "xep_0115", "xep_0199"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.started)
        self.refusals = []
        self.add_event_handler("failed_auth", lambda failure: self.refusals.append(failure["condition"]))
        self.add_event_handler("failed_all_auth", lambda _: self.give_up("no way to sign in is left"))
        self.add_event_handler("connection_failed", lambda reason: self.give_up(str(reason)))
        self.add_event_handler("disconnected", lambda _: self.give_up("the connection ended"))

    # Means something only as long as it is not online.
    def give_up(self, reason):
        say(failed=f"{reason}; refusals: {' '.join(self.refusals) or 'none'}")
        self.loop.stop()

    async def started(self, _):
        self.send_presence()
        say(online=self.boundjid.full)
        reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            asyncio.ensure_future(self.obey(json.loads(line)))
        await self.disconnect()

    async def obey(self, order):
        try:
            say(id=order["id"], result=await getattr(self, "do_" + order["do"])(order))
        except IqError as error:
            say(id=order["id"], error=error.condition)
        except IqTimeout:
            say(id=order["id"], error="timeout")
        except Exception as error:  # the test has to hear of it
            say(id=order["id"], error=repr(error))

    async def do_info(self, order):
        answer = await self["xep_0030"].get_info(jid=order["to"], node=order.get("node"), timeout=30)
        info = answer["disco_info"]
        return {
            "identities": [list(each) for each in sorted(info["identities"], key=str)],
            "features": sorted(info["features"]),
        }

    async def do_items(self, order):
        answer = await self["xep_0030"].get_items(jid=order["to"], timeout=30)
        return sorted([list(each) for each in answer["disco_items"]["items"]], key=str)

    async def do_version(self, order):
        answer = await self["xep_0092"].get_version(order["to"], timeout=30)
        version = answer["software_version"]
        return {"name": version["name"], "version": version["version"]}

    async def do_ping(self, order):
        await self["xep_0199"].send_ping(order["to"], timeout=30)

    # What is known of somebody by the capabilities in their presence, once their hash was found to be right.
    async def do_caps(self, order):
        while (version := await self["xep_0115"].get_verstring(order["to"])) is None:
            await asyncio.sleep(0.05)
        known = await self["xep_0115"].get_caps(verstring=version)
        return {"version": version, "features": sorted(known["features"])}

    async def do_ask(self, order):
        iq = self.make_iq_get(ito=order["to"])
        iq.append(ET.fromstring(order["payload"]))
        answer = await iq.send(timeout=30)
        return [ET.tostring(child, encoding="unicode") for child in answer.xml]


asker = Asker()
asker.connect((host, int(port)), disable_starttls=False)
asker.process(forever=False)
