/*
 * gearpump.c: tables of C functions for processors in Go.
 *
 * A table's open does not say whose it is, so each of TABLES_MAX has one of its own. All else goes
 * to one function in Go, by the handle that is the task's self.
 */
#include "_cgo_export.h"
#include "entry.h"

#define TABLES_MAX 16 /* as in gearpump.go */

static int32_t process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out)
{
    (void)port;
    return goProcess((uintptr_t)self, (struct gp_batch *)in, consumed, out);
}

static int32_t poll(void *self, struct gp_out *out, uint32_t budget)
{
    return goPoll((uintptr_t)self, out, budget);
}

static int32_t on_end(void *self, struct gp_out *out)
{
    return goOnEnd((uintptr_t)self, out);
}

static int32_t snapshot(void *self, struct gp_snapshot *to)
{
    return goSnapshot((uintptr_t)self, to);
}

static int32_t restore(void *self, struct gp_restore *from)
{
    return goRestore((uintptr_t)self, from);
}

static void close_task(void *self, uint32_t ended)
{
    (void)ended;
    goClose((uintptr_t)self);
}

#define OPEN(n)                                                                                    \
    static int32_t open_##n(const struct gp_task *task, void **ret_self)                           \
    {                                                                                              \
        return goOpen(n, (struct gp_task *)task, (uintptr_t *)ret_self);                           \
    }
OPEN(0)
OPEN(1)
OPEN(2)
OPEN(3)
OPEN(4)
OPEN(5)
OPEN(6)
OPEN(7)
OPEN(8)
OPEN(9)
OPEN(10)
OPEN(11)
OPEN(12)
OPEN(13)
OPEN(14)
OPEN(15)

static int32_t (*const opens[TABLES_MAX])(const struct gp_task *, void **) = {
    open_0, open_1, open_2,  open_3,  open_4,  open_5,  open_6,  open_7,
    open_8, open_9, open_10, open_11, open_12, open_13, open_14, open_15};

static struct gp_processor tables[TABLES_MAX];
static const void *table_list[TABLES_MAX];
static struct gp_catalog catalog = {sizeof catalog, 0, table_list};

/* From Go's init(), before anybody asks. type: never freed. */
const struct gp_processor *gp_go_add(const char *type, int is_source, int is_stateful)
{
    uint32_t i = catalog.count;
    struct gp_processor *t = &tables[i];

    *t = (struct gp_processor){.size = sizeof *t,
                               .kind = GP_KIND_PROCESSOR,
                               .type = type,
                               .flags = is_stateful ? GP_PROCESSOR_STATEFUL : 0,
                               .open = opens[i],
                               .process = is_source ? NULL : process,
                               .poll = is_source ? poll : NULL,
                               .on_end = is_source ? NULL : on_end,
                               .close = close_task,
                               .snapshot = is_stateful ? snapshot : NULL,
                               .restore = is_stateful ? restore : NULL};
    table_list[i] = t;
    catalog.count++;
    return t;
}

static int32_t build(const struct gp_build *b)
{
    return goBuild((struct gp_build *)b);
}

static const struct gp_app app = {sizeof app, 0, build};

const void *gp_go_factory(const char *id)
{
    goReady(); /* waits until init() of all packages is done */
    if (strcmp(id, GP_FACTORY_CATALOG) == 0) {
        return &catalog;
    }
    return strcmp(id, GP_FACTORY_APP) == 0 ? &app : NULL;
}
