/*
 * The limit of latency between two processes over one stream with libuv, under open load: message
 * k is due at start + k / rate whether or not the machine keeps up, and its latency counts from
 * then, so a stall is charged to every message that was due during it.
 *
 * The sender polls the clock in an idle handle and writes whatever has become due in one piece: it
 * flushes when it has nothing else to do, and so batches by itself as the rate grows. The receiver
 * reads, takes the clock for what it has read, as SOL's sink does, and sleeps in between.
 *
 * Checked: the sequence number of every message and the sum of their tails.
 */
#include "limit_histogram.h"
#include "limit_net.h"

#define USAGE       "[--seconds S] [--rate MESSAGES_PER_SECOND] [--transport tcp|unix]"
#define OUTPUTS     8
#define OUTPUT_ROWS 2048

struct output {
    uv_write_t request;
    struct sender *sender;
    struct output *next_free;
    char *rows;
};

struct sender {
    struct stream stream;
    uv_idle_t idle;
    const struct messages *messages;
    uint64_t start_ns;
    double interval_ns;
    uint64_t sent;
    uint64_t total;
    uint64_t writes;
    struct output *free;
    struct output outputs[OUTPUTS];
};

struct receiver {
    struct stream stream;
    struct report *report;
    struct input input;
    uint64_t next;
    uint64_t total;
    uint64_t tail_sum;
};

/* What the parent prints; shared by the two processes. */
struct report {
    struct histogram latency;
    uint64_t end_ns;
    uint64_t receiver_cpu_ns;
};

/* ---- sending ---- */

static uint64_t due_at(const struct sender *s, uint64_t sequence)
{
    return s->start_ns + (uint64_t)((double)sequence * s->interval_ns);
}

static uint64_t rows_due(const struct sender *s)
{
    uint64_t now = now_ns();
    uint64_t due;

    if (now < s->start_ns) {
        return 0;
    }
    due = (uint64_t)((double)(now - s->start_ns) / s->interval_ns) + 1;
    return (due < s->total ? due : s->total) - s->sent;
}

static void on_written(uv_write_t *request, int status)
{
    struct output *out = request->data;

    CHECK(status == 0);
    out->next_free = out->sender->free;
    out->sender->free = out;
}

static void send_rows(struct sender *s, struct output *out, uint64_t count)
{
    uv_buf_t bytes = uv_buf_init(out->rows, (unsigned)(count * ROW_BYTES));

    for (uint64_t i = 0; i < count; i++, s->sent++) {
        row_write(out->rows + i * ROW_BYTES, s->messages, s->sent, due_at(s, s->sent));
    }
    s->writes++;
    CHECK(uv_write(&out->request, &s->stream.stream, &bytes, 1, on_written) == 0);
}

static void on_idle(uv_idle_t *idle)
{
    struct sender *s = idle->data;
    uint64_t due = rows_due(s);

    while (due > 0 && s->free != NULL) {
        struct output *out = s->free;
        uint64_t count = due < OUTPUT_ROWS ? due : OUTPUT_ROWS;
        s->free = out->next_free;
        send_rows(s, out, count);
        due -= count;
    }
    if (s->sent == s->total) {
        (void)uv_idle_stop(idle); /* never fails */
    }
}

static void sender_run(struct sender *s)
{
    for (int i = 0; i < OUTPUTS; i++) {
        struct output *out = &s->outputs[i];
        *out = (struct output){.request.data = out, .sender = s, .next_free = s->free};
        out->rows = pages_new(OUTPUT_ROWS * ROW_BYTES);
        s->free = out;
    }
    s->idle.data = s;
    CHECK(uv_idle_init(&s->stream.loop, &s->idle) == 0);
    CHECK(uv_idle_start(&s->idle, on_idle) == 0);
    s->start_ns = now_ns() + 1000000;
    CHECK(uv_run(&s->stream.loop, UV_RUN_DEFAULT) == 0);
    uv_close((uv_handle_t *)&s->idle, NULL);
    stream_close(&s->stream);
}

/* ---- receiving ---- */

static void on_space_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_space)
{
    struct receiver *r = handle->data;

    (void)suggested;
    *ret_space = input_space(&r->input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *space)
{
    struct receiver *r = stream->data;
    struct row_header header;
    uint64_t now = now_ns();
    size_t used = 0;

    (void)space;
    CHECK(length >= 0);
    r->input.length += (size_t)length;
    for (; r->input.length - used >= ROW_BYTES; used += ROW_BYTES) {
        r->tail_sum += row_read(r->input.bytes + used, r->next++, &header);
        histogram_add(&r->report->latency, now - header.due_ns);
    }
    input_consume(&r->input, used);
    if (r->next == r->total) {
        (void)uv_read_stop(stream); /* never fails */
    }
}

static void receiver_run(struct receiver *r)
{
    r->stream.handle.data = r;
    input_init(&r->input, ROW_BYTES);
    CHECK(uv_read_start(&r->stream.stream, on_space_wanted, on_read) == 0);
    CHECK(uv_run(&r->stream.loop, UV_RUN_DEFAULT) == 0);
    r->report->end_ns = now_ns();
    stream_close(&r->stream);
}

/* ---- the two processes ---- */

static void report_print(const struct report *r, const struct sender *s, uint64_t sender_cpu_ns)
{
    result_open("latency");
    result_rate(s->total, r->end_ns - s->start_ns, sender_cpu_ns + r->receiver_cpu_ns);
    result_percentiles_us(&r->latency);
    result_number("msgs_per_write", (double)s->total / (double)s->writes);
    result_number("receiver_cpu_share",
                  (double)r->receiver_cpu_ns / (double)(r->end_ns - s->start_ns));
    result_close();
}

int main(int argc, char **argv)
{
    struct report *report = pages_new(sizeof(*report));
    struct messages messages;
    struct sender s = {.messages = &messages};
    struct receiver r = {.report = report};
    double rate;
    bool tcp;
    int fd;
    pid_t child;

    options_check(argc, argv, USAGE);
    messages_fill(&messages);
    rate = option_number(argc, argv, "--rate", 100000);
    tcp = option_is(argc, argv, "--transport", "tcp", "unix");
    s.interval_ns = 1e9 / rate;
    s.total = (uint64_t)(option_number(argc, argv, "--seconds", 1) * rate);
    r.total = s.total;

    if (fork_connected(tcp, &fd, &child) == 1) {
        stream_open(&r.stream, tcp, fd);
        receiver_run(&r);
        report->receiver_cpu_ns = process_cpu_ns();
        CHECK(r.tail_sum == messages_tail_sum(&messages, r.next));
        return 0;
    }
    stream_open(&s.stream, tcp, fd);
    sender_run(&s);
    child_check(child);
    report_print(report, &s, process_cpu_ns());
    return 0;
}
