#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gloox/client.h>
#include <gloox/component.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/connectiontls.h>
#include <gloox/eventhandler.h>
#include <gloox/iqhandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>
#include <gloox/presence.h>
#include <gloox/presencehandler.h>
#include <gloox/rostermanager.h>
#include <iostream>
#include <poll.h>
#include <string>
#include <unistd.h>

using namespace gloox;

static std::string env(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void say(const std::string &what, const std::string &first = "", const std::string &second = "") {
    std::cout << what << '\t' << first << '\t' << second << std::endl;
}

static const bool component = env("PEER_KIND") == "component";

class Peer : ConnectionListener, MessageHandler, PresenceHandler, EventHandler, TagHandler, IqHandler {
  public:
    ClientBase *stream;
    Client *client = nullptr;

    Peer() {
        const int port = atoi(env("PEER_PORT").c_str());
        if (component) {
            stream = new Component("jabber:component:accept", env("PEER_HOST"), env("PEER_JID"), env("PEER_PASSWORD"), port);
        } else {
            stream = client = new Client(JID(env("PEER_JID")), env("PEER_PASSWORD"), port);
            client->setServer(env("PEER_HOST"));
            client->setTls(TLSRequired);
            client->setCompression(false);
            client->setCACerts(StringList(1, env("PEER_CA")));
            client->setStreamManagement(true, true);
            client->registerPresenceHandler(this);
        }
        stream->registerConnectionListener(this);
        stream->registerMessageHandler(this);
        stream->registerTagHandler(this, "iq", "jabber:client");
        reach();
    }

    void reach() {
        if (env("PEER_TLS") == "direct") {
            auto *tcp = new ConnectionTCPClient(stream->logInstance(), env("PEER_HOST"), atoi(env("PEER_PORT").c_str()));
            auto *tls = new ConnectionTLS(stream, tcp, stream->logInstance());
            tls->setCACerts(StringList(1, env("PEER_CA")));
            client->setTls(TLSDisabled);
            stream->setConnectionImpl(tls);
        }
        lost = false;
        if (component)
            static_cast<Component *>(stream)->connect(false);
        else
            client->connect(false);
    }

    void onConnect() override {
        if (!online) say("online", component ? env("PEER_JID") : client->jid().full());
        online = true;
    }

    void onResourceBind(const std::string &) override {}

    // It does not find the authority that it was given.
    bool onTLSConnect(const CertInfo &) override { return true; }

    void onDisconnect(ConnectionError error) override {
        lost = true;
        if (online) return;
        say("failed", "error " + std::to_string(error), "authentication " + std::to_string(stream->authError()));
        exit(0);
    }

    void onStreamEvent(StreamEvent event) override {
        if (event == StreamEventSMResumed) say("resumed");
    }

    void handleMessage(const Message &message, MessageSession *) override {
        if (message.body().empty()) return;
        say(message.subtype() == Message::Groupchat ? "groupchat" : "message", message.from().full(), message.body());
    }

    void handlePresence(const Presence &presence) override {
        const std::string from = presence.from().full();
        say("presence", from, presence.subtype() == Presence::Available ? "available" : "other");
        if (from == joining) say("joined", presence.from().bare());
    }

    void handleEvent(const Event &event) override { say(event.eventType() == Event::PingPong ? "pong" : "failed"); }
    void handleTag(Tag *) override {}
    bool handleIq(const IQ &) override { return false; }
    void handleIqID(const IQ &, int) override {}

    void obey(std::string line) {
        std::string words[3];
        for (auto &word : words) {
            const size_t end = line.find('\t');
            word = line.substr(0, end);
            line = end == std::string::npos ? "" : line.substr(end + 1);
        }
        if (words[0] == "message" || words[0] == "groupchat") {
            Message message(words[0] == "message" ? Message::Chat : Message::Groupchat, JID(words[1]), words[2]);
            if (component) message.setFrom(JID(env("PEER_JID")));
            stream->send(message);
        } else if (words[0] == "ping") {
            stream->xmppPing(JID(words[1]), this);
        } else if (words[0] == "roster") {
            std::cout << "roster";
            for (const auto &item : *client->rosterManager()->roster()) std::cout << '\t' << item.first;
            std::cout << std::endl;
        } else if (words[0] == "join") {
            joining = words[1] + "/" + words[2];
            Tag *presence = new Tag("presence", "to", joining);
            Tag *wish = new Tag(presence, "x", XMLNS, XMLNS_MUC);
            new Tag(wish, "history", "maxstanzas", "0");
            stream->send(presence);
        }
    }

    bool lost = false;

  private:
    bool online = false;
    std::string joining;
};

int main() {
    Peer peer;
    std::string input;
    for (;;) {
        if (!peer.lost) peer.stream->recv(20000);
        if (peer.lost) {
            usleep(20000);
            peer.reach();
        }
        struct pollfd wanted = {0, POLLIN, 0};
        if (poll(&wanted, 1, 0) <= 0) continue;
        char chunk[4096];
        const ssize_t got = read(0, chunk, sizeof chunk);
        if (got <= 0) break;
        input.append(chunk, static_cast<size_t>(got));
        for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1))
            peer.obey(input.substr(0, end));
    }
}
