/*
 * reserve.c: messages that are built in place instead of copied by emit().
 *
 * Here: at a cursor that is lent, see cursor.h. The value is written where it stays, behind a
 * header that is true already if all of it is committed. The cursor moves only then, so what was
 * reserved and never committed is written over by the next row. What a row costs here is its
 * stores: there are as few as could be. Plugins that use cursors do it themselves, and come here
 * when there is no room. Aside: everything else (a key, a new batch, several edges, a large
 * message) is built in the lane's scratch memory and emitted from there.
 *
 * Thread: the lane's. Failures: a plugin that reserves twice, commits more than it reserved or
 * emits in between is told so, and its task fails.
 */
#include <stdlib.h>

#include "data/cursor.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

#define ASIDE __attribute__((noinline))

static ASIDE int32_t refuse(struct task *t, const char *text)
{
    t->refused = true;
    t->api.service->fail(&t->api, gp_str_of(text));
    return GP_FAIL;
}

static bool grow_scratch(struct lane *lane, uint32_t bytes)
{
    uint8_t *buf;

    if (bytes <= lane->reserve_cap) {
        return true;
    }
    buf = (uint8_t *)realloc(lane->reserve_buf, bytes);
    if (!buf) {
        return false;
    }
    lane->reserve_buf = buf;
    lane->reserve_cap = bytes;
    return true;
}

ASIDE void *output_reserve_aside(struct gp_out *out, uint32_t port, const struct gp_msg *m,
                                 uint32_t value_len)
{
    struct task *t = task_of_out(out);
    struct lane *lane = t->stage->lane;
    uint64_t bytes = (uint64_t)m->key_len + value_len;

    if (t->reserved || m->size < sizeof(*m)) {
        (void)refuse(t, "a reservation is open already");
        return NULL;
    }
    if (m->key_len > GP_KEY_MAX_BYTES || bytes > lane->options->message_max_bytes) {
        (void)refuse(t, "a reservation is larger than message.max");
        return NULL;
    }
    if (!grow_scratch(lane, (uint32_t)bytes + 8)) {
        (void)refuse(t, "out of memory for messages");
        return NULL;
    }
    t->reserved = lane->reserve_buf + m->key_len;
    if (m->key_len > 0) {
        memcpy(lane->reserve_buf, m->key, m->key_len); /* the plugin may reuse its key */
    }
    t->reserved_port = port;
    /* Field by field, and only what is meant, as the plugin has just stored it: see
     * CMakeLists.txt. */
    t->reserved_msg.size = (uint32_t)sizeof(*m);
    t->reserved_msg.flags = m->flags;
    t->reserved_msg.time_ns = m->time_ns;
    t->reserved_msg.key_hash = m->flags & GP_MSG_HASHED ? m->key_hash : 0;
    t->reserved_msg.key = lane->reserve_buf;
    t->reserved_msg.value = t->reserved;
    t->reserved_msg.key_len = m->key_len;
    t->reserved_msg.value_len = value_len;
    return t->reserved;
}

ASIDE int32_t output_commit_aside(struct gp_out *out, uint32_t value_len)
{
    struct task *t = task_of_out(out);
    int32_t rc;

    if (!t->reserved || t->reserved != t->reserved_msg.value ||
        value_len > t->reserved_msg.value_len) {
        return refuse(t, "commit without a reservation, of more than was reserved, or after an "
                         "emit in between");
    }
    t->reserved = NULL;
    t->reserved_msg.value_len = value_len;
    rc = t->out.emit(&t->out, t->reserved_port, &t->reserved_msg);
    t->reserved_msg.value = NULL;
    return rc;
}

/* Lends room for such a message. GP_OK; GP_AGAIN: it must be built aside; GP_FAIL. */
static ASIDE int32_t open_cursor(struct task *t, struct output *o, uint32_t value_len)
{
    int32_t rc;

    cursor_take_back(t);
    fuse_spill(t);
    if (t->refused) {
        return GP_FAIL;
    }
    if (!o->edge || t->place != TASK_AT_WORK) {
        return GP_AGAIN;
    }
    rc = output_open(t, o, value_len);
    if (rc == GP_OK) {
        cursor_lend(t, o);
        ASSERT(cursor_has_room(&o->cursor, row_size(0, value_len)));
    }
    return rc;
}

void *output_reserve(struct gp_out *out, uint32_t port, const struct gp_msg *m, uint32_t value_len)
{
    struct task *t = task_of_out(out);
    struct output *o = t->outputs;
    struct gp_cursor *c = &o->cursor;
    uint64_t size = ALIGN_UP(ROW_HEADER_SIZE + (uint64_t)value_len, UINT64_C(8));
    uint8_t *at;

    if (UNLIKELY(t->reserved || (port | m->flags) != 0 || m->size < sizeof(*m))) {
        return output_reserve_aside(out, port, m, value_len);
    }
    if (UNLIKELY(!cursor_has_room(c, size))) {
        int32_t rc = open_cursor(t, o, value_len);

        if (rc != GP_OK) {
            return rc == GP_AGAIN ? output_reserve_aside(out, port, m, value_len) : NULL;
        }
    }
    at = c->at;
    row_put_header(at, (uint32_t)size, 0, value_len, 0, o->dst, 0, m->time_ns);
    t->reserved = at + ROW_HEADER_SIZE;
    return t->reserved;
}

/* The row at the cursor becomes shorter than it was reserved. Its size, or 0 if longer. */
static uint32_t shorten(const struct gp_cursor *c, uint32_t value_len, uint32_t dst)
{
    uint32_t size = row_size(0, value_len);
    uint64_t word0 = get_u64_le(c->at);

    if (value_len > row_word_value_len(word0) || !cursor_has_room(c, row_word_size(word0))) {
        return 0;
    }
    put_u64_le(c->at, row_word0(size, 0, value_len, 0, dst));
    row_put_padding(c->at + size, size - ROW_HEADER_SIZE - value_len);
    return size;
}

int32_t output_commit(struct gp_out *out, uint32_t value_len)
{
    struct task *t = task_of_out(out);
    struct output *o = t->outputs;
    struct gp_cursor *c = &o->cursor;
    uint8_t *at = c->at;
    uint64_t word0;
    uint32_t size;

    if (UNLIKELY((uintptr_t)t->reserved != (uintptr_t)at + ROW_HEADER_SIZE)) {
        return output_commit_aside(out, value_len);
    }
    word0 = get_u64_le(at);
    size = row_word_size(word0);
    if (row_word_value_len(word0) != value_len) {
        size = shorten(c, value_len, o->dst);
    }
    if (UNLIKELY(size == 0 || !cursor_has_room(c, size))) {
        return refuse(t, "commit of more than was reserved, or after an emit in between");
    }
    t->reserved = NULL;
    c->at = at + size;
    c->rows++;
    return GP_OK;
}

void *cursor_reserve(struct gp_cursor *c, int64_t time_ns, uint32_t value_len)
{
    struct task *t = (struct task *)c->host;
    struct output *o = container_of(c, struct output, cursor);
    int32_t rc = t->reserved ? GP_AGAIN : open_cursor(t, o, value_len);

    if (rc == GP_AGAIN) {
        struct gp_msg m = {.size = (uint32_t)sizeof(m), .time_ns = time_ns};

        return output_reserve_aside(&t->out, c->port, &m, value_len);
    }
    return rc == GP_OK ? gp_cursor_reserve(c, time_ns, value_len) : NULL;
}

int32_t cursor_commit(struct gp_cursor *c, const void *value, uint32_t value_len)
{
    struct task *t = (struct task *)c->host;
    struct output *o = container_of(c, struct output, cursor);
    uint32_t size;

    if (t->reserved) {
        return value == t->reserved ? t->out.commit(&t->out, value_len)
                                    : refuse(t, "commit of something else than was reserved");
    }
    if (t->lent != o || (uintptr_t)value != (uintptr_t)c->at + ROW_HEADER_SIZE ||
        !cursor_has_room(c, ROW_HEADER_SIZE)) {
        return refuse(t, "commit without a reservation, or after an emit in between");
    }
    size = shorten(c, value_len, o->dst);
    if (size == 0) {
        return refuse(t, "commit of more than was reserved");
    }
    c->at += size;
    c->rows++;
    return GP_OK;
}
