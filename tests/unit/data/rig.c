/*
 * rig.c: see rig.h.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "data/service.h"
#include "edge/json.h"
#include "edge/world.h"
#include "gp_test.h"
#include "graph/placement.h"

#define SIM_LIMIT_NS   INT64_C(600000000000)
#define SOURCES_SEEN   4096
#define ROW_HEAD_BYTES 16 /* of a value: source, number */

/* ---- processors ---- */

struct self {
    const struct gp_task *task;
    struct rig_processor *about;
    uint64_t done;
    uint64_t last[SOURCES_SEEN]; /* by source and key: the last number seen, plus one */
    uint64_t seen;
    uint64_t sum;
    int64_t watermark_ns;
    uint8_t value[1];
};

static int32_t self_open(const struct gp_task *task, void **ret_self)
{
    struct rig_processor *about = (struct rig_processor *)(uintptr_t)task->config->host;
    uint32_t bytes =
        about->value_bytes > about->large_bytes ? about->value_bytes : about->large_bytes;
    struct self *self = calloc(1, sizeof(*self) + bytes);

    if (!self) {
        return GP_FAIL;
    }
    self->task = task;
    self->about = about;
    self->watermark_ns = GP_TIME_MIN;
    for (uint32_t i = ROW_HEAD_BYTES; i < bytes; i++) {
        self->value[i] = (uint8_t)(i * 7);
    }
    *ret_self = self;
    return GP_OK;
}

static void self_close(void *user, uint32_t ended)
{
    struct self *self = user;
    struct rig_processor *about = self->about;
    uint64_t most = atomic_load(&about->most);
    int64_t min = atomic_load(&about->watermark_min);

    atomic_fetch_add(&about->seen, self->seen);
    atomic_fetch_add(&about->sum, self->sum);
    atomic_fetch_add(&about->ended, ended);
    atomic_fetch_add(&about->closed, 1);
    atomic_fetch_add(&about->tasks_fed, self->seen > 0);
    while (self->seen > most && !atomic_compare_exchange_weak(&about->most, &most, self->seen)) {
    }
    while (self->watermark_ns < min &&
           !atomic_compare_exchange_weak(&about->watermark_min, &min, self->watermark_ns)) {
    }
    free(self);
}

static int32_t source_poll(void *user, struct gp_out *out, uint32_t budget)
{
    struct self *self = user;
    struct rig_processor *about = self->about;
    uint32_t source = self->task->index;

    if (about->rows_per_poll > 0 && about->rows_per_poll < budget) {
        budget = about->rows_per_poll;
    }
    for (uint32_t i = 0; i < budget && self->done < about->rows && !gp_out_full(out); i++) {
        uint32_t key = about->keys > 0 ? (uint32_t)((self->done * 2654435761u) % about->keys) : 0;
        int64_t time_ns = (int64_t)self->done;
        uint32_t bytes = about->value_bytes;
        int32_t rc;

        if (about->silent_after > 0 && self->done >= about->silent_after) {
            return GP_IDLE;
        }
        if (about->large_every > 0 && (self->done + 1) % about->large_every == 0) {
            bytes = about->large_bytes;
        }
        memcpy(self->value, &source, 4);
        memcpy(self->value + 4, &key, 4);
        memcpy(self->value + 8, &self->done, 8);
        rc = about->keys > 0 ? gp_emit_keyed(out, time_ns, &key, sizeof(key), self->value, bytes)
                             : gp_emit(out, time_ns, self->value, bytes);
        if (rc != GP_OK) {
            return rc;
        }
        self->done++;
        self->seen++;
        self->sum += self->done;
        if (about->with_watermarks && self->done % 16 == 0) {
            (void)gp_emit_watermark(out, (int64_t)self->done);
        }
    }
    return self->done == about->rows ? GP_END : GP_MORE;
}

/* The filler of source_poll(), which repeats after 256 bytes. */
static bool has_pattern(const uint8_t *value, uint32_t len)
{
    const uint32_t period = 256;

    for (uint32_t i = ROW_HEAD_BYTES; i < len && i < ROW_HEAD_BYTES + period; i++) {
        if (value[i] != (uint8_t)(i * 7)) {
            return false;
        }
    }
    return len <= ROW_HEAD_BYTES + period ||
           memcmp(value + ROW_HEAD_BYTES, value + ROW_HEAD_BYTES + period,
                  len - ROW_HEAD_BYTES - period) == 0;
}

static void check_row(struct self *self, const struct gp_row *row)
{
    struct rig_processor *about = self->about;
    const uint8_t *value = row->value;
    uint32_t source;
    uint32_t key;
    uint64_t number;
    uint32_t slot;

    memcpy(&source, value, 4);
    memcpy(&key, value + 4, 4);
    memcpy(&number, value + 8, 8);
    if ((row->flags & GP_ROW_KEYED) && (row->key_len != 4 || memcmp(row->key, &key, 4) != 0)) {
        atomic_fetch_add(&about->misrouted, 1);
    }
    if (!has_pattern(value, row->value_len)) {
        atomic_fetch_add(&about->misrouted, 1);
    }
    slot = (source * 64 + key % 64) % SOURCES_SEEN;
    if (self->last[slot] > number) {
        atomic_fetch_add(&about->disordered, 1);
    }
    self->last[slot] = number + 1;
    self->seen++;
    self->sum += number + 1;
    if (row->flags & GP_ROW_LATE) {
        atomic_fetch_add(&about->late, 1);
    }
}

static int32_t take(void *user, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                    struct gp_out *out, bool pass)
{
    struct self *self = user;
    struct rig_processor *about = self->about;
    const struct gp_row *row;

    (void)port;
    while ((row = gp_next(in, consumed, out)) != NULL) {
        if (about->stall_after > 0 && self->seen >= about->stall_after) {
            return GP_AGAIN;
        }
        if (about->fail_after > 0 && self->seen >= about->fail_after) {
            return gp_fail(self->task, "as the test wants");
        }
        if (about->consume_max > 0 && *consumed == about->consume_max) {
            return GP_YIELD;
        }
        check_row(self, row);
        for (uint32_t i = 0; pass && i < (about->copies > 0 ? about->copies : 1); i++) {
            int32_t rc = gp_emit_row(out, 0, row);

            if (rc != GP_OK) {
                return rc;
            }
        }
        ++*consumed;
    }
    return GP_OK;
}

static int32_t pass_process(void *user, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    return take(user, port, in, consumed, out, true);
}

static int32_t sink_process(void *user, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    return take(user, port, in, consumed, out, false);
}

static int32_t sink_on_watermark(void *user, int64_t time_ns, struct gp_out *out)
{
    struct self *self = user;

    (void)out;
    if (time_ns < self->watermark_ns) {
        atomic_fetch_add(&self->about->going_back, 1);
    }
    self->watermark_ns = time_ns;
    atomic_fetch_add(&self->about->watermarks, 1);
    return GP_OK;
}

const struct gp_processor rig_source = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "source",
    .open = self_open,
    .poll = source_poll,
    .close = self_close,
};

const struct gp_processor rig_pass = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "pass",
    .open = self_open,
    .process = pass_process,
    .close = self_close,
};

const struct gp_processor rig_sink = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "sink",
    .open = self_open,
    .process = sink_process,
    .on_watermark = sink_on_watermark,
    .close = self_close,
};

/* ---- the job ---- */

void rig_begin(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->options = data_options_default();
}

uint32_t rig_add(struct rig *rig, const struct rig_processor *processor)
{
    struct rig_processor *p = &rig->processors[rig->processor_count];

    *p = *processor;
    if (p->value_bytes < ROW_HEAD_BYTES) {
        p->value_bytes = ROW_HEAD_BYTES;
    }
    atomic_store(&p->watermark_min, GP_TIME_MAX);
    return rig->processor_count++;
}

void rig_connect(struct rig *rig, uint32_t from, uint32_t to, uint32_t partitioner)
{
    rig->edges[rig->edge_count++] =
        (struct rig_edge){.from = from, .to = to, .partitioner = partitioner};
}

static gp_str config_get(const struct gp_config *config, const char *key)
{
    (void)config;
    (void)key;
    return (gp_str){NULL, 0};
}

static const struct gp_host rig_host = {
    .size = sizeof rig_host,
    .abi_major = GP_ABI_MAJOR,
    .abi_minor = GP_ABI_MINOR,
    .version = "rig",
    .service = service_find,
};

static void make_plan(struct rig *rig)
{
    struct plan *plan = &rig->plan;

    plan->app_name = (char *)(uintptr_t) "rig";
    plan->hash_seed = 42;
    plan->processors = rig->plan_processors;
    plan->processor_count = rig->processor_count;
    plan->edges = rig->plan_edges;
    plan->edge_count = rig->edge_count;
    for (uint32_t i = 0; i < rig->processor_count; i++) {
        struct rig_processor *p = &rig->processors[i];

        rig->plan_processors[i] = (struct plan_processor){.name = (char *)(uintptr_t)p->name,
                                                          .parallelism = p->parallelism,
                                                          .flags = p->flags,
                                                          .is_source = p->table->poll != NULL};
        rig->configs[i] =
            (struct gp_config){.size = sizeof(struct gp_config), .get = config_get, .host = p};
        rig->code[i] = (struct lane_processor){
            .table = p->table, .plugin = "rig", .host = &rig_host, .config = &rig->configs[i]};
    }
    for (uint32_t i = 0; i < rig->edge_count; i++) {
        const struct rig_edge *e = &rig->edges[i];
        struct plan_processor *from = &rig->plan_processors[e->from];
        struct plan_processor *to = &rig->plan_processors[e->to];

        rig->plan_edges[i] = (struct plan_edge){.from = e->from,
                                                .from_port = e->from_port,
                                                .to = e->to,
                                                .to_port = e->to_port,
                                                .partitioner = e->partitioner,
                                                .custom = (char *)(uintptr_t) "custom"};
        rig->partitioners[i] = e->partitioner == PLAN_CUSTOM ? rig->custom : NULL;
        from->outputs = from->outputs > e->from_port + 1 ? from->outputs : e->from_port + 1;
        to->inputs = to->inputs > e->to_port + 1 ? to->inputs : e->to_port + 1;
    }
    rig->executors = rig->executors > 0 ? rig->executors : 1;
    rig->lanes = rig->lanes > 0 ? rig->lanes : 1;
    for (uint32_t i = 0; i < rig->executors; i++) {
        rig->hosts[i] = (struct placement_host){
            .executor = i + 1, .lanes = rig->lanes, .blocking = rig->blocking};
    }
    GP_REQUIRE_EQ(placement_make(plan, rig->hosts, rig->executors, NULL, NULL, &rig->placement), 0);
    for (uint32_t i = 0; i < rig->placement.count; i++) {
        rig->placement.ranges[i].session = UINT64_C(1) << 32;
    }
}

/* ---- engines ---- */

static void on_ready(void *user, const struct gp_error *err)
{
    struct rig *rig = user;

    GP_CHECK(err == NULL);
    rig->ready++;
}

static void on_opened(void *user, const struct lane_failure *failure)
{
    struct rig *rig = user;

    rig->opened++;
    if (failure) {
        rig->failure = *failure;
        rig->failed++;
    }
}

static void on_failed(void *user, const struct lane_failure *failure)
{
    struct rig *rig = user;

    if (rig->on_failed) {
        rig->on_failed(rig, failure);
        return;
    }
    rig->failure = *failure;
    rig->failed++;
}

static void on_updated(void *user, uint64_t generation)
{
    (void)generation;
    ((struct rig *)user)->updated++;
}

static void on_news(void *user, uint32_t lane, struct lane_news *news)
{
    struct rig *rig = user;

    (void)lane;
    if (rig->on_news) {
        rig->on_news(rig, news);
    }
}

static void on_moved(void *user, struct lane_moved *moved)
{
    struct rig *rig = user;

    if (rig->on_moved) {
        rig->on_moved(rig, moved);
    }
    lane_moved_free(moved);
}

static void on_ended(void *user)
{
    ((struct rig *)user)->ended++;
}

static void on_resumed(void *user)
{
    ((struct rig *)user)->ended--;
}

static void on_stopped(void *user)
{
    ((struct rig *)user)->stopped++;
}

static const struct engine_events events = {
    .on_ready = on_ready,
    .on_opened = on_opened,
    .on_failed = on_failed,
    .on_updated = on_updated,
    .on_news = on_news,
    .on_moved = on_moved,
    .on_resumed = on_resumed,
    .on_ended = on_ended,
    .on_stopped = on_stopped,
};

static void make_engine(struct rig *rig, uint32_t index, const struct port *port, const char *ip)
{
    struct gp_error err = {0};
    struct net_addr tcp;
    char folder[64];
    const struct stream_identity identity = {.app = 7,
                                             .executor = index + 1,
                                             .incarnation = 1000 + index,
                                             .key = "app/7",
                                             .token = "secret of the application",
                                             .token_len = 25};
    const struct engine_spec spec = {.port = port,
                                     .lanes = rig->lanes + rig->blocking,
                                     .tcp = &tcp,
                                     .unix_dir = folder,
                                     .identity = &identity,
                                     .host = rig->same_host ? "one" : rig->addresses[index],
                                     .pinned = rig->lanes,
                                     .first_core = rig->pin ? 0 : -1,
                                     .log = port->log,
                                     .events = &events,
                                     .user = rig};

    (void)snprintf(tcp.text, sizeof(tcp.text), "%s:0", ip);
    (void)snprintf(folder, sizeof(folder), "%s/%u", rig->folder, index);
    GP_REQUIRE_EQ(port->fs->make_dirs(port->world, folder, 0700, &err), 0);
    GP_REQUIRE_EQ(engine_new(&spec, &rig->engines[index], &err), 0);
}

void rig_announce(struct rig *rig, uint32_t index)
{
    for (uint32_t l = 0; l < rig->lanes + rig->blocking; l++) {
        struct engine_lane_addr *a = &rig->addrs[index][l];

        engine_lane_addr(rig->engines[index], l, &a->tcp, &a->unix_socket);
        if (rig->sockets_lost) {
            a->unix_socket = (struct net_addr){.text = "unix:/nowhere/lane.sock"};
        }
    }
    rig->siblings[index] =
        (struct engine_sibling){.executor = index + 1,
                                .host = rig->same_host ? "one" : rig->addresses[index],
                                .incarnation = 1000 + index,
                                .lanes = rig->addrs[index],
                                .lane_count = rig->lanes + rig->blocking};
}

struct engine_job rig_job(const struct rig *rig, uint64_t generation)
{
    return (struct engine_job){.generation = generation,
                               .moves = rig->moves,
                               .plan = &rig->plan,
                               .placement = &rig->placement,
                               .hosts = rig->hosts,
                               .host_count = rig->executors,
                               .siblings = rig->siblings,
                               .sibling_count = rig->executors,
                               .ended = rig->not_run,
                               .ended_count = rig->not_run_count,
                               .options = &rig->options,
                               .processors = rig->code,
                               .partitioners = rig->partitioners};
}

static void assign(struct rig *rig, uint32_t index)
{
    struct gp_error err = {0};
    const struct engine_job job = rig_job(rig, 1);
    int rc = engine_assign(rig->engines[index], &job, &err);

    if (rc < 0) {
        fprintf(stderr, "assign: %s\n", err.text);
    }
    GP_REQUIRE_EQ(rc, 0);
}

/* ---- worlds ---- */

struct wait {
    struct rig *rig;
    const uint32_t *what;
    uint32_t until;
};

static bool is_over(void *user)
{
    const struct wait *w = user;

    return *w->what >= w->until || w->rig->failed > 0 ||
           (w->what == &w->rig->ended && w->rig->until && w->rig->until(w->rig));
}

/* Lets the world go on until *what reaches `until`, or a task failed. */
typedef bool (*pass_fn)(struct rig *rig, void *world, const uint32_t *what, uint32_t until);

static bool run_job(struct rig *rig, void *world, pass_fn pass)
{
    bool done = pass(rig, world, &rig->ready, rig->executors);

    for (uint32_t i = 0; done && i < rig->executors; i++) {
        rig_announce(rig, i);
    }
    for (uint32_t i = 0; done && i < rig->executors; i++) {
        assign(rig, i);
    }
    done = done && pass(rig, world, &rig->opened, rig->executors);
    for (uint32_t i = 0; done && rig->failed == 0 && i < rig->executors; i++) {
        engine_start(rig->engines[i]);
    }
    if (done && rig->disturb) {
        rig->disturb(rig, world);
    }
    done = done && pass(rig, world, &rig->ended, rig->executors);
    return done;
}

static void stop_job(struct rig *rig, void *world, pass_fn pass)
{
    uint32_t failed = rig->failed;

    uint32_t alive = 0;

    for (uint32_t i = 0; i < rig->executors; i++) {
        if (rig->engines[i]) {
            engine_stop(rig->engines[i]);
            alive++;
        }
    }
    rig->failed = 0; /* or waiting would be over at once */
    GP_REQUIRE(pass(rig, world, &rig->stopped, alive));
    rig->failed += failed;
}

static void add_stats(struct rig *rig, const struct lane *lane)
{
    struct counter *to = (struct counter *)&rig->seen;
    const struct counter *from = (const struct counter *)&lane->stats;

    for (size_t i = 0; i < sizeof(rig->seen) / sizeof(*to); i++) {
        counter_add(&to[i], counter_get(&from[i]));
    }
    rig->batches_made += lane->pool.count;
}

static void free_job(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->executors; i++) {
        for (uint32_t l = 0; rig->engines[i] && l < rig->lanes + rig->blocking; l++) {
            if (engine_lane(rig->engines[i], l)) {
                add_stats(rig, engine_lane(rig->engines[i], l));
            }
        }
        engine_free(rig->engines[i]);
        rig->engines[i] = NULL;
    }
    placement_deinit(&rig->placement);
}

static bool pass_simulated(struct rig *rig, void *world, const uint32_t *what, uint32_t until)
{
    struct wait w = {rig, what, until};
    struct gp_error err = {0};
    int64_t end_ns = rig->patience_ns > 0 ? sim_now_ns(world) + rig->patience_ns : INT64_MAX;
    int rc = 0;

    if (end_ns < INT64_MAX) {
        while (!is_over(&w) && sim_now_ns(world) < end_ns && sim_step(world)) {
        }
        return is_over(&w);
    }
    rc = sim_run_until(world, is_over, &w, &err);

    if (rc < 0 && getenv("RIG_VERBOSE")) {
        fprintf(stderr, "sim: %s\n", err.text);
    }
    return rc == 0;
}

static void print_line(void *ctx, gp_str line)
{
    (void)ctx;
    fprintf(stderr, "%.*s", (int)line.len, line.ptr);
}

/* args[1] says which of the executors a process is. */
static int begin_process(void *ctx, const struct port *port, const char *const *args,
                         void **ret_node, struct gp_error *err)
{
    struct rig *rig = ctx;
    uint32_t index = (uint32_t)(args[1][0] - '0');

    (void)err;
    make_engine(rig, index, port, rig->addresses[index]);
    *ret_node = &rig->engines[index];
    return 0;
}

/* Of a process that was killed: nobody else frees it. */
static void end_process(void *ctx, void *node)
{
    struct engine **engine = node;

    (void)ctx;
    engine_free(*engine);
    *engine = NULL;
}

static void spawn(struct rig *rig, uint32_t i)
{
    const char number[] = {(char)('0' + i), '\0'};
    const char *const args[] = {"executor", number, NULL};

    (void)snprintf(rig->addresses[i], sizeof(rig->addresses[i]), "10.0.0.%u",
                   rig->same_host ? 1 : i + 1);
    if (i == 0 || !rig->same_host) {
        GP_REQUIRE_EQ(sim_host_add(rig->sim, rig->addresses[i], &rig->sim_hosts[i]), 0);
    } else {
        rig->sim_hosts[i] = rig->sim_hosts[0];
    }
    GP_REQUIRE_EQ(sim_spawn(rig->sim_hosts[i], args, &rig->procs[i]), 0);
}

uint32_t rig_add_executor(struct rig *rig)
{
    GP_REQUIRE(rig->executors < RIG_EXECUTORS_MAX);
    rig->hosts[rig->executors] = (struct placement_host){
        .executor = rig->executors + 1, .lanes = rig->lanes, .blocking = rig->blocking};
    spawn(rig, rig->executors);
    return rig->executors++;
}

bool rig_run_simulated(struct rig *rig, uint64_t seed)
{
    const struct sim_options options = {.seed = seed,
                                        .start = begin_process,
                                        .stop = end_process,
                                        .ctx = rig,
                                        .time_max_ns = SIM_LIMIT_NS,
                                        .event_max = 200000000,
                                        .on_line = getenv("RIG_VERBOSE") ? print_line : NULL,
                                        .log_level = LOG_LEVEL_INFO,
                                        .json_parse = edge_json_parse};
    bool done;

    make_plan(rig);
    GP_REQUIRE_EQ(sim_new(&options, &rig->sim), 0);
    strcpy(rig->folder, "/run");
    for (uint32_t i = 0; i < rig->executors; i++) {
        spawn(rig, i);
    }
    done = run_job(rig, rig->sim, pass_simulated);
    if (rig->before_stop) {
        rig->before_stop(rig);
    }
    stop_job(rig, rig->sim, pass_simulated);
    free_job(rig);
    for (uint32_t i = 0; i < rig->executors; i++) {
        struct proc_exit how;

        if (sim_proc_ended(rig->procs[i], &how) < 0) {
            sim_exit(sim_proc_port(rig->procs[i]), 0);
        }
    }
    (void)sim_run_for(rig->sim, INT64_C(2000000000), NULL);
    GP_CHECK_EQ(sim_leaks(rig->sim), 0);
    sim_free(rig->sim);
    return done;
}

struct real {
    struct edge_world *world;
    struct timer *watchdog;
    bool expired;
};

static void on_expired(void *user)
{
    ((struct real *)user)->expired = true;
}

static bool pass_real(struct rig *rig, void *world, const uint32_t *what, uint32_t until)
{
    struct real *real = world;
    struct wait w = {rig, what, until};

    timer_start(real->watchdog, INT64_C(40000000000));
    while (!is_over(&w) && !real->expired) {
        edge_step(real->world, true);
    }
    timer_stop(real->watchdog);
    return !real->expired;
}

bool rig_run_real(struct rig *rig)
{
    struct real real = {0};
    struct gp_error err = {0};
    bool done;

    make_plan(rig);
    strcpy(rig->folder, "/tmp/gp-data-XXXXXX");
    GP_REQUIRE(mkdtemp(rig->folder) != NULL);
    GP_REQUIRE_EQ(edge_world_new(NULL, &real.world, &err), 0);
    GP_REQUIRE_EQ(timer_new(edge_port(real.world)->loop, on_expired, &real, &real.watchdog), 0);
    for (uint32_t i = 0; i < rig->executors; i++) {
        (void)snprintf(rig->addresses[i], sizeof(rig->addresses[i]), "host-%u", i);
        make_engine(rig, i, edge_port(real.world), "127.0.0.1");
    }
    done = run_job(rig, &real, pass_real);
    stop_job(rig, &real, pass_real);
    free_job(rig);
    timer_free(real.watchdog);
    GP_CHECK_EQ(
        edge_port(real.world)->fs->remove_tree(edge_port(real.world)->world, rig->folder, NULL), 0);
    edge_world_free(real.world);
    return done;
}

void rig_wake_all(struct rig *rig)
{
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < rig->executors * rig->lanes; i++) {
            lane_wake(rig_lane(rig, i / rig->lanes, i % rig->lanes), SLEEP_DATA);
        }
        GP_CHECK_EQ(sim_run_for(rig->sim, INT64_C(100000000), NULL), 0);
    }
}

struct lane *rig_lane(const struct rig *rig, uint32_t executor, uint32_t lane)
{
    return (struct lane *)(uintptr_t)engine_lane(rig->engines[executor], lane);
}

uint64_t rig_from_env(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : fallback;
}
