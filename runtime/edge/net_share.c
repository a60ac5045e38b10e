/*
 * net_share.c: streams over Unix sockets whose bytes go through memory shared with the peer.
 *
 *     (nothing) ──offer or take──▶ mapped ──begin_writes──▶ ─┐
 *                                         ──begin_reads───▶ ─┴▶ both ways   each way for itself
 *
 * Happy path: a write is copied into our ring at once and told to the peer; what has no room waits
 * in the queue. A stream whose peer is at it stands in loop.shares and is looked at in every turn;
 * one that is quiet, and every one before the loop sleeps, rests: then the peer calls by a byte
 * over the socket when he has done something. So a busy pair makes no system call, and a quiet one
 * costs no look.
 *
 * A call cannot get lost: it is not made only when the socket is full of calls, or of bytes from
 * before the memory, and reading either is as good.
 *
 * A reader may be shown what came where it lies and keep some of it (share_loan.h): the writer has
 * that room again when it is given back, and the memory outlives the stream until then.
 *
 * Failures: a position that cannot be ends the stream with GP_EPROTO, as if reading had failed.
 * When the peer dies the socket ends; what he had told in memory is read first, no more than stood
 * there then.
 *
 * Invariants: share.queue is empty or its first write lacks room; a stream with something to do is
 * in loop.shares, or rests.
 */
#include "edge/net_share.h"

#include <string.h>

#include "base/assert.h"
#include "edge/limits.h"

bool edge_share_writes(const struct edge_stream *s)
{
    return s->share != NULL && s->share->writes;
}

bool edge_share_reads(const struct edge_stream *s)
{
    return s->share != NULL && s->share->reads;
}

size_t edge_share_queued_bytes(const struct edge_stream *s)
{
    return s->share != NULL ? s->share->queued_bytes : 0;
}

/* ---- calling, resting ---- */

/* The peer rests and has something to do. */
static void call(struct edge_stream *s)
{
    const uv_buf_t byte = {.base = (char[]){0}, .len = 1};

    (void)uv_try_write(&s->uv.stream, &byte, 1); /* no room: see above; gone: reading tells */
}

void edge_share_heat(struct edge_share *sh)
{
    sh->quiet = 0;
    if (!list_is_linked(&sh->node)) {
        atomic_store_explicit(&sh->memory.in.lines->reader_rests, 0, memory_order_relaxed);
        atomic_store_explicit(&sh->memory.out.lines->writer_rests, 0, memory_order_relaxed);
        list_push_back(&edge_loop_of(sh->stream->base.loop)->shares, &sh->node);
    }
}

static uint64_t rest_bytes(const struct edge_write *w)
{
    uint64_t bytes = 0;

    for (uint32_t i = w->u.rest.next; i < w->u.rest.count; i++) {
        bytes += w->u.rest.bufs[i].len;
    }
    return bytes;
}

/* The room that is worth waiting for: that of the whole write if there can be so much. So frames
 * arrive whole, and the peer need not move the pieces together. */
static uint64_t room_wanted(const struct edge_share *sh, const struct edge_write *w)
{
    const uint64_t bytes = rest_bytes(w);
    const uint64_t most = sh->memory.out.size / 2;

    return bytes < most ? bytes : most;
}

static struct edge_write *first_write(const struct edge_share *sh)
{
    return LIST_ENTRY(list_first(&sh->queue), struct edge_write, done.node);
}

/* Leaves it to the peer to call, if there is nothing to do. */
static bool rest(struct edge_share *sh)
{
    if (sh->broken || (sh->over != 0 && !sh->paused)) {
        return false;
    }
    if (sh->reads && !sh->paused && !share_reader_rest(&sh->memory.in)) {
        return false;
    }
    if (!list_is_empty(&sh->queue) &&
        !share_writer_rest(&sh->memory.out, room_wanted(sh, first_write(sh)))) {
        atomic_store(&sh->memory.in.lines->reader_rests, 0); /* we do not rest after all */
        return false;
    }
    list_remove(&sh->node);
    return true;
}

/* ---- writing ---- */

/* Copies as much as there is room for. True: all of it. */
static bool put_some(struct edge_share *sh, struct edge_write *w)
{
    int64_t room = share_writer_room(&sh->memory.out);

    if (room < 0) {
        sh->broken = true;
        return false;
    }
    if ((uint64_t)room < room_wanted(sh, w)) {
        return false;
    }
    while (w->u.rest.next < w->u.rest.count) {
        uv_buf_t *buf = &w->u.rest.bufs[w->u.rest.next];
        const size_t n = buf->len < (size_t)room ? buf->len : (size_t)room;

        if (n > 0) {
            share_writer_put(&sh->memory.out, buf->base, n);
        }
        sh->queued_bytes -= n;
        room -= (int64_t)n;
        buf->base += n;
        buf->len -= n;
        if (buf->len > 0) {
            break;
        }
        w->u.rest.next++;
    }
    share_writer_tell(&sh->memory.out);
    return w->u.rest.next == w->u.rest.count;
}

/* True: something was written. */
static bool look_out(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    const uint64_t before = sh->memory.out.position;

    while (!list_is_empty(&sh->queue)) {
        struct edge_write *w = first_write(sh);

        if (!put_some(sh, w)) {
            break;
        }
        list_remove(&w->done.node);
        edge_write_done(w, 0);
    }
    if (sh->memory.out.position == before) {
        return false;
    }
    if (share_reader_called(&sh->memory.out)) {
        call(s);
    }
    return true;
}

void edge_share_write(struct edge_stream *s, struct edge_write *w, const uv_buf_t *bufs,
                      uint32_t count)
{
    struct edge_share *sh = s->share;
    const bool waits = !list_is_empty(&sh->queue);

    if (count > 0) {
        memcpy(w->u.rest.bufs, bufs, count * sizeof(*bufs));
    }
    w->u.rest.next = 0;
    w->u.rest.count = count;
    sh->queued_bytes += rest_bytes(w);
    list_push_back(&sh->queue, &w->done.node);
    if (!waits) {
        (void)look_out(s);
    }
    if (!list_is_empty(&sh->queue)) {
        edge_share_heat(sh);
    }
}

/* ---- reading ---- */

/* Tells the reader that it is over; he may free the stream. */
static void end(struct edge_stream *s, int code)
{
    list_remove(&s->share->node);
    s->share->broken = false;
    s->share->paused = true; /* nothing more is read */
    (void)uv_read_stop(&s->uv.stream);
    s->over = true;
    if (s->state == STREAM_OPEN) {
        s->reader->on_read(s->reader_user, code);
    } else {
        edge_stream_close(s);
    }
}

/* Gives room back as far as nothing before it is kept. */
static void give_back(struct edge_share *sh)
{
    struct share_side *in = &sh->memory.in;
    const uint64_t given = share_loans_settle(&sh->loans, in->given, in->position);

    if (given != in->given) {
        share_reader_give(in, given);
        if (share_writer_called(in)) {
            call(sh->stream);
        }
    }
}

static void end_loan(struct stream_loan *base)
{
    struct share_loan *loan = (struct share_loan *)base;
    struct edge_share *sh = loan->share;

    ASSERT(!loan->is_over);
    loan->is_over = true;
    if (sh->stream != NULL) {
        give_back(sh);
        return;
    }
    (void)share_loans_settle(&sh->loans, 0, 0);
    if (sh->loans.count == 0) {
        edge_share_free(sh);
    }
}

struct stream_loan *edge_share_lend(struct stream *stream, size_t end)
{
    struct edge_share *sh = edge_stream_of(stream)->share;
    struct share_loan *loan = share_loans_add(&sh->loans, sh->memory.in.position + end);

    if (loan == NULL) {
        return NULL;
    }
    loan->base.end = end_loan;
    loan->share = sh;
    return &loan->base;
}

/* What is given back while it is shown lies beyond the position still. */
bool edge_share_is_cramped(const struct stream *stream)
{
    const struct edge_share *sh = ((const struct edge_stream *)stream)->share;
    const struct share_side *in;

    if (sh == NULL) {
        return false;
    }
    in = &sh->memory.in;
    return in->position > in->given && in->position - in->given > in->size / 2;
}

/* Bytes used of the n that lie there, 0: the reader has no place. The stream may be gone then. */
static size_t show(struct edge_stream *s, size_t n)
{
    struct edge_share *sh = s->share;
    const size_t used = s->reader->on_lent(s->reader_user, share_reader_at(&sh->memory.in), n);

    ASSERT(used <= n);
    if (s->share != NULL) {
        sh->memory.in.position += used;
        give_back(sh);
    }
    return used;
}

/*
 * One piece of what came. What there was: 0, or negative when it cannot be. The stream may be gone
 * then. More than the next turn can use waits better in the ring: what is copied out now has left
 * the second cache when it is used.
 */
static int64_t read_piece(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    int64_t n = share_reader_news(&sh->memory.in);
    size_t used;

    if (sh->over != 0 && n > sh->left) {
        n = sh->left;
    }
    if (n <= 0) {
        return n;
    }
    n = n < EDGE_SHARE_PIECE_BYTES ? n : EDGE_SHARE_PIECE_BYTES;
    edge_loop_of(s->base.loop)->reads++;
    used = show(s, (size_t)n);
    if (s->share != NULL && used == 0) {
        sh->paused = true;
    } else if (s->share != NULL && sh->over != 0) {
        sh->left -= (int64_t)used;
    }
    return (int64_t)used;
}

static bool is_reading(const struct edge_stream *s)
{
    return s->state == STREAM_OPEN && !s->over && edge_share_reads(s) && !s->share->paused;
}

/* True: something was read. */
static bool look_in(struct edge_stream *s)
{
    int64_t n = is_reading(s) ? read_piece(s) : 0;

    if (n < 0) {
        end(s, GP_EPROTO);
    } else if (n == 0 && is_reading(s) && s->share->over != 0) {
        end(s, s->share->over);
    }
    return n != 0;
}

/* ---- looking ---- */

static void look(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    bool news = look_out(s);

    if (sh->broken) {
        end(s, GP_EPROTO);
        return;
    }
    if (s->state == STREAM_ENDING && news && list_is_empty(&sh->queue)) {
        list_remove(&sh->node);
        edge_stream_shutdown(s);
        return;
    }
    news = look_in(s) || news;
    if (s->share == NULL || !list_is_linked(&sh->node)) {
        return;
    }
    sh->quiet = news ? 0 : sh->quiet + 1;
    if (sh->quiet > EDGE_SHARE_QUIET_LOOKS) {
        (void)rest(sh);
    }
}

void edge_shares_look(struct edge_loop *l)
{
    struct list now;
    struct list_node *node;

    if (list_is_empty(&l->shares)) {
        return;
    }
    edge_loop_enter(l);
    list_init(&now);
    list_append_all(&now, &l->shares);
    while ((node = list_pop_front(&now)) != NULL) {
        list_push_back(&l->shares, node);
        look(LIST_ENTRY(node, struct edge_share, node)->stream);
    }
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether look() would find something. */
static bool has_news(const struct edge_share *sh)
{
    if (sh->reads && !sh->paused && share_reader_news(&sh->memory.in) != 0) {
        return true;
    }
    return !list_is_empty(&sh->queue) &&
           share_writer_room(&sh->memory.out) >= (int64_t)room_wanted(sh, first_write(sh));
}

/* Who has written so much since he last slept, and has nothing to do now, waits for its reader. */
static bool waits_for_reader(struct edge_loop *l)
{
    bool waits = false;

    LIST_FOREACH (node, &l->shares) {
        struct edge_share *sh = LIST_ENTRY(node, struct edge_share, node);

        waits = waits || sh->memory.out.position - sh->slept_at >= sh->memory.out.size / 4;
        sh->slept_at = sh->memory.out.position;
    }
    return waits;
}

static bool any_news(const struct edge_loop *l)
{
    LIST_FOREACH (node, &l->shares) {
        if (has_news(LIST_ENTRY(node, const struct edge_share, node))) {
            return true;
        }
    }
    return atomic_load_explicit(&l->woken, memory_order_relaxed);
}

/*
 * A writer that is faster than its reader sleeps each time that all is said that may be, for a few
 * microseconds, and to be woken from that costs the reader 7, who is the slower one anyway. So it
 * looks for as long instead, unless that came to nothing the last few times.
 */
static bool news_come_soon(struct edge_loop *l)
{
    const uint32_t vain = l->shares_vain;
    uint64_t until_ns;

    if (!waits_for_reader(l)) {
        return false;
    }
    l->shares_vain++;
    if (vain >= EDGE_LOOKS_VAIN_MAX && vain % EDGE_LOOKS_RETRY != 0) {
        return false;
    }
    until_ns = uv_hrtime() + EDGE_SHARE_WAIT_NS;
    do {
        for (uint32_t i = 0; i < EDGE_SHARE_LOOKS; i++) {
            if (any_news(l)) {
                l->shares_vain = 0;
                return true;
            }
            relax();
        }
    } while (uv_hrtime() < until_ns);
    return false;
}

bool edge_shares_may_sleep(struct edge_loop *l)
{
    struct list now;
    struct list_node *node;

    if (news_come_soon(l)) {
        return false;
    }
    list_init(&now);
    list_append_all(&now, &l->shares);
    while ((node = list_pop_front(&now)) != NULL) {
        list_push_back(&l->shares, node);
        (void)rest(LIST_ENTRY(node, struct edge_share, node));
    }
    return list_is_empty(&l->shares);
}

bool edge_share_on_socket(struct edge_stream *s, int code)
{
    struct edge_share *sh = s->share;

    if (sh == NULL) {
        return false;
    }
    if (sh->reads && code < 0 && sh->over == 0) {
        sh->over = code;
        sh->left = share_reader_news(&sh->memory.in);
    }
    edge_share_heat(sh); /* looked at soon */
    return sh->reads;
}

void edge_share_resume(struct edge_stream *s)
{
    if (s->share->paused) {
        s->share->paused = false;
        edge_share_heat(s->share);
    }
}
