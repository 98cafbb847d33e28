# Clients for a terminal. Commands are typed, and what comes from the server is read out of their own logs.
#   terminal-peer.py mcabber|profanity FOLDER-OF-MODULES
import os
import pty
import re
import select
import signal
import sys
import tempfile
import time
from xml.etree import ElementTree

env = os.environ
account, resource = env["PEER_JID"].split("/")
home = tempfile.mkdtemp()


def say(*words):
    print("\t".join(words), flush=True)


def write(path, text):
    path = os.path.join(home, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)
    return path


class Mcabber:
    log = os.path.join(home, "trace")

    def command(self):
        rc = {
            "jid": account,
            "resource": resource,
            "password": env["PEER_PASSWORD"],
            "server": env["PEER_HOST"],
            "port": env["PEER_PORT"],
            "tls" if env["PEER_TLS"] == "starttls" else "ssl": 1,
            "ssl_ca": env["PEER_CA"],
            "tracelog_level": 3,
            "tracelog_file": self.log,
            "logging": 0,
            "log_muc_conf": 0,
            "muc_disable_nick_completion": 1,
        }
        return ["mcabber", "-f", write("rc", "".join(f"set {name} = {value}\n" for name, value in rc.items()))]

    def received(self, text):
        return "".join(re.findall(r"RECV \[\d+\]:\n\[.*?\] LM-NET: -+\n\[.*?\] LM-NET: '(.*?)'\n\[.*?\] LM-NET: -{5}", text, re.S))

    refused = re.compile(r"[Aa]uth\w* failed|not-authorized")

    def message(self, to, body):
        return f"/say_to {to} {body}"

    groupchat = message

    def ping(self, to):
        return f"/request ping {to}"

    def join(self, room, nick):
        return f"/room join {room} {nick}"


class Profanity:
    log = os.path.join(home, "log")

    def command(self):
        policy = "force" if env["PEER_TLS"] == "starttls" else "legacy"
        fields = {
            "enabled": "true",
            "jid": account,
            "resource": resource,
            "server": env["PEER_HOST"],
            "port": env["PEER_PORT"],
            "password": env["PEER_PASSWORD"],
            "tls.policy": policy,
            "presence.last": "online",
            "presence.login": "online",
        }
        lines = "".join(f"{name}={value}\n" for name, value in fields.items())
        write(".local/share/profanity/accounts", f"[{account}]\n{lines}")
        write(".config/profanity/profrc", "[connection]\nreconnect=1\n[notifications]\nmessage=false\n")
        return ["profanity", "-l", "DEBUG", "-f", self.log, "-a", account]

    def received(self, text):
        return "".join(re.findall(r"RECV: (<.*?>)$", text, re.M))

    refused = re.compile(r"Login failed|not-authorized")

    def message(self, to, body):
        return f"/msg {to} {body}"

    def groupchat(self, room, body):
        return body

    def ping(self, to):
        return f"/ping {to}"

    def join(self, room, nick):
        return f"/join {room} nick {nick}"


peer = {"mcabber": Mcabber, "profanity": Profanity}[sys.argv[1]]()
command = peer.command()
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(HOME=home, TERM="xterm", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    os.execvp(command[0], command)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())

roster = []
joining = None
online = False
done = 0


def look(stanza):
    global online, joining
    kind = re.sub(r"\{.*\}", "", stanza.tag)
    sender, type_ = stanza.get("from"), stanza.get("type")
    children = {re.sub(r"\{.*\}", "", child.tag): child for child in stanza}
    if kind == "iq" and "query" in children:
        roster.extend(item.get("jid") for item in children["query"] if item.get("jid"))
    if kind == "iq" and type_ == "result" and pinged is not None and sender == pinged:
        say("pong")
    if kind == "presence":
        if sender.startswith(env["PEER_JID"]) and not online:
            online = True
            say("online", sender)
        say("presence", sender, type_ or "available")
        if sender == joining:
            joining = None
            say("joined", sender.split("/")[0])
    if kind == "message" and "body" in children:
        say("groupchat" if type_ == "groupchat" else "message", sender, children["body"].text)


def read_log():
    global done
    try:
        with open(peer.log, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return
    if not online and peer.refused.search(text):
        say("failed", "not-authorized")
        sys.exit()
    stream = peer.received(text)
    pattern = r"<(message|presence|iq)\b(?:[^>]*/>|.*?</\1>)"
    found = [match[0] for match in re.finditer(pattern, stream, re.S)]
    for one in found[done:]:
        look(ElementTree.fromstring(one))
    done = len(found)


pinged = None
pending = b""
try:
    while True:
        ready = select.select([terminal, 0] if online else [terminal], [], [], 0.05)[0]
        if terminal in ready:
            os.read(terminal, 65536)
        read_log()
        if 0 not in ready:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            order, *words = line.decode().split("\t")
            if order == "roster":
                say("roster", *roster)
                continue
            if order == "join":
                joining = "/".join(words)
            if order == "ping":
                pinged = words[0]
            time.sleep(0.5)  # as somebody types who first looks at what came
            os.write(terminal, (getattr(peer, order)(*words) + "\r").encode())
except OSError:
    say("failed", "the terminal was left")
finally:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
