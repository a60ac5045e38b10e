/*
 * net_write.c: writing to streams.
 *
 * The kernel is tried at once, which saves a pass of the loop; only what it does not take goes
 * through a uv request. Completions always come later, from the loop, in order: both ways end in
 * the loop's list of owed callbacks. (What goes through shared memory turns off in the middle, to
 * net_share.c.) Requests are kept by the loop, so that steady writing does not
 * allocate.
 *
 * Failures: a broken connection shows as the status of the write; memory may lack (GP_ENOMEM, and
 * then fn is not called).
 */
#include <stdlib.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/net.h"

static void on_done(struct edge_task *task);

static struct edge_write *write_get(struct edge_loop *l, net_written_fn fn, void *user)
{
    struct list_node *kept = list_pop_front(&l->writes_kept);
    struct edge_write *w;

    if (kept != NULL) {
        l->writes_kept_count--;
        w = LIST_ENTRY(kept, struct edge_write, done.node);
    } else {
        w = malloc(sizeof(*w));
        if (w == NULL) {
            return NULL;
        }
        list_node_init(&w->done.node);
        w->done.fn = on_done;
        w->loop = l;
    }
    w->fn = fn;
    w->user = user;
    return w;
}

static void write_put(struct edge_write *w)
{
    struct edge_loop *l = w->loop;

    if (l->writes_kept_count == EDGE_WRITES_KEPT_MAX) {
        free(w);
        return;
    }
    l->writes_kept_count++;
    list_push_front(&l->writes_kept, &w->done.node);
}

void edge_net_free_writes(struct edge_loop *l)
{
    struct list_node *node;

    while ((node = list_pop_front(&l->writes_kept)) != NULL) {
        free(LIST_ENTRY(node, struct edge_write, done.node));
    }
}

static void on_done(struct edge_task *task)
{
    struct edge_write *w = (struct edge_write *)task;
    net_written_fn fn = w->fn;
    void *user = w->user;
    int status = w->status;

    write_put(w);
    if (fn != NULL) {
        fn(user, status);
    }
}

void edge_write_done(struct edge_write *w, int status)
{
    w->status = status;
    edge_loop_defer(w->loop, &w->done);
}

static void on_written(uv_write_t *uv, int status)
{
    struct edge_write *w = uv->data;

    edge_loop_enter(w->loop);
    edge_write_done(w, status < 0 ? edge_error_of(status) : 0);
}

/* Drops the first `len` bytes; returns how many slices are left, from *bufs on. */
static uint32_t skip(uv_buf_t **bufs, uint32_t count, size_t len)
{
    while (count > 0 && len >= (*bufs)->len) {
        len -= (*bufs)->len;
        (*bufs)++;
        count--;
    }
    if (count > 0) {
        (*bufs)->base += len;
        (*bufs)->len -= len;
    }
    return count;
}

int edge_stream_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                      net_written_fn fn, void *user)
{
    struct edge_stream *s = edge_stream_of(stream);
    uv_buf_t slices[EDGE_WRITE_BUFS_MAX];
    uv_buf_t *rest = slices;
    struct edge_write *w;
    int rc;

    ASSERT(count <= EDGE_WRITE_BUFS_MAX);
    if (s->state != STREAM_OPEN) {
        return GP_ESTATE;
    }
    w = write_get(edge_loop_of(stream->loop), fn, user);
    if (w == NULL) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        slices[i].base = (char *)(uintptr_t)bufs[i].ptr; /* uv only reads from it */
        slices[i].len = bufs[i].len;
    }
    if (edge_share_writes(s)) {
        edge_share_write(s, w, slices, count);
        return 0;
    }
    /* Answers EAGAIN when earlier bytes wait. */
    rc = count > 0 ? uv_try_write(&s->uv.stream, slices, count) : 0;
    if (rc < 0 && rc != UV_EAGAIN) {
        edge_write_done(w, edge_error_of(rc));
        return 0;
    }
    count = skip(&rest, count, rc > 0 ? (size_t)rc : 0);
    if (count == 0) {
        edge_write_done(w, 0);
        return 0;
    }
    w->u.uv.data = w;
    rc = uv_write(&w->u.uv, &s->uv.stream, rest, count, on_written);
    if (rc < 0) {
        edge_write_done(w, edge_error_of(rc));
    }
    return 0;
}
