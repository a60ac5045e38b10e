/*
 * bench_data.c: what a message costs in the data plane, without control plane and plugins' files.
 *
 *     bench_data split|sym|local|hash|chain[N]|EDGE|EDGE-sym [million rows] [value bytes]
 *
 * EDGE: shm, unix or tcp
 *
 * split: source on lane 0, sink on lane 1; sym: both on both lanes, shuffle; local: one lane; hash:
 * keyed source and sink on two lanes, symmetric; chain: source, pass (N of them), sink on one lane,
 * behind forward edges. Prints
 * million messages a second and CPU nanoseconds per message, both sides together. Not a test: for
 * ratios against tests/bench in the same minute, and for perf.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "edge/world.h"
#include "graph/placement.h"
#include "rig.h"

#define MESSAGES 128

struct lean {
    const struct gp_task *task;
    const struct rig_processor *about;
    uint64_t done;
    uint64_t sum;
    char messages[MESSAGES][128];
};

static int32_t lean_open(const struct gp_task *task, void **ret_self)
{
    struct lean *self = calloc(1, sizeof(*self));

    self->task = task;
    self->about = task->config->host;
    for (int i = 0; i < MESSAGES; i++) {
        memset(self->messages[i], '0' + i % 10, sizeof(self->messages[i]));
    }
    *ret_self = self;
    return GP_OK;
}

static int32_t lean_poll(void *user, struct gp_out *out, uint32_t budget)
{
    struct lean *self = user;
    const struct rig_processor *about = self->about;
    uint64_t end = self->done + budget < about->rows ? self->done + budget : about->rows;

    while (self->done < end && !gp_out_full(out)) {
        char *m = self->messages[self->done % MESSAGES];
        uint32_t key = (uint32_t)(self->done * 2654435761u) % 100000u;
        int32_t rc = about->keys > 0
                         ? gp_emit_keyed(out, 0, &key, sizeof(key), m, about->value_bytes)
                         : gp_emit(out, 0, m, about->value_bytes);

        if (rc != GP_OK) {
            return rc;
        }
        self->done++;
    }
    return self->done == about->rows ? GP_END : GP_MORE;
}

static int32_t lean_sink(void *user, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                         struct gp_out *out)
{
    struct lean *self = user;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        uint64_t word;

        memcpy(&word, (const char *)row->value + row->value_len - 8, 8);
        self->sum += word;
        self->done++;
    }
    return GP_OK;
}

static int32_t lean_pass(void *user, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                         struct gp_out *out)
{
    (void)user;
    (void)port;
    GP_EACH (row, in, consumed, out) {
        int32_t rc = gp_emit_row(out, 0, row);

        if (rc != GP_OK) {
            return rc;
        }
    }
    return GP_OK;
}

static void lean_close(void *user, uint32_t ended)
{
    struct lean *self = user;

    (void)ended;
    atomic_fetch_add(&((struct rig_processor *)(uintptr_t)self->about)->seen, self->done);
    free(self);
}

static const struct gp_processor source = {.size = sizeof(source),
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = lean_open,
                                           .poll = lean_poll,
                                           .close = lean_close};
static const struct gp_processor sink = {.size = sizeof(sink),
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = lean_open,
                                         .process = lean_sink,
                                         .close = lean_close};
static const struct gp_processor pass = {.size = sizeof(pass),
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "pass",
                                         .open = lean_open,
                                         .process = lean_pass,
                                         .close = lean_close};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t edge_of(const char *mode)
{
    static const char *const names[] = {
        [EDGE_MODE_SHM] = "shm", [EDGE_MODE_UNIX] = "unix", [EDGE_MODE_TCP] = "tcp"};

    for (uint32_t i = EDGE_MODE_SHM; i <= EDGE_MODE_TCP; i++) {
        if (strncmp(mode, names[i], strlen(names[i])) == 0) {
            return i;
        }
    }
    return EDGE_MODE_AUTO;
}

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "split";
    uint64_t rows = (argc > 2 ? strtoull(argv[2], NULL, 10) : 50) * 1000000;
    uint32_t bytes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 100;
    bool two = strstr(mode, "sym") != NULL || strcmp(mode, "hash") == 0;
    bool chain = strncmp(mode, "chain", 5) == 0;
    int passes = chain && mode[5] ? atoi(mode + 5) : chain;
    uint32_t edge = edge_of(mode);
    struct rig rig;
    uint32_t from;
    double wall;
    double cpu;

    rig_begin(&rig);
    rig.lanes = two || edge != EDGE_MODE_AUTO || strcmp(mode, "split") == 0 ? 2 : 1;
    rig.options.edge_mode = edge;
    rig.pin = true;
    if (getenv("SLICE")) {
        rig.options.slice_rows = (uint32_t)atoi(getenv("SLICE"));
    }
    if (getenv("BATCH")) {
        rig.options.batch_bytes = (uint32_t)atoi(getenv("BATCH"));
    }
    if (getenv("SHM")) {
        rig.options.shm_bytes = (uint32_t)atoi(getenv("SHM"));
    }
    if (getenv("WARM")) {
        rig.options.pool_warm_bytes = (uint32_t)atoi(getenv("WARM"));
    }
    from = rig_add(&rig, &(struct rig_processor){.name = "source",
                                                 .table = &source,
                                                 .parallelism = two ? 2 : 1,
                                                 .rows = two ? rows / 2 : rows,
                                                 .value_bytes = bytes,
                                                 .keys = strcmp(mode, "hash") == 0});
    for (int i = 0; i < passes; i++) {
        uint32_t to = rig_add(
            &rig, &(struct rig_processor){.name = names[i], .table = &pass, .parallelism = 1});

        rig_connect(&rig, from, to, PLAN_FORWARD);
        from = to;
    }
    rig_connect(&rig, from,
                rig_add(&rig, &(struct rig_processor){.name = "sink",
                                                      .table = &sink,
                                                      .parallelism = two ? 2 : 1}),
                strcmp(mode, "hash") == 0 ? PLAN_HASH
                : chain                   ? PLAN_FORWARD
                                          : PLAN_SHUFFLE);
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (!rig_run_real(&rig)) {
        fprintf(stderr, "did not end\n");
        return 1;
    }
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (rig.processors[rig.processor_count - 1].seen != rows) {
        fprintf(stderr, "lost rows\n");
        return 1;
    }
    printf("%s: %.1f M/s, %.2f ns CPU per message\n", mode, (double)rows / wall * 1e-6,
           cpu * 1e9 / (double)rows);
    if (getenv("STATS")) {
        printf(
            "  turns %llu, sleeps %llu, blocked %llu, batches %llu, of them full %llu, made %llu\n",
            (unsigned long long)counter_get(&rig.seen.turns),
            (unsigned long long)counter_get(&rig.seen.sleeps),
            (unsigned long long)counter_get(&rig.seen.blocked),
            (unsigned long long)counter_get(&rig.seen.batches_out),
            (unsigned long long)counter_get(&rig.seen.batches_full),
            (unsigned long long)rig.batches_made);
    }
    return 0;
}
