import asyncio
import os
import ssl
import sys
import warnings

warnings.simplefilter("ignore")
import aioxmpp
import aioxmpp.connector
import aioxmpp.security_layer
from aioxmpp.xso import XSO

env = os.environ
authority = env["PEER_CA"]


def say(*words):
    print("\t".join(str(word) for word in words), flush=True)


def context():
    made = aioxmpp.security_layer.default_ssl_context()
    made.load_verify_locations(authority)
    return made


async def main():
    direct = env["PEER_TLS"] == "direct"
    connector = aioxmpp.connector.XMPPOverTLSConnector() if direct else aioxmpp.connector.STARTTLSConnector()
    security = aioxmpp.make_security_layer(env["PEER_PASSWORD"])
    security = security._replace(ssl_context_factory=context, certificate_verifier_factory=Verifier)
    client = aioxmpp.PresenceManagedClient(
        aioxmpp.JID.fromstr(env["PEER_JID"]),
        security,
        override_peer=[(env["PEER_HOST"], int(env["PEER_PORT"]), connector)],
        max_initial_attempts=1,
    )
    for service in (aioxmpp.RosterClient, aioxmpp.MUCClient, aioxmpp.PresenceClient, aioxmpp.DiscoServer):
        client.summon(service)
    client.on_stream_resumed.connect(lambda: say("resumed"))
    dispatcher = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)

    def message(found):
        body = found.body.any() if found.body else None
        if body is not None:
            say("groupchat" if found.type_ == aioxmpp.MessageType.GROUPCHAT else "message", found.from_, body)

    dispatcher.register_callback(None, None, message)
    client.summon(aioxmpp.PresenceClient).on_available.connect(
        lambda jid, stanza: say("presence", jid, "available")
    )
    rooms = {}
    try:
        async with client.connected():
            say("online", client.local_jid)
            reader = asyncio.StreamReader()
            loop = asyncio.get_event_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while line := await reader.readline():
                order, *words = line.decode().rstrip("\n").split("\t")
                if order in ("message", "groupchat"):
                    kind = aioxmpp.MessageType.CHAT if order == "message" else aioxmpp.MessageType.GROUPCHAT
                    sent = aioxmpp.Message(type_=kind, to=aioxmpp.JID.fromstr(words[0]))
                    sent.body[None] = words[1]
                    client.enqueue(sent)
                elif order == "ping":
                    await aioxmpp.ping.ping(client, aioxmpp.JID.fromstr(words[0]))
                    say("pong")
                elif order == "roster":
                    say("roster", *client.summon(aioxmpp.RosterClient).items)
                elif order == "join":
                    jid = aioxmpp.JID.fromstr(words[0])
                    room, joined = client.summon(aioxmpp.MUCClient).join(
                        jid, words[1], history=aioxmpp.muc.xso.History(maxstanzas=0)
                    )
                    room.on_message.connect(
                        lambda found, member, source, **_: say(
                            "groupchat", member.conversation_jid, found.body.any()
                        )
                    )
                    rooms[jid] = room
                    await joined
                    say("joined", jid)
    except Exception as error:
        say("failed", type(error).__name__, error)


class Verifier(aioxmpp.security_layer.PKIXCertificateVerifier):
    def setup_context(self, context, transport):
        context.load_verify_locations(authority)
        super().setup_context(context, transport)


asyncio.get_event_loop_policy().new_event_loop()
asyncio.run(main())
