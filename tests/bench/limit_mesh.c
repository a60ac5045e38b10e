/*
 * The limit of SOL with several sources and sinks, each a process: every source has a TCP stream to
 * every sink, and sends each the next frame as soon as it has taken the one before, as a shuffle
 * does that goes where there is room. More processes than CPUs: process i runs on CPU i % 2,
 * sources first, and whoever has nothing to do sleeps.
 *
 * Checked: as in limit_tcp, for each stream; and that as much was received as was sent.
 */
#include <stdatomic.h>

#include "limit_frame.h"
#include "limit_net.h"

#define USAGE     "[--seconds S] [--sources N] [--sinks N]"
#define ENDS_MAX  8 /* sources, or sinks */
#define IN_FLIGHT 4 /* frames of a stream */

struct link {
    struct process *process;
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
    };
    struct output {
        uv_write_t request;
        struct link *link;
        char *frame;
    } outputs[IN_FLIGHT];
    uint64_t sent;
    bool end_sent;
    struct input input;
    struct reader reader;
};

/* What the parent prints; shared by all processes. */
struct report {
    _Atomic uint32_t started;
    struct side {
        _Alignas(CACHE_LINE) uint64_t start_ns;
        uint64_t end_ns;
        uint64_t cpu_ns;
        uint64_t sent;
        uint64_t received;
    } sides[2 * ENDS_MAX];
};

struct process {
    uv_loop_t loop;
    struct messages messages;
    uint64_t deadline_ns;
    struct link links[ENDS_MAX];
};

/* ---- sending ---- */

static void on_written(uv_write_t *request, int status);

static void send_next(struct output *out)
{
    struct link *l = out->link;
    uint32_t rows = frame_rows(FRAME_BYTES);
    uv_buf_t frame = {.base = out->frame};

    if (l->end_sent) {
        return;
    }
    if (now_ns() < l->process->deadline_ns) {
        frame.len = frame_fill(out->frame, &l->process->messages, l->sent, rows, false, NULL);
        l->sent += rows;
    } else {
        frame.len = frame_end(out->frame, l->sent);
        l->end_sent = true;
    }
    CHECK(uv_write(&out->request, &l->stream, &frame, 1, on_written) == 0);
}

static void on_written(uv_write_t *request, int status)
{
    CHECK(status == 0);
    send_next(request->data);
}

static void link_send(struct link *l)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        l->outputs[i].link = l;
        l->outputs[i].request.data = &l->outputs[i];
        l->outputs[i].frame = pages_new(FRAME_BYTES);
        send_next(&l->outputs[i]);
    }
}

/* ---- receiving ---- */

static void on_space_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_space)
{
    struct link *l = handle->data;

    (void)suggested;
    *ret_space = input_space(&l->input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *space)
{
    struct link *l = stream->data;

    (void)space;
    CHECK(length >= 0);
    l->input.length += (size_t)length;
    input_consume(&l->input,
                  reader_take_frames(&l->reader, l->input.bytes, l->input.length, false));
    if (l->reader.ended) {
        (void)uv_read_stop(stream); /* never fails */
    }
}

static void link_receive(struct link *l)
{
    input_init(&l->input, FRAME_BYTES_MAX);
    CHECK(uv_read_start(&l->stream, on_space_wanted, on_read) == 0);
}

/* ---- a process ---- */

static void wait_for_all(struct report *report, uint32_t processes)
{
    atomic_fetch_add(&report->started, 1);
    while (atomic_load(&report->started) < processes) {
        sched_yield();
    }
}

/* fds: its end of each link; the loop ends when every link has. */
static void process_run(struct side *side, const int *fds, uint32_t links, bool sends,
                        uint64_t duration_ns)
{
    struct process *p = calloc(1, sizeof(*p));
    uint64_t cpu_ns = process_cpu_ns();

    CHECK(p != NULL && uv_loop_init(&p->loop) == 0);
    messages_fill(&p->messages);
    side->start_ns = now_ns();
    p->deadline_ns = side->start_ns + duration_ns;
    for (uint32_t i = 0; i < links; i++) {
        struct link *l = &p->links[i];
        l->process = p;
        CHECK(uv_tcp_init(&p->loop, &l->tcp) == 0);
        CHECK(uv_tcp_open(&l->tcp, fds[i]) == 0);
        l->stream.data = l;
        (sends ? link_send : link_receive)(l);
    }
    CHECK(uv_run(&p->loop, UV_RUN_DEFAULT) == 0);
    side->end_ns = now_ns();
    side->cpu_ns = process_cpu_ns() - cpu_ns;
    for (uint32_t i = 0; i < links; i++) {
        CHECK(sends ? p->links[i].end_sent : p->links[i].reader.ended);
        reader_check(&p->links[i].reader, &p->messages);
        side->sent += p->links[i].sent;
        side->received += p->links[i].reader.next;
    }
}

static void report_print(const struct report *r, uint32_t processes)
{
    struct side sum = {.start_ns = UINT64_MAX};

    for (uint32_t i = 0; i < processes; i++) {
        const struct side *s = &r->sides[i];
        sum.start_ns = s->start_ns < sum.start_ns ? s->start_ns : sum.start_ns;
        sum.end_ns = s->end_ns > sum.end_ns ? s->end_ns : sum.end_ns;
        sum.cpu_ns += s->cpu_ns;
        sum.sent += s->sent;
        sum.received += s->received;
    }
    CHECK(sum.received == sum.sent);
    result_open("mesh");
    result_rate(sum.received, sum.end_ns - sum.start_ns, sum.cpu_ns);
    result_close();
}

int main(int argc, char **argv)
{
    struct report *report = pages_new(sizeof(*report));
    int fds[2 * ENDS_MAX][ENDS_MAX]; /* [process][link]: sources, then sinks */
    pid_t children[2 * ENDS_MAX];
    uint64_t duration_ns;
    uint32_t sources;
    uint32_t sinks;

    options_check(argc, argv, USAGE);
    duration_ns = (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    sources = (uint32_t)option_number(argc, argv, "--sources", 2);
    sinks = (uint32_t)option_number(argc, argv, "--sinks", 2);
    CHECK(sources <= ENDS_MAX && sinks <= ENDS_MAX);
    for (uint32_t i = 0; i < sources * sinks; i++) {
        int pair[2];
        connect_over_tcp(pair);
        fds[i / sinks][i % sinks] = pair[0];
        fds[sources + i % sinks][i / sinks] = pair[1];
    }
    for (uint32_t i = 0; i < sources + sinks; i++) {
        bool sends = i < sources;
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            pin_to_cpu((int)(i % 2));
            wait_for_all(report, sources + sinks);
            process_run(&report->sides[i], fds[i], sends ? sinks : sources, sends, duration_ns);
            return 0;
        }
    }
    for (uint32_t i = 0; i < sources + sinks; i++) {
        child_check(children[i]);
    }
    report_print(report, sources + sinks);
    return 0;
}
