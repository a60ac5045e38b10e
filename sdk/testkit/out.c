/*
 * The output of the task under test: keeps every row, and fails whoever breaks the rules of gp_out.
 */
#include <stdlib.h>

#include "kit.h"

static struct gp_kit *kit_of(const struct gp_out *out)
{
    return out->host;
}

int32_t kit_out_keep_take(struct gp_kit *kit, uint32_t port, struct gp_row *row)
{
    uint64_t bytes = (uint64_t)row->key_len + row->value_len;

    if (kit->out.full) {
        kit->overdraft_bytes += bytes;
        if (kit->overdraft_bytes > GP_MESSAGE_MAX_BYTES) {
            free(row);
            return kit_fail(kit, "more than GP_MESSAGE_MAX_BYTES emitted after outputs were full");
        }
    }
    if (kit_rows_add_take(&kit->rows[port], row, GP_KIT_ROWS_MAX) != GP_OK) {
        return kit_fail(kit, "more than %u rows came out of port %u", GP_KIT_ROWS_MAX, port);
    }
    kit->spent++;
    kit->out.full = kit->credit > 0 && kit->spent >= kit->credit;
    return GP_OK;
}

static struct gp_row *make(struct gp_kit *kit, uint32_t port, const struct gp_msg *msg,
                           uint32_t value_len)
{
    const char *wrong = kit_msg_wrong(msg, value_len);
    struct gp_row *row;

    if (kit->failed || kit_cursor_take_back(kit) != GP_OK) {
        return NULL;
    }
    if (kit->reserved) {
        wrong = "the reservation before was not committed";
    } else if (port >= kit->task.outputs) {
        wrong = "there is no such output port";
    }
    if (wrong) {
        (void)kit_fail(kit, "emit to port %u: %s", port, wrong);
        return NULL;
    }
    row = kit_row_new(msg, value_len);
    if (!row) {
        (void)kit_fail(kit, "no memory for a row");
        return NULL;
    }
    row->source = kit->task.index;
    return row;
}

static int32_t on_emit(struct gp_out *out, uint32_t port, const struct gp_msg *msg)
{
    struct gp_kit *kit = kit_of(out);
    struct gp_row *row = make(kit, port, msg, msg->value_len);

    return row ? kit_out_keep_take(kit, port, row) : GP_FAIL;
}

static int32_t on_emit_row(struct gp_out *out, uint32_t port, const struct gp_row *row)
{
    struct gp_msg msg = gp_msg_of_row(row);

    return on_emit(out, port, &msg);
}

static void *on_reserve(struct gp_out *out, uint32_t port, const struct gp_msg *msg,
                        uint32_t value_len)
{
    struct gp_kit *kit = kit_of(out);
    struct gp_msg head = *msg;
    struct gp_row *row;

    head.value = NULL;
    row = make(kit, port, &head, value_len);
    if (!row) {
        return NULL;
    }
    kit->reserved = row;
    kit->reserved_port = port;
    return (char *)(row + 1) + row->key_len;
}

static int32_t on_commit(struct gp_out *out, uint32_t value_len)
{
    struct gp_kit *kit = kit_of(out);
    struct gp_row *row = kit->reserved;

    if (kit->failed) {
        return GP_FAIL;
    }
    if (!row) {
        return kit_fail(kit, "commit without reserve");
    }
    if (value_len > row->value_len) {
        return kit_fail(kit, "commit of %u bytes, but %u were reserved", value_len, row->value_len);
    }
    kit->reserved = NULL;
    row->value_len = value_len;
    return kit_out_keep_take(kit, kit->reserved_port, row);
}

static int32_t on_watermark(struct gp_out *out, int64_t time_ns)
{
    struct gp_kit *kit = kit_of(out);

    if (time_ns < kit->out_watermark_ns) {
        return kit_fail(kit, "the watermark went back, from %lld to %lld",
                        (long long)kit->out_watermark_ns, (long long)time_ns);
    }
    kit->out_watermark_ns = time_ns;
    return GP_OK;
}

void kit_out_init(struct gp_out *out, struct gp_kit *kit)
{
    *out = (struct gp_out){.size = sizeof *out,
                           .emit = on_emit,
                           .reserve = on_reserve,
                           .commit = on_commit,
                           .watermark = on_watermark,
                           .host = kit,
                           .emit_row = on_emit_row};
    kit_cursors_init(kit);
}

uint32_t gp_kit_count(const struct gp_kit *kit, uint32_t port)
{
    return port < GP_KIT_PORTS_MAX ? kit->rows[port].count : 0;
}

const struct gp_row *gp_kit_row(const struct gp_kit *kit, uint32_t port, uint32_t i)
{
    return port < GP_KIT_PORTS_MAX ? kit_rows_at(&kit->rows[port], i) : NULL;
}

static int same(const void *ptr, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(ptr, text, len) == 0;
}

int gp_kit_row_is(const struct gp_kit *kit, uint32_t port, uint32_t i, const char *key,
                  const char *value)
{
    const struct gp_row *row = gp_kit_row(kit, port, i);

    if (!row || !same(row->value, row->value_len, value) ||
        ((row->flags & GP_ROW_KEYED) != 0) != (key != NULL)) {
        return 0;
    }
    return !key || same(row->key, row->key_len, key);
}

void gp_kit_clear(struct gp_kit *kit)
{
    for (uint32_t i = 0; i < GP_KIT_PORTS_MAX; i++) {
        kit_rows_clear(&kit->rows[i]);
    }
    kit->spent = 0;
    kit->out.full = 0;
}

int64_t gp_kit_out_watermark(const struct gp_kit *kit)
{
    return kit->out_watermark_ns;
}
