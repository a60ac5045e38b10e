/*
 * The limit of SOL between two processes: frames of messages (of 100 bytes, unless built for
 * another size) over one stream with libuv, each process pinned to its CPU.
 *
 *   --shape split     process 0 sends, process 1 receives
 *   --shape sym       both send and receive; every second message stays in its process
 *   --check crc       a checksum per frame, verified
 *   --transport unix  a Unix socket instead of TCP over loopback
 *
 * Four frames are in flight. The happy path of a sender: fill a frame, write it, fill it again when
 * written; after the deadline one empty frame says the end. The receiver reads whatever is there,
 * parses each whole frame in place and keeps the unfinished rest.
 *
 * Checked: checksum, sequence number of every message, sum of the messages' tails, ends on both
 * sides. Anything else (a peer that dies, a short stream) ends both processes.
 */
#include <stdatomic.h>

#include "limit_frame.h"
#include "limit_net.h"

#define USAGE                                                                                      \
    "[--seconds S] [--shape split|sym] [--check plain|crc] [--transport tcp|unix] [--frame BYTES]"
#define IN_FLIGHT 4
#define LOOKS     20 /* at an empty loop before sleeping in it: some 5 us */

struct settings {
    bool sym;
    bool crc;
    bool tcp;
    uint64_t duration_ns;
    uint32_t frame_rows;
};

/* What the parent prints; shared by the two processes. */
struct report {
    _Atomic uint32_t started;
    struct side {
        _Alignas(CACHE_LINE) uint64_t start_ns;
        uint64_t end_ns;
        uint64_t cpu_ns;
        uint64_t received;
    } sides[2];
};

struct output {
    uv_write_t request;
    struct peer *peer;
    char *frame;
};

struct peer {
    struct stream stream;
    struct settings settings;
    struct messages messages;
    uint64_t deadline_ns;
    uint64_t sent; /* rows over the stream, and as many kept */
    bool end_sent;
    struct output outputs[IN_FLIGHT];
    char *kept_frame; /* sym: rows for the sink in this process */
    struct input input;
    struct reader remote;
    struct reader kept;
};

/* ---- receiving ---- */

static void on_space_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_space)
{
    struct peer *p = handle->data;

    (void)suggested;
    *ret_space = input_space(&p->input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *space)
{
    struct peer *p = stream->data;

    (void)space;
    CHECK(length >= 0);
    p->input.length += (size_t)length;
    input_consume(&p->input,
                  reader_take_frames(&p->remote, p->input.bytes, p->input.length, p->settings.crc));
    if (p->remote.ended) {
        (void)uv_read_stop(stream); /* never fails */
    }
}

/* ---- sending ---- */

/* In the end a frame without rows. */
static size_t fill(struct peer *p, char *frame)
{
    const struct settings *s = &p->settings;
    char *kept = s->sym ? p->kept_frame : NULL;
    size_t bytes;

    if (now_ns() >= p->deadline_ns) {
        p->end_sent = true;
        return frame_end(frame, p->sent);
    }
    bytes = frame_fill(frame, &p->messages, p->sent, s->frame_rows, s->crc, kept);
    p->sent += s->frame_rows;
    if (kept != NULL) { /* memory needs no checksum */
        (void)reader_take_rows(&p->kept, kept, s->frame_rows * ROW_BYTES, false);
    }
    return bytes;
}

static void on_written(uv_write_t *request, int status);

static void send_next(struct output *out)
{
    struct peer *p = out->peer;
    uv_buf_t frame = {.base = out->frame};

    if (p->end_sent) {
        return;
    }
    frame.len = fill(p, out->frame);
    CHECK(uv_write(&out->request, &p->stream.stream, &frame, 1, on_written) == 0);
}

static void on_written(uv_write_t *request, int status)
{
    CHECK(status == 0);
    send_next(request->data);
}

/* ---- a process ---- */

static void start_sending(struct peer *p, uint32_t frame_bytes)
{
    p->deadline_ns = now_ns() + p->settings.duration_ns;
    p->kept_frame = pages_new(frame_bytes);
    for (int i = 0; i < IN_FLIGHT; i++) {
        struct output *out = &p->outputs[i];
        out->peer = p;
        out->request.data = out;
        out->frame = pages_new(frame_bytes);
        send_next(out);
    }
}

static void start_receiving(struct peer *p)
{
    input_init(&p->input, FRAME_BYTES_MAX);
    CHECK(uv_read_start(&p->stream.stream, on_space_wanted, on_read) == 0);
}

static void wait_for_the_other(struct report *report)
{
    atomic_fetch_add(&report->started, 1);
    while (atomic_load(&report->started) < 2) {
        sched_yield();
    }
}

/* A receiver that sleeps as soon as it has read everything makes the sender pay for waking it at
 * almost every frame, and so slows the stream by a quarter, the more the faster it reads. */
static void loop_run(struct peer *p)
{
    int empty_looks = 0;
    int alive;

    do {
        uint64_t before = p->remote.next;
        alive = uv_run(&p->stream.loop, empty_looks < LOOKS ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        empty_looks = p->remote.next == before ? empty_looks + 1 : 0;
    } while (alive != 0);
}

/* Runs until both directions have ended: then nothing is being read or written any more. */
static void peer_run(struct peer *p, unsigned end, uint32_t frame_bytes, struct report *report)
{
    struct side *side = &report->sides[end];
    bool sends = p->settings.sym || end == 0;
    bool receives = p->settings.sym || end == 1;
    uint64_t cpu_ns;

    p->stream.handle.data = p;
    wait_for_the_other(report);
    cpu_ns = process_cpu_ns();
    side->start_ns = now_ns();
    if (receives) {
        start_receiving(p);
    }
    if (sends) {
        start_sending(p, frame_bytes);
    }
    loop_run(p);
    side->end_ns = now_ns();
    side->cpu_ns = process_cpu_ns() - cpu_ns;

    CHECK(p->end_sent == sends && p->remote.ended == receives);
    CHECK(!p->settings.sym || p->kept.next == p->sent);
    reader_check(&p->remote, &p->messages);
    reader_check(&p->kept, &p->messages);
    side->received = p->remote.next + p->kept.next;
    stream_close(&p->stream);
}

static void report_print(const struct report *r, const struct settings *s)
{
    const struct side *a = &r->sides[0];
    const struct side *b = &r->sides[1];
    uint64_t start_ns = a->start_ns < b->start_ns ? a->start_ns : b->start_ns;
    uint64_t end_ns = a->end_ns > b->end_ns ? a->end_ns : b->end_ns;
    uint64_t received = a->received + b->received;
    char name[32];

    (void)snprintf(name, sizeof(name), "%s%s%s", s->tcp ? "tcp" : "unix", s->sym ? "_sym" : "",
                   s->crc ? "_crc" : "");
    result_open(name);
    result_rate(received, end_ns - start_ns, a->cpu_ns + b->cpu_ns);
    if (!s->sym) {
        result_number("cpu_send_ns_per_msg", (double)a->cpu_ns / (double)received);
        result_number("cpu_receive_ns_per_msg", (double)b->cpu_ns / (double)received);
    }
    result_close();
}

int main(int argc, char **argv)
{
    struct report *report = pages_new(sizeof(*report));
    struct peer *p = calloc(1, sizeof(*p));
    uint32_t frame_bytes;
    unsigned end;
    int fd;
    pid_t child;

    CHECK(p != NULL);
    options_check(argc, argv, USAGE);
    p->settings.duration_ns = (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    p->settings.sym = !option_is(argc, argv, "--shape", "split", "sym");
    p->settings.crc = !option_is(argc, argv, "--check", "plain", "crc");
    p->settings.tcp = option_is(argc, argv, "--transport", "tcp", "unix");
    frame_bytes = (uint32_t)option_number(argc, argv, "--frame", FRAME_BYTES);
    p->settings.frame_rows = frame_rows(frame_bytes);
    messages_fill(&p->messages);

    end = fork_connected(p->settings.tcp, &fd, &child);
    stream_open(&p->stream, p->settings.tcp, fd);
    peer_run(p, end, frame_bytes, report);
    if (end == 0) {
        child_check(child);
        report_print(report, &p->settings);
    }
    free(p);
    return 0;
}
