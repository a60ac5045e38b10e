/*
 * cursor.c: see cursor.h.
 */
#include "data/cursor.h"

#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"

_Static_assert(GP_CURSOR_HEADER_BYTES == ROW_HEADER_SIZE, "plugins write our rows");
_Static_assert(GP_CURSOR_PAD_SHIFT == ROW_FLAGS_SHIFT + ROW_PAD_SHIFT, "plugins write our rows");
_Static_assert(BATCH_FRAME_SIZE <= ROW_SIZE_MASK, "what fits a batch fits the size of a row");

void cursor_init(struct gp_cursor *c, struct task *t, uint32_t port)
{
    *c = (struct gp_cursor){.size = (uint32_t)sizeof(*c),
                            .port = port,
                            .reserve = cursor_reserve,
                            .commit = cursor_commit,
                            .host = t};
}

static struct gp_cursor *cursor_of(const struct gp_task *api, uint32_t port)
{
    const struct task *t = task_of_api((struct gp_task *)(uintptr_t)api);
    const struct stage *s = t->stage;
    bool leads = port < s->port_count && s->ports[port].count > 0;

    return &t->outputs[leads ? s->ports[port].first : s->out_count].cursor;
}

const struct gp_cursor_service service_cursor = {
    .size = (uint32_t)sizeof(struct gp_cursor_service),
    .of = cursor_of,
};

void cursor_lend(struct task *t, struct output *o)
{
    const struct neighbour *p = o->neighbour;

    /* Kept from one callback to the next, a cursor must find nothing lent; neither in open or
     * close. */
    if (t->place != TASK_AT_WORK || p->token != o->token) {
        return;
    }
    o->cursor.at = p->cursor;
    o->cursor.limit = p->limit;
    o->cursor.rows = 0;
    o->cursor.head = (uint64_t)o->dst << ROW_DST_SHIFT;
    t->lent = o;
}

void cursor_return(struct task *t)
{
    struct output *o = t->lent;
    struct neighbour *p = o->neighbour;
    uint64_t bytes = (uintptr_t)o->cursor.at - (uintptr_t)p->cursor;
    uint64_t rows = o->cursor.rows;

    t->lent = NULL;
    o->cursor.at = NULL;
    o->cursor.limit = NULL;
    if (UNLIKELY(bytes > (size_t)(p->limit - p->cursor) || (bytes & 7u) != 0 ||
                 rows * ROW_HEADER_SIZE > bytes || (rows == 0 && bytes > 0))) {
        t->refused = true;
        t->api.service->fail(&t->api, GP_STR("a cursor is not where it can be"));
        return;
    }
    p->cursor += bytes;
    p->rows += (uint32_t)rows;
}
