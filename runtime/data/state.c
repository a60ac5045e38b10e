/* state.c: see state.h. */
#include "data/state.h"

#include <stdbool.h>

#include <gearpump/processor.h>

#include "base/reader.h"
#include "data/stage.h"
#include "data/task.h"

struct writer {
    struct buf *out;
    bool failed;
};

static int32_t on_put(struct gp_snapshot *snapshot, uint32_t group, gp_str name, gp_bytes bytes)
{
    struct writer *w = (struct writer *)snapshot->host;
    struct buf *out = w->out;
    size_t before = buf_len(out);

    if ((group >= GP_KEY_GROUPS && group != GP_GROUP_NONE) || name.len == 0 ||
        name.len > GP_NAME_MAX_BYTES || bytes.len > UINT32_MAX) {
        return GP_FAIL;
    }
    if (buf_append_u32(out, group) < 0 || buf_append_u32(out, (uint32_t)name.len) < 0 ||
        buf_append_u32(out, (uint32_t)bytes.len) < 0 || buf_append_str(out, name) < 0 ||
        buf_append_bytes(out, bytes) < 0) {
        buf_truncate(out, before);
        w->failed = true;
        return GP_FAIL;
    }
    return GP_OK;
}

int32_t state_snapshot(struct task *t, struct buf *out)
{
    struct writer w = {.out = out};
    struct gp_snapshot snapshot = {.size = (uint32_t)sizeof(snapshot), .put = on_put, .host = &w};

    int32_t rc = t->stage->table.snapshot(t->self, &snapshot);

    return w.failed ? STATE_TOO_LARGE : rc;
}

static int32_t on_next(struct gp_restore *restore, struct gp_entry_view *ret)
{
    struct reader *r = (struct reader *)restore->host;
    uint32_t group;
    uint32_t name_len;
    uint32_t len;

    if (reader_left(r) == 0) {
        return reader_status(r) < 0 ? -1 : 0;
    }
    group = reader_u32(r);
    name_len = reader_u32(r);
    len = reader_u32(r);
    *ret = (struct gp_entry_view){.size = (uint32_t)sizeof(*ret), .group = group};
    ret->name = reader_str(r, name_len);
    ret->bytes = reader_bytes(r, len);
    return reader_status(r) < 0 ? -1 : 1;
}

int32_t state_restore(struct task *t, gp_bytes state)
{
    struct reader r = reader_of(state);
    struct gp_restore restore = {.size = (uint32_t)sizeof(restore), .next = on_next, .host = &r};
    int32_t rc = t->stage->table.restore(t->self, &restore);

    return reader_status(&r) < 0 ? GP_FAIL : rc;
}
