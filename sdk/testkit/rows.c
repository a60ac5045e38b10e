/*
 * Rows that the testkit keeps: one block each, so that a tool that watches the heap sees every byte
 * read beyond a key or a value.
 */
#include <stdlib.h>

#include "kit.h"

uint64_t gp_kit_hash(const void *key, size_t len)
{
    const unsigned char *bytes = key;
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then a mix for the upper bits */

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

const char *kit_msg_wrong(const struct gp_msg *msg, uint32_t value_len)
{
    if (msg->size < sizeof *msg) {
        return "gp_msg.size is not set";
    }
    if ((msg->flags & ~(GP_MSG_KEYED | GP_MSG_HASHED)) != 0) {
        return "gp_msg.flags has an unknown bit";
    }
    if (msg->key_len > GP_KEY_MAX_BYTES) {
        return "the key is longer than GP_KEY_MAX_BYTES";
    }
    if ((uint64_t)value_len + msg->key_len > GP_MESSAGE_MAX_BYTES) {
        return "the message is longer than GP_MESSAGE_MAX_BYTES";
    }
    if ((msg->flags & GP_MSG_KEYED) == 0 && (msg->key_len > 0 || (msg->flags & GP_MSG_HASHED))) {
        return "there is a key or a hash, but no GP_MSG_KEYED";
    }
    if (msg->key_len > 0 && !msg->key) {
        return "gp_msg.key is NULL";
    }
    if ((msg->flags & GP_MSG_HASHED) && msg->key_hash != gp_kit_hash(msg->key, msg->key_len)) {
        return "gp_msg.key_hash is not the hash of the key";
    }
    return NULL;
}

struct gp_row *kit_row_new(const struct gp_msg *msg, uint32_t value_len)
{
    struct gp_row *row = calloc(1, sizeof *row + msg->key_len + value_len);
    char *bytes;

    if (!row) {
        return NULL;
    }
    bytes = (char *)(row + 1);
    row->time_ns = msg->time_ns;
    row->key = bytes;
    row->key_len = msg->key_len;
    row->value = bytes + msg->key_len;
    row->value_len = value_len;
    if (msg->flags & GP_MSG_KEYED) {
        row->flags = GP_ROW_KEYED;
        row->key_hash = gp_kit_hash(msg->key, msg->key_len);
    }
    if (msg->key_len > 0) {
        memcpy(bytes, msg->key, msg->key_len);
    }
    if (msg->value && value_len > 0) {
        memcpy(bytes + msg->key_len, msg->value, value_len);
    }
    return row;
}

int32_t kit_rows_add_take(struct kit_rows *rows, struct gp_row *row, uint32_t max)
{
    if (rows->count == rows->size && rows->size < max) {
        uint32_t size = rows->size ? rows->size * 2 : 16;
        struct gp_row **items = realloc(rows->items, size * sizeof(struct gp_row *));
        if (items) {
            rows->items = items;
            rows->size = size;
        }
    }
    if (!row || rows->count >= max || rows->count == rows->size) {
        free(row);
        return GP_FAIL;
    }
    rows->items[rows->count++] = row;
    return GP_OK;
}

void kit_rows_clear(struct kit_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        free(rows->items[i]);
    }
    rows->count = 0;
}

void kit_rows_deinit(struct kit_rows *rows)
{
    kit_rows_clear(rows);
    free(rows->items);
}

const struct gp_row *kit_rows_at(const struct kit_rows *rows, uint32_t i)
{
    return i < rows->count ? rows->items[i] : NULL;
}
