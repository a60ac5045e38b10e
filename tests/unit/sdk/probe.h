/*
 * probe.h: a processor for the tests of the testkit: it notes how it was called.
 */
#ifndef TESTS_SDK_PROBE_H
#define TESTS_SDK_PROBE_H

#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "gp_test.h"

/* What the task of the running test was called with. */
struct probe {
    const struct gp_task *task;
    struct gp_waker *waker;
    uint32_t calls;
    uint32_t rows;
    uint32_t late;
    uint32_t closed;
    uint32_t closed_ended;
    char seen[256]; /* "p:PORT", "t:ID", "w:TIME", "e" in the order of calls */
};

static struct probe probe;

static int32_t probe_open(const struct gp_task *task, void **ret_self)
{
    memset(&probe, 0, sizeof probe);
    probe.task = task;
    *ret_self = &probe;
    return GP_OK;
}

static void probe_close(void *self, uint32_t ended)
{
    (void)self;
    probe.closed++;
    probe.closed_ended = ended;
}

#define PROBE                                                                                      \
    .size = sizeof(struct gp_processor), .kind = GP_KIND_PROCESSOR, .type = "probe",               \
    .open = probe_open, .close = probe_close

static struct gp_kit *opened(const struct gp_processor *table)
{
    struct gp_kit *kit = gp_kit_new(table, 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    return kit;
}

#endif
