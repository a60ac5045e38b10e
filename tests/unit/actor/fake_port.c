/*
 * The world of fake_port.h. Streams are pairs, each with the bytes that wait to be read; a write
 * goes over at once and is told as done from the loop. Freed objects stay in memory, marked, until
 * fake_deinit(), so that order of freeing needs no care here and a late use is still seen by
 * asserts.
 */
#include "fake_port.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "edge/json.h"

struct fake_timer {
    struct timer base;
    struct list_node node;
    loop_fn fn;
    void *user;
    int64_t at_ns; /* negative: stopped */
    bool freed;
};

struct fake_listener {
    struct listener base;
    struct list_node node;
    struct net_addr addr;
    net_accept_fn fn;
    void *user;
    bool freed;
};

struct fake_stream {
    struct stream base;
    struct list_node node;
    struct fake_stream *other; /* NULL: not connected, or the other end is gone */
    struct buf inbound;
    struct net_addr peer_addr;
    const struct stream_reader *reader;
    void *user;
    bool freed;
    bool ended_told;
    int end_code; /* 0: alive */
    bool stalled;
    bool paused;
    size_t queued;
};

struct fake_event {
    struct list_node node;
    struct fake_stream *stream;
    struct fake_listener *accept; /* this stream is to be accepted */
    net_written_fn fn;
    void *user;
    int status;
    bool is_connect;
};

static struct fake *fake_of(struct loop *loop)
{
    return (struct fake *)loop;
}

/* volatile: a compiler that knows calloc would drop the stores around it. */
volatile unsigned fake_allocating;

static void *must_calloc(size_t size)
{
    void *memory;

    fake_allocating++;
    memory = calloc(1, size);
    fake_allocating--;
    ASSERT(memory != NULL);
    return memory;
}

static void must_append(struct buf *buf, const void *ptr, size_t len)
{
    fake_allocating++;
    ASSERT(buf_append(buf, ptr, len) == 0);
    fake_allocating--;
}

static void push(struct fake *f, struct fake_event event)
{
    struct fake_event *copy = must_calloc(sizeof(*copy));

    *copy = event;
    list_node_init(&copy->node);
    list_push_back(&f->events, &copy->node);
}

/* Whether this call of the port is the one to fail. */
static bool fails(struct fake *f)
{
    if (f->fail_call < 0) {
        return false;
    }
    return f->fail_call-- == 0;
}

/* ---- loop ---- */

static int64_t now_ns(struct loop *loop)
{
    return fake_of(loop)->now_ns;
}

static int fake_timer_new(struct loop *loop, loop_fn fn, void *user, struct timer **ret)
{
    struct fake_timer *t;

    if (fails(fake_of(loop))) {
        return GP_ENOMEM;
    }
    t = must_calloc(sizeof(*t));
    t->base.loop = loop;
    t->fn = fn;
    t->user = user;
    t->at_ns = -1;
    list_node_init(&t->node);
    list_push_back(&fake_of(loop)->timers, &t->node);
    *ret = &t->base;
    return 0;
}

static void fake_timer_start(struct timer *timer, int64_t delay_ns)
{
    struct fake_timer *t = (struct fake_timer *)timer;

    ASSERT(!t->freed && delay_ns >= 0);
    t->at_ns = fake_of(timer->loop)->now_ns + delay_ns;
}

static void fake_timer_stop(struct timer *timer)
{
    ASSERT(!((struct fake_timer *)timer)->freed);
    ((struct fake_timer *)timer)->at_ns = -1;
}

static void fake_timer_free(struct timer *timer)
{
    fake_timer_stop(timer);
    ((struct fake_timer *)timer)->freed = true;
}

static const struct loop_ops loop_ops = {
    .now_ns = now_ns,
    .fresh_now_ns = now_ns,
    .peek_ns = now_ns,
    .wall_ns = now_ns,
    .timer_new = fake_timer_new,
    .timer_start = fake_timer_start,
    .timer_stop = fake_timer_stop,
    .timer_free = fake_timer_free,
};

/* ---- net ---- */

static int fake_listen(struct loop *loop, const struct net_addr *addr, net_accept_fn fn, void *user,
                       struct listener **ret, struct gp_error *err)
{
    struct fake *f = fake_of(loop);
    struct fake_listener *l = must_calloc(sizeof(*l));

    (void)err;
    l->base.loop = loop;
    l->addr = *addr;
    l->fn = fn;
    l->user = user;
    if (str_ends_with(gp_str_of(addr->text), GP_STR(":0"))) {
        (void)str_format(l->addr.text, sizeof(l->addr.text), "127.0.0.1:%u", f->next_port++);
    }
    list_node_init(&l->node);
    list_push_back(&f->listeners, &l->node);
    *ret = &l->base;
    return 0;
}

static void listener_addr(struct listener *listener, struct net_addr *ret)
{
    *ret = ((struct fake_listener *)listener)->addr;
}

static void listener_free(struct listener *listener)
{
    ((struct fake_listener *)listener)->freed = true;
}

static struct fake_stream *stream_new(struct fake *f)
{
    struct fake_stream *s = must_calloc(sizeof(*s));

    s->base.loop = &f->loop;
    buf_init(&s->inbound, (size_t)64 << 20);
    list_node_init(&s->node);
    list_push_back(&f->streams, &s->node);
    return s;
}

static int fake_connect(struct loop *loop, const struct net_addr *addr, net_connect_fn fn,
                        void *user, struct stream **ret)
{
    struct fake *f = fake_of(loop);
    struct fake_stream *s;
    struct fake_event event = {.fn = fn, .user = user, .status = GP_EUNREACH, .is_connect = true};

    if (addr->text[0] == '\0' || fails(f)) {
        return addr->text[0] == '\0' ? GP_EINVAL : GP_ENOMEM;
    }
    s = stream_new(f);
    s->peer_addr = *addr;
    event.stream = s;
    LIST_FOREACH (node, &f->listeners) {
        struct fake_listener *l = LIST_ENTRY(node, struct fake_listener, node);

        if (!l->freed && strcmp(l->addr.text, addr->text) == 0) {
            struct fake_stream *other = stream_new(f);

            s->other = other;
            other->other = s;
            (void)str_format(other->peer_addr.text, NET_ADDR_MAX, "%s:%u",
                             addr->text[0] == 'u' ? "unix" : f->client_host, f->next_port++);
            event.status = 0;
            push(f, event);
            push(f, (struct fake_event){.stream = other, .accept = l});
            *ret = &s->base;
            return 0;
        }
    }
    push(f, event);
    *ret = &s->base;
    return 0;
}

static int read_start(struct stream *stream, const struct stream_reader *reader, void *user)
{
    struct fake_stream *s = (struct fake_stream *)stream;

    ASSERT(!s->freed && s->reader == NULL);
    if (fails(fake_of(stream->loop))) {
        return GP_ENOMEM;
    }
    s->reader = reader;
    s->user = user;
    return 0;
}

static void read_resume(struct stream *stream)
{
    ((struct fake_stream *)stream)->paused = false;
}

static int fake_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                      net_written_fn fn, void *user)
{
    struct fake_stream *s = (struct fake_stream *)stream;
    struct fake_event event = {.stream = s, .fn = fn, .user = user};

    ASSERT(!s->freed);
    if (fails(fake_of(stream->loop))) {
        return GP_ECLOSED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (s->other != NULL) {
            must_append(&s->other->inbound, bufs[i].ptr, bufs[i].len);
        } else {
            event.status = GP_ECLOSED;
        }
        s->queued += s->stalled ? bufs[i].len : 0;
    }
    push(fake_of(stream->loop), event);
    return 0;
}

static size_t write_queue_bytes(const struct stream *stream)
{
    return ((const struct fake_stream *)stream)->queued;
}

static void peer_addr(struct stream *stream, struct net_addr *ret)
{
    *ret = ((struct fake_stream *)stream)->peer_addr;
}

static void fake_stream_free(struct stream *stream)
{
    struct fake_stream *s = (struct fake_stream *)stream;

    ASSERT(!s->freed);
    s->freed = true;
    if (s->other != NULL) {
        s->other->end_code = GP_ECLOSED;
        s->other->other = NULL;
        s->other = NULL;
    }
}

static const struct net_ops net_ops = {
    .listen = fake_listen,
    .listener_addr = listener_addr,
    .listener_free = listener_free,
    .connect = fake_connect,
    .read_start = read_start,
    .read_resume = read_resume,
    .write = fake_write,
    .write_queue_bytes = write_queue_bytes,
    .peer_addr = peer_addr,
    .stream_end = fake_stream_free, /* what was written is over there already */
    .stream_free = fake_stream_free,
};

/* ---- world ---- */

static void fake_random(void *world, void *ptr, size_t len)
{
    rng_fill(&((struct fake *)world)->rng, ptr, len);
}

static int json_parse(void *world, gp_str text, struct value **ret, struct gp_error *err)
{
    (void)world;
    return edge_json_parse(text, ret, err);
}

static const struct world_ops world_ops = {.random = fake_random, .json_parse = json_parse};

static void keep_line(void *ctx, enum log_level level, gp_str line)
{
    (void)level;
    must_append(&((struct fake *)ctx)->log_text, line.ptr, line.len);
}

void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    f->loop.ops = &loop_ops;
    f->loop.net = &net_ops;
    f->log.sink = keep_line;
    f->log.sink_ctx = f;
    f->port = (struct port){.world = f, .ops = &world_ops, .loop = &f->loop, .log = &f->log};
    f->now_ns = 1000000000;
    f->client_host = "127.0.0.1";
    f->next_port = 40000;
    f->fail_call = -1;
    rng_init(&f->rng, 1);
    list_init(&f->timers);
    list_init(&f->listeners);
    list_init(&f->streams);
    list_init(&f->events);
}

void fake_deinit(struct fake *f)
{
    struct list_node *node;

    fake_run(f);
    while ((node = list_pop_front(&f->timers)) != NULL) {
        struct fake_timer *t = LIST_ENTRY(node, struct fake_timer, node);

        ASSERT(t->freed);
        free(t);
    }
    while ((node = list_pop_front(&f->listeners)) != NULL) {
        struct fake_listener *l = LIST_ENTRY(node, struct fake_listener, node);

        ASSERT(l->freed);
        free(l);
    }
    while ((node = list_pop_front(&f->streams)) != NULL) {
        struct fake_stream *s = LIST_ENTRY(node, struct fake_stream, node);

        ASSERT(s->freed);
        buf_deinit(&s->inbound);
        free(s);
    }
    ASSERT(list_is_empty(&f->events));
    buf_deinit(&f->log_text);
}

/* ---- running ---- */

static void tell(struct fake_event *e)
{
    struct fake_stream *s = e->stream;

    if (e->accept != NULL) {
        if (e->accept->freed) {
            fake_stream_free(&s->base);
        } else {
            e->accept->fn(e->accept->user, &s->base);
        }
    } else if (e->is_connect) {
        if (!s->freed) {
            e->fn(e->user, e->status);
        }
    } else if (e->fn != NULL) {
        e->fn(e->user, s->freed ? GP_ECANCELED : e->status);
    }
}

static bool tell_one(struct fake *f)
{
    LIST_FOREACH (node, &f->events) {
        struct fake_event *e = LIST_ENTRY(node, struct fake_event, node);

        if (e->stream->stalled && !e->stream->freed && !e->is_connect && e->accept == NULL) {
            continue;
        }
        list_remove(node);
        tell(e);
        free(e);
        return true;
    }
    return false;
}

static bool read_one(struct fake *f, struct fake_stream *s)
{
    size_t len = 0;
    void *space;

    if (s->freed || s->reader == NULL || s->paused || s->ended_told) {
        return false;
    }
    if (buf_len(&s->inbound) > 0) {
        space = s->reader->alloc(s->user, &len);
        if (space == NULL) {
            s->paused = true;
            return false;
        }
        ASSERT(len > 0);
        len = f->read_max != 0 && len > f->read_max ? f->read_max : len;
        len = len > buf_len(&s->inbound) ? buf_len(&s->inbound) : len;
        memcpy(space, buf_bytes(&s->inbound).ptr, len);
        buf_consume(&s->inbound, len);
        s->reader->on_read(s->user, (int64_t)len);
        return true;
    }
    if (s->end_code != 0) {
        s->ended_told = true;
        s->reader->on_read(s->user, s->end_code);
        return true;
    }
    return false;
}

static bool fire_one(struct fake *f)
{
    struct fake_timer *first = NULL;

    LIST_FOREACH (node, &f->timers) {
        struct fake_timer *t = LIST_ENTRY(node, struct fake_timer, node);

        if (t->at_ns >= 0 && t->at_ns <= f->now_ns && (first == NULL || t->at_ns < first->at_ns)) {
            first = t;
        }
    }
    if (first == NULL) {
        return false;
    }
    first->at_ns = -1;
    first->fn(first->user);
    return true;
}

static bool read_all(struct fake *f)
{
    bool busy = false;

    LIST_FOREACH (node, &f->streams) {
        busy |= read_one(f, LIST_ENTRY(node, struct fake_stream, node));
    }
    return busy;
}

void fake_run(struct fake *f)
{
    bool busy = true;

    for (int i = 0; busy && i < 1000000; i++) {
        busy = tell_one(f);
        busy |= read_all(f);
        busy |= fire_one(f);
    }
    ASSERT(!busy);
}

static int64_t next_timer_ns(const struct fake *f)
{
    int64_t next = INT64_MAX;

    LIST_FOREACH (node, &f->timers) {
        struct fake_timer *t = LIST_ENTRY(node, struct fake_timer, node);

        if (t->at_ns >= 0 && t->at_ns < next) {
            next = t->at_ns;
        }
    }
    return next;
}

void fake_advance(struct fake *f, int64_t ns)
{
    const int64_t end = f->now_ns + ns;

    fake_run(f);
    while (next_timer_ns(f) <= end) {
        f->now_ns = next_timer_ns(f);
        fake_run(f);
    }
    f->now_ns = end;
}

void fake_stall(struct fake *f, bool stalled)
{
    LIST_FOREACH (node, &f->streams) {
        struct fake_stream *s = LIST_ENTRY(node, struct fake_stream, node);

        s->stalled = stalled;
        s->queued = 0;
    }
}

void fake_cut(struct fake *f)
{
    LIST_FOREACH (node, &f->streams) {
        struct fake_stream *s = LIST_ENTRY(node, struct fake_stream, node);

        if (!s->freed && s->other != NULL) {
            s->end_code = GP_EIO;
            s->other->end_code = GP_EIO;
            s->other->other = NULL;
            s->other = NULL;
        }
    }
}

struct net_addr fake_addr(const char *text)
{
    struct net_addr addr = {{0}};

    (void)str_format(addr.text, sizeof(addr.text), "%s", text);
    return addr;
}

bool fake_logged(struct fake *f, const char *event)
{
    const char *text = buf_c(&f->log_text);

    return text != NULL && strstr(text, event) != NULL;
}

/* ---- raw ---- */

static void *raw_alloc(void *user, size_t *ret_len)
{
    struct raw *raw = user;

    *ret_len = sizeof(raw->space);
    return raw->space;
}

static void raw_on_read(void *user, int64_t n)
{
    struct raw *raw = user;

    if (n < 0) {
        raw->ended = true;
    } else {
        must_append(&raw->got, raw->space, (size_t)n);
    }
}

static const struct stream_reader raw_reader = {.alloc = raw_alloc, .on_read = raw_on_read};

static void raw_on_connected(void *user, int status)
{
    struct raw *raw = user;

    ASSERT(status == 0);
    ASSERT(stream_read_start(raw->stream, &raw_reader, raw) == 0);
}

void raw_dial(struct raw *raw, struct fake *f, const struct net_addr *addr)
{
    *raw = (struct raw){.f = f};
    ASSERT(net_connect(&f->loop, addr, raw_on_connected, raw, &raw->stream) == 0);
    fake_run(f);
}

void raw_listen_take(struct raw *raw, struct fake *f, struct stream *stream)
{
    *raw = (struct raw){.f = f, .stream = stream};
    ASSERT(stream_read_start(stream, &raw_reader, raw) == 0);
}

void raw_send(struct raw *raw, const void *ptr, size_t len)
{
    const struct net_buf bytes = {ptr, len};

    ASSERT(stream_write(raw->stream, &bytes, 1, NULL, NULL) == 0);
    fake_run(raw->f);
}

void raw_deinit(struct raw *raw)
{
    stream_free(raw->stream);
    buf_deinit(&raw->got);
}
