/*
 * message.h: what user code receives and emits.
 */
#ifndef GEARPUMP_MESSAGE_H
#define GEARPUMP_MESSAGE_H

#include <gearpump/types.h>

/* gp_row.flags */
#define GP_ROW_KEYED 1u /* key and key_hash are meaningful (an empty key is a key) */
#define GP_ROW_LATE  2u /* older than the watermark when it was delivered */

/* gp_msg.flags */
#define GP_MSG_KEYED  1u /* key is meaningful */
#define GP_MSG_HASHED 2u /* key_hash is that of a row with the same key: saves hashing it again */

/*
 * One received message: a view into the receive buffer.
 * Borrowed: valid until the callback that got it returns.
 */
struct gp_row {
    int64_t time_ns;   /* event time */
    uint64_t key_hash; /* 0 unless GP_ROW_KEYED */
    const void *key;
    const void *value;
    uint32_t key_len;   /* bytes */
    uint32_t value_len; /* bytes */
    uint32_t flags;     /* GP_ROW_... */
    uint32_t source;    /* index of the sending task within its processor */
};

GP_STATIC_ASSERT(sizeof(struct gp_row) == 48, "gp_row is 48 bytes");

/*
 * Rows for one input port, oldest first. Walk it with gp_batch_row(): rows stand `stride` bytes
 * apart, which a newer host may make larger than sizeof(struct gp_row).
 */
struct gp_batch {
    uint32_t size;   /* of this struct */
    uint32_t count;  /* rows */
    uint32_t stride; /* bytes from one row to the next */
    uint32_t reserved;
    const void *rows;
};

static inline const struct gp_row *gp_batch_row(const struct gp_batch *batch, uint32_t index)
{
    return (const struct gp_row *)((const char *)batch->rows + (size_t)index * batch->stride);
}

static inline gp_bytes gp_row_key(const struct gp_row *row)
{
    return gp_bytes_of(row->key, row->key_len);
}

static inline gp_bytes gp_row_value(const struct gp_row *row)
{
    return gp_bytes_of(row->value, row->value_len);
}

/* One message to emit. Filled by the plugin, copied by the host before emit returns. */
struct gp_msg {
    uint32_t size;  /* sizeof(struct gp_msg) */
    uint32_t flags; /* GP_MSG_... */
    int64_t time_ns;
    uint64_t key_hash; /* with GP_MSG_HASHED */
    const void *key;
    const void *value;
    uint32_t key_len;   /* at most GP_KEY_MAX_BYTES */
    uint32_t value_len; /* key and value together at most GP_MESSAGE_MAX_BYTES */
};

GP_STATIC_ASSERT(sizeof(struct gp_msg) == 48, "gp_msg is 48 bytes");

/*
 * Where a task puts its output. Handed to the callbacks that may emit; valid until they return.
 * Use the gp_emit...() functions below.
 *
 * Credit: a task is called only while its outputs have credit, so emit neither blocks nor refuses
 * within one row. When `full` becomes non-zero, finish the row at hand and return; the sugar of
 * processor.h does it for you. A row that goes on emitting past the overdraft
 * (GP_MESSAGE_MAX_BYTES) makes emit answer GP_FAIL.
 */
struct gp_out {
    uint32_t size;
    uint32_t full; /* written by the host: stop after this row */
    /* Copies msg to output port. GP_OK, or GP_FAIL (the host already knows why: return it). */
    int32_t (*emit)(struct gp_out *out, uint32_t port, const struct gp_msg *msg);
    /*
     * Builds in place: gives value_len writable bytes in the send buffer, NULL on failure (then
     * return GP_FAIL). msg carries the key; its value is ignored. One reservation at a time, ended
     * by commit before anything else.
     */
    void *(*reserve)(struct gp_out *out, uint32_t port, const struct gp_msg *msg,
                     uint32_t value_len);
    /* Sends what was reserved, cut to value_len bytes (at most what was reserved). */
    int32_t (*commit)(struct gp_out *out, uint32_t value_len);
    /* Sources and on_watermark: nothing older than time_ns will come from here. Never goes back. */
    int32_t (*watermark)(struct gp_out *out, int64_t time_ns);
    void *host; /* the host's own */
    /*
     * Passes on a row of the batch at hand, or a copy of one, as emit would do it. Hosts of the
     * first 0.1 have none: look at `size` first, or use gp_emit_row().
     */
    int32_t (*emit_row)(struct gp_out *out, uint32_t port, const struct gp_row *row);
};

static inline int gp_out_full(const struct gp_out *out)
{
    return *(const volatile uint32_t *)&out->full != 0;
}

static inline int32_t gp_emit_msg(struct gp_out *out, uint32_t port, const struct gp_msg *msg)
{
    return out->emit(out, port, msg);
}

/* A message without key on port 0. */
static inline int32_t gp_emit(struct gp_out *out, int64_t time_ns, const void *value,
                              size_t value_len)
{
    struct gp_msg msg;
    msg.size = (uint32_t)sizeof msg;
    msg.flags = 0;
    msg.time_ns = time_ns;
    msg.key_hash = 0;
    msg.key = NULL;
    msg.value = value;
    msg.key_len = 0;
    msg.value_len = (uint32_t)value_len;
    return out->emit(out, 0, &msg);
}

/* A message with a key on port 0: messages of one key meet in one task behind a `hash` edge. */
static inline int32_t gp_emit_keyed(struct gp_out *out, int64_t time_ns, const void *key,
                                    size_t key_len, const void *value, size_t value_len)
{
    struct gp_msg msg;
    msg.size = (uint32_t)sizeof msg;
    msg.flags = GP_MSG_KEYED;
    msg.time_ns = time_ns;
    msg.key_hash = 0;
    msg.key = key;
    msg.value = value;
    msg.key_len = (uint32_t)key_len;
    msg.value_len = (uint32_t)value_len;
    return out->emit(out, 0, &msg);
}

/* The message that says what a received row says, without hashing its key again. */
static inline struct gp_msg gp_msg_of_row(const struct gp_row *row)
{
    struct gp_msg msg;
    msg.size = (uint32_t)sizeof msg;
    msg.flags = (row->flags & GP_ROW_KEYED) ? (GP_MSG_KEYED | GP_MSG_HASHED) : 0u;
    msg.time_ns = row->time_ns;
    msg.key_hash = row->key_hash;
    msg.key = row->key;
    msg.value = row->value;
    msg.key_len = row->key_len;
    msg.value_len = row->value_len;
    return msg;
}

/* Passes a received row on, unchanged: the cheapest way to emit. */
static inline int32_t gp_emit_row(struct gp_out *out, uint32_t port, const struct gp_row *row)
{
    if (__builtin_expect(out->size <= offsetof(struct gp_out, emit_row), 0)) {
        struct gp_msg msg = gp_msg_of_row(row);
        return out->emit(out, port, &msg);
    }
    return out->emit_row(out, port, row);
}

static inline int32_t gp_emit_watermark(struct gp_out *out, int64_t time_ns)
{
    return out->watermark(out, time_ns);
}

#endif
