/*
 * A peer for SOL between two processes over TCP: the same messages through ZeroMQ, PUSH to PULL
 * over loopback, with its own batching, queues and threads as they are by default. A message
 * carries the header of a row, so that its number and content are checked here as there.
 *
 * Each process is left to the scheduler, for ZeroMQ sends and receives on a thread of its own
 * beside the caller's. After the deadline an empty message says the end.
 */
#include <stdatomic.h>
#include <zmq.h>

#include "limit.h"

#define USAGE   "[--seconds S]"
#define A_CLOCK 1024 /* messages between two looks at the clock */

/* Shared by the two processes. */
struct report {
    char endpoint[64];
    _Atomic uint32_t bound;
    uint64_t send_cpu_ns;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t receive_cpu_ns;
    uint64_t received;
};

static void *socket_new(void *context, int type)
{
    int linger = -1; /* what was sent is delivered before the context ends */
    void *socket = zmq_socket(context, type);

    CHECK(socket != NULL);
    CHECK(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)) == 0);
    return socket;
}

static void send_all(struct report *report, const struct messages *messages, uint64_t duration_ns)
{
    void *context = zmq_ctx_new();
    void *socket = socket_new(context, ZMQ_PUSH);
    char row[ROW_BYTES];
    uint64_t deadline_ns;
    uint64_t sequence = 0;

    while (!atomic_load(&report->bound)) {
        sched_yield();
    }
    CHECK(zmq_connect(socket, report->endpoint) == 0);
    report->start_ns = now_ns();
    deadline_ns = report->start_ns + duration_ns;
    do {
        for (int i = 0; i < A_CLOCK; i++, sequence++) {
            row_write(row, messages, sequence, 0);
            CHECK(zmq_send(socket, row, sizeof(row), 0) == (int)sizeof(row));
        }
    } while (now_ns() < deadline_ns);
    CHECK(zmq_send(socket, NULL, 0, 0) == 0);
    CHECK(zmq_close(socket) == 0 && zmq_ctx_term(context) == 0);
    report->send_cpu_ns = process_cpu_ns();
}

static void receive_all(struct report *report, const struct messages *messages)
{
    void *context = zmq_ctx_new();
    void *socket = socket_new(context, ZMQ_PULL);
    size_t capacity = sizeof(report->endpoint);
    char row[ROW_BYTES];
    struct row_header header;
    uint64_t sequence = 0;
    uint64_t tails = 0;
    int length;

    CHECK(zmq_bind(socket, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, report->endpoint, &capacity) == 0);
    atomic_store(&report->bound, 1);
    while ((length = zmq_recv(socket, row, sizeof(row), 0)) != 0) {
        CHECK(length == (int)sizeof(row));
        tails += row_read(row, sequence++, &header);
    }
    report->end_ns = now_ns();
    CHECK(tails == messages_tail_sum(messages, sequence));
    CHECK(zmq_close(socket) == 0 && zmq_ctx_term(context) == 0);
    report->received = sequence;
    report->receive_cpu_ns = process_cpu_ns();
}

int main(int argc, char **argv)
{
    struct report *report = pages_new(sizeof(*report));
    struct messages *messages = pages_new(sizeof(*messages));
    uint64_t duration_ns;
    int major, minor, patch;
    pid_t child;

    options_check(argc, argv, USAGE);
    duration_ns = (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    messages_fill(messages);
    child = fork(); /* before any thread of ZeroMQ */
    CHECK(child >= 0);
    if (child == 0) {
        receive_all(report, messages);
        return 0;
    }
    send_all(report, messages, duration_ns);
    child_check(child);
    zmq_version(&major, &minor, &patch);
    result_open("zeromq");
    printf(",\"version\":\"ZeroMQ %d.%d.%d\"", major, minor, patch);
    result_rate(report->received, report->end_ns - report->start_ns,
                report->send_cpu_ns + report->receive_cpu_ns);
    result_close();
    return 0;
}
