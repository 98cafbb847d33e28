#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>
#include <unistd.h>

static xmpp_ctx_t *context;
static xmpp_conn_t *connection;
static int component, is_online, was_online, over;
static char joining[256];
static char archive[4096];

static void say(const char *what, const char *first, const char *second) {
    printf("%s%s%s%s%s\n", what, first ? "\t" : "", first ? first : "", second ? "\t" : "", second ? second : "");
    fflush(stdout);
}

static int on_message(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *data) {
    (void)c, (void)data;
    const char *type = xmpp_stanza_get_type(stanza);
    xmpp_stanza_t *result = xmpp_stanza_get_child_by_name_and_ns(stanza, "result", "urn:xmpp:mam:2");
    if (result) {
        xmpp_stanza_t *forwarded = xmpp_stanza_get_child_by_name(result, "forwarded");
        char *body = xmpp_message_get_body(xmpp_stanza_get_child_by_name(forwarded, "message"));
        strcat(strcat(archive, "\t"), body);
        xmpp_free(context, body);
        return 1;
    }
    char *body = xmpp_message_get_body(stanza);
    if (body) {
        say(type && !strcmp(type, "groupchat") ? "groupchat" : "message", xmpp_stanza_get_from(stanza), body);
        xmpp_free(context, body);
    }
    return 1;
}

static int on_presence(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *data) {
    (void)c, (void)data;
    const char *type = xmpp_stanza_get_type(stanza);
    const char *from = xmpp_stanza_get_from(stanza);
    say("presence", from, type ? type : "available");
    if (from && !strcmp(from, joining)) {
        *strchr(joining, '/') = 0;
        say("joined", joining, NULL);
    }
    return 1;
}

static int on_pong(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *data) {
    (void)c, (void)data;
    say(!strcmp(xmpp_stanza_get_type(stanza), "result") ? "pong" : "failed", NULL, NULL);
    return 0;
}

static int on_roster(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *data) {
    (void)c, (void)data;
    printf("roster");
    xmpp_stanza_t *item = xmpp_stanza_get_children(xmpp_stanza_get_child_by_name(stanza, "query"));
    for (; item; item = xmpp_stanza_get_next(item)) printf("\t%s", xmpp_stanza_get_attribute(item, "jid"));
    say("", NULL, NULL);
    return 0;
}

static int on_archive(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *data) {
    (void)c, (void)data, (void)stanza;
    say("archive", archive + 1, NULL);
    return 0;
}

static void reach(void);

static void on_change(xmpp_conn_t *c, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream, void *data) {
    (void)data, (void)c;
    if (event == XMPP_CONN_CONNECT) {
        is_online = 1;
        xmpp_handler_add(connection, on_message, NULL, "message", NULL, NULL);
        xmpp_handler_add(connection, on_presence, NULL, "presence", NULL, NULL);
        if (was_online) {
            say("resumed", NULL, NULL);
            return;
        }
        was_online = 1;
        if (!component) xmpp_send_raw_string(connection, "<presence/>");
        say("online", component ? getenv("PEER_JID") : xmpp_conn_get_bound_jid(connection), NULL);
    } else if (was_online) {
        is_online = 0;
    } else {
        char why[64];
        snprintf(why, sizeof why, "error %d", error);
        say("failed", stream && stream->text ? stream->text : why, NULL);
        over = 1;
    }
}

/* libstrophe 0.12 reads a component's stream management state without having made one. A client's connection makes
 * one and lends it when it is over: here one that is refused at once, because nothing listens on port 1. */
static void on_refusal(xmpp_conn_t *c, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream, void *data) {
    (void)c, (void)event, (void)error, (void)stream;
    *(int *)data = 1;
}

static void lend_state(void) {
    int refused = 0;
    xmpp_conn_t *lender = xmpp_conn_new(context);
    xmpp_conn_set_jid(lender, "lender@localhost");
    xmpp_conn_set_pass(lender, "secret");
    xmpp_connect_client(lender, "127.0.0.1", 1, on_refusal, &refused);
    while (!refused) xmpp_run_once(context, 1);
    xmpp_sm_state_t *state = xmpp_conn_get_sm_state(lender);
    if (state) xmpp_conn_set_sm_state(connection, state);
    xmpp_conn_release(lender);
}

static void reach(void) {
    const char *host = getenv("PEER_HOST"), *tls = getenv("PEER_TLS");
    unsigned short port = (unsigned short)atoi(getenv("PEER_PORT"));
    xmpp_sm_state_t *state = NULL;
    if (connection) {
        state = xmpp_conn_get_sm_state(connection);
        xmpp_conn_release(connection);
    }
    connection = xmpp_conn_new(context);
    if (state) xmpp_conn_set_sm_state(connection, state);
    if (component) lend_state();
    xmpp_conn_set_jid(connection, getenv("PEER_JID"));
    xmpp_conn_set_pass(connection, getenv("PEER_PASSWORD"));
    xmpp_conn_set_cafile(connection, getenv("PEER_CA"));
    if (!component)
        xmpp_conn_set_flags(connection,
                            strcmp(tls, "direct") ? XMPP_CONN_FLAG_MANDATORY_TLS : XMPP_CONN_FLAG_LEGACY_SSL);
    int done = component ? xmpp_connect_component(connection, host, port, on_change, NULL)
                         : xmpp_connect_client(connection, host, port, on_change, NULL);
    if (done != XMPP_EOK) exit(1);
}

static void obey(char *line) {
    char *words[3] = {strsep(&line, "\t"), strsep(&line, "\t"), line};
    const char *from = component ? getenv("PEER_JID") : xmpp_conn_get_bound_jid(connection);
    if (!strcmp(words[0], "message") || !strcmp(words[0], "groupchat")) {
        const char *type = *words[0] == 'm' ? "chat" : words[0];
        xmpp_stanza_t *message = xmpp_message_new(context, type, words[1], NULL);
        if (component) xmpp_stanza_set_from(message, from);
        xmpp_message_set_body(message, words[2]);
        xmpp_send(connection, message);
        xmpp_stanza_release(message);
    } else if (!strcmp(words[0], "ping")) {
        xmpp_id_handler_add(connection, on_pong, "ping", NULL);
        xmpp_send_raw_string(connection, "<iq type='get' id='ping' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
                             from, words[1]);
    } else if (!strcmp(words[0], "roster")) {
        xmpp_id_handler_add(connection, on_roster, "roster", NULL);
        xmpp_send_raw_string(connection, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    } else if (!strcmp(words[0], "join")) {
        snprintf(joining, sizeof joining, "%s/%s", words[1], words[2]);
        xmpp_send_raw_string(connection,
                             "<presence to='%s'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
                             "</presence>",
                             joining);
    } else if (!strcmp(words[0], "archive")) {
        xmpp_id_handler_add(connection, on_archive, "archive", NULL);
        xmpp_send_raw_string(connection, "<iq type='set' id='archive'><query xmlns='urn:xmpp:mam:2'/></iq>");
    }
}

int main(void) {
    static char input[4096];
    size_t kept = 0;
    component = !strcmp(getenv("PEER_KIND"), "component");
    xmpp_initialize();
    context = xmpp_ctx_new(NULL, getenv("PEER_LOG") ? xmpp_get_default_logger(XMPP_LEVEL_DEBUG) : NULL);
    reach();
    while (!over) {
        xmpp_run_once(context, 10);
        if (was_online && !is_online && xmpp_conn_is_disconnected(connection)) reach();
        if (!is_online) continue;
        struct pollfd wanted = {.fd = 0, .events = POLLIN};
        if (poll(&wanted, 1, 0) <= 0) continue;
        ssize_t got = read(0, input + kept, sizeof input - kept - 1);
        if (got <= 0) break;
        input[kept += (size_t)got] = 0;
        for (char *end; (end = strchr(input, '\n')); memmove(input, end + 1, kept + 1)) {
            *end = 0;
            kept -= (size_t)(end - input) + 1;
            obey(input);
        }
    }
    return 0;
}
