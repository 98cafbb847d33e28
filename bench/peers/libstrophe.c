/* libstrophe as an XEP-0114 component.
 *
 *   libstrophe inbound PORT WARM MEASURED
 *   libstrophe outbound PORT WARM MEASURED
 *   libstrophe connect PORT WARM MEASURED     one connection after the other
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>
#include <sys/resource.h>
#include <time.h>

static long warm, measured, seen;
static double cpu_before, wall_before;
static int connected;

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Called at each stanza: measures from the warm-up's end to the last one. */
static void count(xmpp_ctx_t *context) {
    seen++;
    if (seen == warm) {
        cpu_before = cpu();
        wall_before = wall();
    }
    if (seen == warm + measured) {
        printf("{\"cpu\":%.0f,\"wall\":%.6f}\n", cpu() - cpu_before, wall() - wall_before);
        xmpp_stop(context);
    }
}

static int on_stanza(xmpp_conn_t *connection, xmpp_stanza_t *stanza, void *data) {
    (void)connection, (void)stanza;
    count(data);
    return 1;
}

static void on_change(xmpp_conn_t *connection, xmpp_conn_event_t status, int error, xmpp_stream_error_t *stream_error,
                      void *data) {
    (void)error, (void)stream_error;
    if (status == XMPP_CONN_CONNECT) {
        connected = 1;
        xmpp_handler_add(connection, on_stanza, NULL, NULL, NULL, data);
    } else if (seen < warm + measured && connected >= 0) {
        fprintf(stderr, "the connection was lost\n");
        exit(1);
    }
}

static void on_refusal(xmpp_conn_t *connection, xmpp_conn_event_t status, int error, xmpp_stream_error_t *stream_error,
                       void *data) {
    (void)connection, (void)status, (void)error, (void)stream_error;
    *(int *)data = 1;
}

/* libstrophe 0.12 reads a component's stream management state without having made one. A client's connection makes
 * one and lends it when it is over: here one that is refused at once, because nothing listens on port 1. */
static void lend_state(xmpp_ctx_t *context, xmpp_conn_t *connection) {
    int refused = 0;
    xmpp_conn_t *lender = xmpp_conn_new(context);
    xmpp_conn_set_jid(lender, "lender@echo.example.org");
    xmpp_conn_set_pass(lender, "secret");
    xmpp_connect_client(lender, "127.0.0.1", 1, on_refusal, &refused);
    while (!refused) xmpp_run_once(context, 1);
    xmpp_sm_state_t *state = xmpp_conn_get_sm_state(lender);
    if (state != NULL) xmpp_conn_set_sm_state(connection, state);
    xmpp_conn_release(lender);
}

static xmpp_conn_t *component(xmpp_ctx_t *context) {
    xmpp_conn_t *connection = xmpp_conn_new(context);
    lend_state(context, connection);
    xmpp_conn_set_jid(connection, "echo.example.org");
    xmpp_conn_set_pass(connection, "secret");
    return connection;
}

static void dial(xmpp_ctx_t *context, xmpp_conn_t *connection, unsigned short port) {
    connected = 0;
    if (xmpp_connect_component(connection, "127.0.0.1", port, on_change, context) != XMPP_EOK) exit(1);
}

static void send_message(xmpp_ctx_t *context, xmpp_conn_t *connection, long number) {
    char id[32];
    snprintf(id, sizeof id, "m%ld", number);
    xmpp_stanza_t *message = xmpp_message_new(context, "chat", "alice@example.org", id);
    xmpp_stanza_set_from(message, "echo.example.org");
    xmpp_message_set_body(message, "hello there, how are you doing today?");
    xmpp_send(connection, message);
    xmpp_stanza_release(message);
}

static void outbound(xmpp_ctx_t *context, xmpp_conn_t *connection) {
    while (seen < warm + measured) {
        for (int i = 0; i < 500 && seen < warm + measured; i++) {
            send_message(context, connection, seen);
            if (seen + 1 == warm + measured) xmpp_run_once(context, 0);
            count(context);
        }
        while (xmpp_conn_send_queue_len(connection) > 0) xmpp_run_once(context, 1);
    }
}

static int ascending(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static void connect_often(xmpp_ctx_t *context, unsigned short port) {
    double *times = calloc((size_t)measured, sizeof *times);
    for (long i = 0; i < warm + measured; i++) {
        xmpp_conn_t *connection = component(context);
        double start = wall();
        dial(context, connection, port);
        while (!connected) xmpp_run_once(context, 1);
        if (i >= warm) times[i - warm] = (wall() - start) * 1e3;
        connected = -1;
        xmpp_conn_release(connection);
    }
    qsort(times, (size_t)measured, sizeof *times, ascending);
    printf("{\"p50\":%.3f,\"p95\":%.3f}\n", times[measured / 2], times[measured * 95 / 100]);
}

int main(int arguments, char **argument) {
    if (arguments < 5) return 2;
    unsigned short port = (unsigned short)atoi(argument[2]);
    warm = atol(argument[3]);
    measured = atol(argument[4]);
    xmpp_initialize();
    xmpp_ctx_t *context = xmpp_ctx_new(NULL, NULL);
    if (strcmp(argument[1], "connect") == 0) {
        connect_often(context, port);
        return 0;
    }
    xmpp_conn_t *connection = component(context);
    dial(context, connection, port);
    if (strcmp(argument[1], "inbound") == 0) {
        xmpp_run(context);
        return 0;
    }
    while (!connected) xmpp_run_once(context, 1);
    outbound(context, connection);
    return 0;
}
