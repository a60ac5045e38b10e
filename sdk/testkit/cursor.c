/*
 * Cursors of the task under test. What is lent is a block of its own with room for the row asked
 * for and up to three more of its size, so that a tool that watches the heap sees most of what is
 * written beyond it; now and then nothing is lent, as on an edge where rows cannot be built in
 * place. Rows are checked, word by word, and come out, when they are taken back.
 */
#include <stdlib.h>

#include "kit.h"

#define LENT_ROWS_MAX  4u
#define LENT_VALUE_MAX 4096u
#define REFUSED_EACH   5u /* one lend in so many */

static uint32_t value_len_of(uint64_t word)
{
    uint32_t pad = (uint32_t)(word >> GP_CURSOR_PAD_SHIFT) & 7u;

    return (uint32_t)(word & 0xfffffu) - GP_CURSOR_HEADER_BYTES - pad;
}

/* Whether a row of ours stands there, and nothing beyond `left` belongs to it. */
static int is_row(const struct gp_cursor *c, const unsigned char *at, size_t left)
{
    uint64_t word;
    uint64_t bytes;
    uint32_t len;

    if (left < GP_CURSOR_HEADER_BYTES) {
        return 0;
    }
    word = gp_cursor_get(at);
    len = value_len_of(word);
    bytes = gp_cursor_row_bytes(len);
    if (bytes > left || word != gp_cursor_word(c, len) || gp_cursor_get(at + 8) != 0) {
        return 0;
    }
    for (uint64_t i = GP_CURSOR_HEADER_BYTES + len; i < bytes; i++) {
        if (at[i] != 0) {
            return 0;
        }
    }
    return 1;
}

static int32_t keep_row(struct gp_kit *kit, uint32_t port, const unsigned char *at)
{
    struct gp_msg msg = {.size = sizeof msg,
                         .time_ns = (int64_t)gp_cursor_get(at + 16),
                         .value = at + GP_CURSOR_HEADER_BYTES};
    struct gp_row *row = kit_row_new(&msg, value_len_of(gp_cursor_get(at)));

    if (!row) {
        return kit_fail(kit, "no memory for a row");
    }
    row->source = kit->task.index;
    return kit_out_keep_take(kit, port, row);
}

static int32_t keep_rows(struct gp_kit *kit, const struct gp_cursor *c, const unsigned char *end)
{
    const unsigned char *at = kit->lent_room;

    for (uint32_t i = 0; i < c->rows; i++) {
        if (!is_row(c, at, (size_t)(end - at))) {
            return kit_fail(kit, "row %u at the cursor of port %u is malformed", i, c->port);
        }
        if (keep_row(kit, c->port, at) != GP_OK) {
            return GP_FAIL;
        }
        at += gp_cursor_row_bytes(value_len_of(gp_cursor_get(at)));
    }
    return at == end ? GP_OK : kit_fail(kit, "the cursor of port %u miscounts its rows", c->port);
}

int32_t kit_cursor_take_back(struct gp_kit *kit)
{
    struct gp_cursor *c = kit->lent;
    unsigned char *room = kit->lent_room;
    unsigned char *end;
    int32_t rc;

    if (!c) {
        return GP_OK;
    }
    end = c->at;
    kit->lent = NULL;
    c->at = NULL;
    c->limit = NULL;
    kit->out.full = kit->credit > 0 && kit->spent >= kit->credit;
    rc = (uintptr_t)end - (uintptr_t)room > kit->lent_bytes
             ? kit_fail(kit, "the cursor of port %u is not where it can be", c->port)
             : keep_rows(kit, c, end);
    c->rows = 0;
    kit->lent_room = NULL;
    free(room);
    return rc;
}

static int32_t lend(struct gp_kit *kit, struct gp_cursor *c, uint32_t value_len)
{
    uint32_t rows = kit->credit > 0 ? 1 : 1 + kit->lends % LENT_ROWS_MAX;
    uint32_t bytes = rows * (uint32_t)gp_cursor_row_bytes(value_len);

    kit->lent_room = malloc(bytes);
    if (!kit->lent_room) {
        return kit_fail(kit, "no memory for a row");
    }
    kit->lent = c;
    kit->lent_bytes = bytes;
    c->at = kit->lent_room;
    c->limit = c->at + bytes;
    c->head = (uint64_t)kit->lends << 44; /* anything: it is for the host */
    kit->out.full = kit->credit > 0 && kit->spent + 1 >= kit->credit;
    return GP_OK;
}

static void *on_reserve(struct gp_cursor *c, int64_t time_ns, uint32_t value_len)
{
    struct gp_kit *kit = c->host;
    struct gp_msg msg = {.size = sizeof msg, .time_ns = time_ns};

    if (kit->failed || kit_cursor_take_back(kit) != GP_OK) {
        return NULL;
    }
    if (kit->reserved || c->port >= kit->task.outputs || value_len > LENT_VALUE_MAX ||
        ++kit->lends % REFUSED_EACH == 0) {
        return kit->out.reserve(&kit->out, c->port, &msg, value_len);
    }
    return lend(kit, c, value_len) == GP_OK ? gp_cursor_reserve(c, time_ns, value_len) : NULL;
}

/* The row at the cursor is sent, but is shorter than was reserved. */
static int32_t commit_shorter(struct gp_kit *kit, struct gp_cursor *c, uint32_t value_len)
{
    uint32_t reserved = value_len_of(gp_cursor_get(c->at));
    uint64_t bytes = gp_cursor_row_bytes(value_len);

    if (value_len > reserved) {
        return kit_fail(kit, "commit of %u bytes, but %u were reserved", value_len, reserved);
    }
    memset(c->at + GP_CURSOR_HEADER_BYTES + value_len, 0,
           bytes - GP_CURSOR_HEADER_BYTES - value_len);
    gp_cursor_put(c->at, gp_cursor_word(c, value_len));
    c->at += bytes;
    c->rows++;
    return GP_OK;
}

static int32_t on_commit(struct gp_cursor *c, const void *value, uint32_t value_len)
{
    struct gp_kit *kit = c->host;

    if (kit->failed) {
        return GP_FAIL;
    }
    if (kit->reserved && value == kit->reserved->value) {
        return kit->out.commit(&kit->out, value_len);
    }
    if (kit->lent != c || c->limit - c->at < (ptrdiff_t)GP_CURSOR_HEADER_BYTES ||
        value != c->at + GP_CURSOR_HEADER_BYTES) {
        return kit_fail(kit, "commit without reserve");
    }
    return commit_shorter(kit, c, value_len);
}

static struct gp_cursor *on_of(const struct gp_task *task, uint32_t port)
{
    struct gp_kit *kit = (struct gp_kit *)((uintptr_t)task - offsetof(struct gp_kit, task));

    return &kit->cursors[port < GP_KIT_PORTS_MAX ? port : GP_KIT_PORTS_MAX];
}

const struct gp_cursor_service kit_cursor_service = {.size = sizeof kit_cursor_service,
                                                     .of = on_of};

void kit_cursors_init(struct gp_kit *kit)
{
    for (uint32_t port = 0; port <= GP_KIT_PORTS_MAX; port++) {
        kit->cursors[port] = (struct gp_cursor){
            .size = sizeof(struct gp_cursor),
            .port = port < GP_KIT_PORTS_MAX ? port : UINT32_MAX,
            .reserve = on_reserve,
            .commit = on_commit,
            .host = kit,
        };
    }
}
