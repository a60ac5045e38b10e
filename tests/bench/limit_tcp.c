/*
 * The limit of SOL between two processes: frames of 100-byte messages over one stream with libuv,
 * each process pinned to its CPU.
 *
 *   --shape split     process 0 sends, process 1 receives
 *   --shape sym       both send and receive; every second message stays in its process
 *   --check crc       a checksum per frame, verified: the CRC32C of each row, folded together. One
 *                     chain over the frame would wait for its own latency; those of rows overlap.
 *   --transport unix  a Unix socket instead of TCP over loopback
 *
 * A frame is 65,408 bytes with its header: it fits a loopback segment; 65,536 is a fifth slower. Four
 * are in flight. The happy path of a sender: fill a frame, write it, fill it again when written;
 * after the deadline one empty frame says the end. The receiver reads whatever is there, parses
 * each whole frame in place and keeps the unfinished rest.
 *
 * Checked: checksum, sequence number of every message, sum of the messages' tails, ends on both
 * sides. Anything else (a peer that dies, a short stream) ends both processes.
 */
#include "limit_net.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#define CRC_WORD(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define CRC_WORD(crc, word) __crc32cd((crc), (word))
#endif
#include <stdatomic.h>

#define USAGE                                                                                      \
    "[--seconds S] [--shape split|sym] [--check plain|crc] [--transport tcp|unix] [--frame BYTES]"
#define IN_FLIGHT       4
#define LOOKS           20 /* at an empty loop before sleeping in it: some 5 us */
#define FRAME_BYTES_MAX (256 * 1024)

struct frame_header {
    uint32_t length; /* of the rows behind it; 0 is the end */
    uint32_t check;
    uint64_t first; /* sequence number of its first row */
};

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

/* A run of rows being read: what the receiver knows of one sender. */
struct reader {
    uint64_t next;
    uint64_t tail_sum;
};

struct peer {
    struct stream stream;
    struct settings settings;
    struct messages messages;
    uint64_t deadline_ns;
    uint64_t sent; /* rows over the stream, and as many kept */
    bool end_sent;
    bool end_received;
    struct output outputs[IN_FLIGHT];
    char *kept_frame; /* sym: rows for the sink in this process */
    struct input input;
    struct reader remote;
    struct reader kept;
};

#ifdef CRC_WORD
/* The CRC32C of a message, begun with its number, so that folding them by exclusive or loses no
 * order. Its last word is taken twice in part. */
static uint32_t row_checksum(const char *body, uint64_t sequence)
{
    uint32_t crc = ~(uint32_t)sequence;
    uint64_t word;

    for (size_t at = 0; at + sizeof(word) <= MESSAGE_BYTES; at += sizeof(word)) {
        memcpy(&word, body + at, sizeof(word));
        crc = CRC_WORD(crc, word);
    }
    return CRC_WORD(crc, message_tail(body));
}
#else
static uint32_t row_checksum(const char *body, uint64_t sequence)
{
    (void)body;
    (void)sequence;
    fprintf(stderr, "--check crc needs a CPU with CRC32C instructions\n");
    exit(EXIT_FAILURE);
}
#endif

/* ---- receiving ---- */

/* Returns the rows' checksum, or 0 if not asked for it. */
static uint32_t read_rows(struct reader *r, const char *rows, size_t length, bool crc)
{
    const char *end = rows + length;
    uint64_t next = r->next;
    uint64_t sum = 0;
    uint32_t check = 0;
    struct row_header header;

    while (rows < end) {
        sum += row_read(rows, next, &header);
        check ^= crc ? row_checksum(rows + sizeof(header), next) : 0;
        next++;
        rows += sizeof(header) + header.length;
    }
    CHECK(rows == end);
    r->next = next;
    r->tail_sum += sum;
    return check;
}

static void read_frame(struct peer *p, const char *rows, const struct frame_header *header)
{
    CHECK(!p->end_received && header->first == p->remote.next);
    if (header->length == 0) {
        p->end_received = true;
        (void)uv_read_stop(&p->stream.stream); /* never fails */
        return;
    }
    CHECK(read_rows(&p->remote, rows, header->length, p->settings.crc) == header->check);
}

/* Parses every whole frame; returns the bytes used. */
static size_t read_frames(struct peer *p, const char *bytes, size_t length)
{
    struct frame_header header;
    size_t used = 0;

    while (length - used >= sizeof(header)) {
        memcpy(&header, bytes + used, sizeof(header));
        CHECK(header.length <= FRAME_BYTES_MAX);
        if (length - used - sizeof(header) < header.length) {
            break;
        }
        read_frame(p, bytes + used + sizeof(header), &header);
        used += sizeof(header) + header.length;
    }
    return used;
}

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
    input_consume(&p->input, read_frames(p, p->input.bytes, p->input.length));
}

/* ---- sending ---- */

static size_t fill_end(struct peer *p, char *frame)
{
    struct frame_header header = {.length = 0, .first = p->sent};

    memcpy(frame, &header, sizeof(header));
    p->end_sent = true;
    return sizeof(header);
}

/* The next rows for the other process and, if kept is given, as many for the sink in this one:
 * one there, one here, as a strict shuffle over two sinks deals them. Returns the checksum of the
 * former, or 0 if not asked for it. */
static uint32_t fill_rows(struct peer *p, char *rows, char *kept, bool crc)
{
    const struct messages *messages = &p->messages;
    uint64_t first = p->sent;
    uint64_t end = first + p->settings.frame_rows;
    uint32_t check = 0;

    for (uint64_t sequence = first; sequence < end; sequence++) {
        row_write(rows, messages, sequence, 0);
        check ^= crc ? row_checksum(message_at(messages, sequence), sequence) : 0;
        rows += ROW_BYTES;
        if (kept != NULL) {
            row_write(kept, messages, sequence, 0);
            kept += ROW_BYTES;
        }
    }
    p->sent = end;
    return check;
}

static size_t fill_frame(struct peer *p, char *frame)
{
    const struct settings *settings = &p->settings;
    struct frame_header header = {.first = p->sent};
    char *kept = settings->sym ? p->kept_frame : NULL;

    header.length = settings->frame_rows * (uint32_t)ROW_BYTES;
    header.check = fill_rows(p, frame + sizeof(header), kept, settings->crc);
    memcpy(frame, &header, sizeof(header));
    if (kept != NULL) {
        (void)read_rows(&p->kept, kept, header.length, false); /* memory needs no checksum */
    }
    return sizeof(header) + header.length;
}

static void on_written(uv_write_t *request, int status);

static void send_next(struct output *out)
{
    struct peer *p = out->peer;
    uv_buf_t frame = {.base = out->frame};

    if (p->end_sent) {
        return;
    }
    frame.len = now_ns() < p->deadline_ns ? fill_frame(p, out->frame) : fill_end(p, out->frame);
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

    CHECK(p->end_sent == sends && p->end_received == receives);
    CHECK(!p->settings.sym || p->kept.next == p->sent);
    CHECK(p->remote.tail_sum == messages_tail_sum(&p->messages, p->remote.next));
    CHECK(p->kept.tail_sum == messages_tail_sum(&p->messages, p->kept.next));
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
    frame_bytes = (uint32_t)option_number(argc, argv, "--frame", 65408);
    CHECK(frame_bytes <= FRAME_BYTES_MAX && frame_bytes > sizeof(struct frame_header) + ROW_BYTES);
    p->settings.frame_rows = (uint32_t)((frame_bytes - sizeof(struct frame_header)) / ROW_BYTES);
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
