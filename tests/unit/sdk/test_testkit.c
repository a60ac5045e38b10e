/*
 * The testkit against processors that do one thing each.
 */
#include <pthread.h>

#include "probe.h"

__attribute__((format(printf, 1, 2))) static void saw(const char *format, ...)
{
    size_t len = strlen(probe.seen);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(probe.seen + len, sizeof probe.seen - len, format, args);
    va_end(args);
}

static int32_t echo(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                    struct gp_out *out)
{
    (void)self;
    probe.calls++;
    saw("p:%u ", port);
    GP_EACH (row, in, consumed, out) {
        probe.rows++;
        probe.late += (row->flags & GP_ROW_LATE) != 0;
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t see_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns, struct gp_out *out)
{
    (void)self, (void)clock, (void)at_ns, (void)out;
    saw("t:%u ", (unsigned)id);
    return GP_OK;
}

static int32_t see_watermark(void *self, int64_t time_ns, struct gp_out *out)
{
    (void)self, (void)out;
    saw(time_ns == GP_TIME_MAX ? "w:max " : "w:%d ", (int)time_ns);
    return GP_OK;
}

static int32_t see_end(void *self, struct gp_out *out)
{
    (void)self, (void)out;
    saw("e ");
    return GP_OK;
}

static const struct gp_processor echo_table = {PROBE, .process = echo, .on_timer = see_timer,
                                               .on_watermark = see_watermark, .on_end = see_end};

static int32_t never_there(void *self, struct gp_snapshot *snapshot)
{
    (void)self, (void)snapshot;
    GP_TEST_FAIL("a field beyond the size of its struct was used");
    return GP_OK;
}

GP_TEST(testkit, refuses_what_is_no_table)
{
    const struct gp_processor nothing = {PROBE};
    const struct gp_processor partitioner = {.size = sizeof partitioner,
                                             .kind = GP_KIND_PARTITIONER,
                                             .open = probe_open,
                                             .process = echo};

    GP_CHECK(gp_kit_new(NULL, 0, 1) == NULL);
    GP_CHECK(gp_kit_new(&nothing, 0, 1) == NULL);
    GP_CHECK(gp_kit_new(&partitioner, 0, 1) == NULL);
    GP_CHECK(gp_kit_new(&echo_table, 1, 1) == NULL);
}

/* Readers look at no field beyond the size that whoever filled the struct gave. */
GP_TEST(testkit, takes_a_shorter_table_for_what_it_holds)
{
    struct gp_processor older = {PROBE, .process = echo, .snapshot = never_there};
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit;

    older.size = offsetof(struct gp_processor, snapshot);
    kit = opened(&older);
    GP_CHECK_EQ(gp_kit_snapshot(kit, state), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "");
    gp_kit_free(kit);
    older.size = 24;
    GP_CHECK(gp_kit_new(&older, 0, 1) == NULL);
    gp_kit_state_free(state);
}

GP_TEST(testkit, delivers_rows_in_order_with_keys_and_bytes)
{
    struct gp_kit *kit = opened(&echo_table);

    GP_CHECK_EQ(gp_kit_push(kit, 0, "a", "1", 5), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "2", 6), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, "", "", 7), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 1, "x", "no such port", 0), GP_FAIL);
    GP_CHECK_EQ(gp_kit_waiting(kit), 3);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_waiting(kit), 0);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 3);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, "a", "1"));
    GP_CHECK(gp_kit_row_is(kit, 0, 1, NULL, "2"));
    GP_CHECK(gp_kit_row_is(kit, 0, 2, "", ""));
    GP_CHECK(!gp_kit_row_is(kit, 0, 2, NULL, ""));
    GP_CHECK_EQ(gp_kit_row(kit, 0, 1)->time_ns, 6);
    GP_CHECK(gp_kit_row(kit, 0, 0)->key_hash == gp_kit_hash("a", 1));
    GP_CHECK(gp_kit_row(kit, 0, 3) == NULL);
    gp_kit_free(kit);
}

GP_TEST(testkit, gives_batches_of_one_port_and_at_most_the_size_asked_for)
{
    struct gp_kit *kit = gp_kit_new(&echo_table, 0, 1);

    gp_kit_set_ports(kit, 2, 1);
    gp_kit_set_batch(kit, 2);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    for (uint32_t i = 0; i < 5; i++) {
        GP_CHECK_EQ(gp_kit_push(kit, i < 3 ? 0 : 1, NULL, "v", 0), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_STR_EQ(probe.seen, "p:0 p:0 p:1 ");
    gp_kit_free(kit);
}

GP_TEST(testkit, ends_with_the_last_watermark_then_on_end_then_close)
{
    struct gp_kit *kit = opened(&echo_table);

    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "v", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "after the end", 0), GP_FAIL);
    GP_CHECK(!gp_kit_ended(kit));
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK(gp_kit_ended(kit));
    gp_kit_close(kit);
    GP_CHECK_STR_EQ(probe.seen, "p:0 w:max e ");
    GP_CHECK_EQ(probe.closed_ended, 1);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "");
    GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    gp_kit_free(kit);
    GP_CHECK_EQ(probe.closed, 1);
}

GP_TEST(testkit, stops_at_full_outputs_and_goes_on_after_clear)
{
    struct gp_kit *kit = opened(&echo_table);

    gp_kit_set_credit(kit, 2);
    for (uint32_t i = 0; i < 5; i++) {
        GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "v", 0), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    GP_CHECK_EQ(gp_kit_waiting(kit), 3);
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
    GP_CHECK(gp_kit_ended(kit));
    gp_kit_free(kit);
}

GP_TEST(testkit, marks_rows_behind_the_watermark_as_late)
{
    struct gp_kit *kit = opened(&echo_table);

    (void)gp_kit_push(kit, 0, NULL, "early", 1);
    (void)gp_kit_watermark(kit, 10);
    (void)gp_kit_watermark(kit, 5); /* goes back: ignored */
    (void)gp_kit_push(kit, 0, NULL, "late", 9);
    (void)gp_kit_push(kit, 0, NULL, "in time", 10);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_STR_EQ(probe.seen, "p:0 w:10 p:0 ");
    GP_CHECK_EQ(probe.late, 1);
    GP_CHECK_EQ(gp_kit_out_watermark(kit), 10);
    gp_kit_free(kit);
}

GP_TEST(testkit, fires_timers_by_time_and_then_by_id)
{
    struct gp_kit *kit = opened(&echo_table);
    int64_t now_ns = gp_kit_now_ns(kit);
    int64_t next_ns = 0;

    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 3, now_ns + 10), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 2, now_ns + 20), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 1, now_ns + 20), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 4, now_ns + 15), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 4, now_ns + 40), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 5, now_ns + 5), GP_OK);
    gp_timer_cancel(probe.task, GP_TIMER_PROCESSING, 5);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_STR_EQ(probe.seen, "");
    gp_kit_advance(kit, 20);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_STR_EQ(probe.seen, "t:3 t:1 t:2 ");
    GP_CHECK_EQ(gp_kit_timers(kit, GP_TIMER_PROCESSING, &next_ns), 1);
    GP_CHECK_EQ(next_ns, now_ns + 40);
    gp_kit_free(kit);
}

GP_TEST(testkit, fires_event_timers_before_the_watermark_that_reaches_them)
{
    struct gp_kit *kit = opened(&echo_table);

    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_EVENT, 7, 100), GP_OK);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_EVENT, 8, 101), GP_OK);
    gp_kit_advance(kit, 1000000);
    (void)gp_kit_watermark(kit, 99);
    (void)gp_kit_watermark(kit, 100);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_STR_EQ(probe.seen, "w:99 t:7 w:100 ");
    gp_kit_free(kit);
}

/* Answers that steer. */

static int32_t wait_for_token(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    if (probe.calls++ % 2 == 0) {
        probe.waker = probe.task->io->waker(probe.task);
        return GP_AGAIN;
    }
    *consumed = in->count;
    return GP_OK;
}

static const struct gp_processor waiting_table = {PROBE, .process = wait_for_token,
                                                  .on_timer = see_timer};

static void *wake_from_elsewhere(void *unused)
{
    (void)unused;
    probe.task->io->wake(probe.waker);
    return NULL;
}

GP_TEST(testkit, leaves_a_waiting_task_alone_until_it_is_woken)
{
    struct gp_kit *kit = opened(&waiting_table);
    pthread_t thread;

    (void)gp_kit_push(kit, 0, NULL, "v", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    GP_CHECK_EQ(probe.calls, 1);
    GP_REQUIRE_EQ(pthread_create(&thread, NULL, wake_from_elsewhere, NULL), 0);
    GP_REQUIRE_EQ(pthread_join(thread, NULL), 0);
    GP_CHECK_EQ(gp_kit_wakes(kit), 1);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(probe.calls, 2);
    gp_kit_free(kit);
}

GP_TEST(testkit, wakes_a_waiting_task_by_its_fd_or_a_timer)
{
    struct gp_kit *kit = opened(&waiting_table);
    uint32_t events = 0;

    GP_CHECK_EQ(gp_kit_watched(kit, NULL), -1);
    GP_CHECK_EQ(probe.task->io->watch_fd(probe.task, 5, GP_READABLE), GP_OK);
    GP_CHECK_EQ(gp_kit_watched(kit, &events), 5);
    GP_CHECK_EQ(events, GP_READABLE);
    (void)gp_kit_push(kit, 0, NULL, "v", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    gp_kit_ready(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(probe.task->io->watch_fd(probe.task, 5, 0), GP_OK);
    GP_CHECK_EQ(gp_kit_watched(kit, NULL), -1);

    (void)gp_kit_push(kit, 0, NULL, "v", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    GP_CHECK_EQ(gp_timer_set(probe.task, GP_TIMER_PROCESSING, 1, gp_kit_now_ns(kit) + 1), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    gp_kit_advance(kit, 1);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_waiting(kit), 0);
    gp_kit_free(kit);
}

static int32_t reject_bad(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                          struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        if (row->value_len == 0) {
            return gp_reject(probe.task, "it is empty");
        }
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

GP_TEST(testkit, keeps_rejected_rows_and_goes_on_behind_them)
{
    const struct gp_processor table = {PROBE, .process = reject_bad};
    struct gp_kit *kit = opened(&table);

    (void)gp_kit_push(kit, 0, NULL, "1", 0);
    (void)gp_kit_push(kit, 0, "bad", "", 0);
    (void)gp_kit_push(kit, 0, NULL, "2", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    GP_CHECK_EQ(gp_kit_rejects(kit), 1);
    GP_REQUIRE(gp_kit_reject(kit, 0) != NULL);
    GP_CHECK_MEM_EQ(gp_kit_reject(kit, 0)->key, "bad", 3);
    GP_CHECK_STR_EQ(gp_kit_reject_reason(kit, 0), "it is empty");
    GP_CHECK(gp_kit_reject(kit, 1) == NULL);
    gp_kit_free(kit);
}

static int32_t yield_twice(void *self, int64_t time_ns, struct gp_out *out)
{
    (void)self;
    if (++probe.calls < 3) {
        return GP_YIELD;
    }
    return gp_emit(out, time_ns, "done", 4);
}

static int32_t end_by_rows(void *self, struct gp_out *out)
{
    (void)self;
    while (probe.rows < 5 && !gp_out_full(out)) {
        if (gp_emit(out, 0, "row", 3) != GP_OK) {
            return GP_FAIL;
        }
        probe.rows++;
    }
    return probe.rows < 5 ? GP_YIELD : GP_OK;
}

GP_TEST(testkit, calls_again_who_yields_before_time_moves_on)
{
    const struct gp_processor table = {PROBE, .process = echo, .on_watermark = yield_twice,
                                       .on_end = end_by_rows};
    struct gp_kit *kit = opened(&table);

    (void)gp_kit_watermark(kit, 42);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(probe.calls, 3);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "done"));
    GP_CHECK_EQ(gp_kit_out_watermark(kit), 42);
    gp_kit_clear(kit);
    gp_kit_set_credit(kit, 4);
    (void)gp_kit_end(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD); /* the last watermark and three rows */
    GP_CHECK_EQ(probe.rows, 3);
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(probe.rows, 5);
    gp_kit_free(kit);
}

static int32_t build_in_place(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct gp_msg msg = {.size = sizeof msg, .flags = GP_MSG_KEYED, .key = "key", .key_len = 3};
    char *value = out->reserve(out, 0, &msg, 10);

    (void)self, (void)port;
    *consumed = in->count;
    memcpy(value, "in place", 8);
    return out->commit(out, 8);
}

GP_TEST(testkit, keeps_what_was_built_in_place_cut_to_its_length)
{
    const struct gp_processor table = {PROBE, .process = build_in_place};
    struct gp_kit *kit = opened(&table);

    (void)gp_kit_push(kit, 0, NULL, "v", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, "key", "in place"));
    gp_kit_free(kit);
}

/* Sources. */

static int32_t count_to_three(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self;
    for (uint32_t i = 0; i < budget && probe.rows < 3 && !gp_out_full(out); i++) {
        if (gp_emit(out, probe.rows++, "tick", 4) != GP_OK) {
            return GP_FAIL;
        }
    }
    return probe.rows < 3 ? GP_MORE : GP_END;
}

GP_TEST(testkit, polls_a_source_until_it_ends)
{
    const struct gp_processor table = {PROBE, .poll = count_to_three};
    struct gp_kit *kit = opened(&table);

    gp_kit_set_credit(kit, 2);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "to a source", 0), GP_FAIL);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_MORE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_YIELD);
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_END);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_FAIL);
    gp_kit_free(kit);
    GP_CHECK_EQ(probe.closed_ended, 1);
}

/* Services. */

static int32_t send_on(void *self, const struct gp_row *row, struct gp_out *out)
{
    struct gp_msg msg = {.size = sizeof msg, .value = row->value, .value_len = row->value_len};

    (void)self, (void)out;
    probe.calls++;
    gp_count(probe.task, "received", 2);
    gp_logf(probe.task, GP_LOG_WARN, "got %u bytes", row->value_len);
    return gp_send(probe.task, GP_STR("peer"), 3, &msg) == GP_OK ? GP_OK
                                                                 : gp_reject(probe.task, "busy");
}

GP_TEST(testkit, keeps_messages_counts_and_logs)
{
    const struct gp_processor table = {PROBE, .process = echo, .on_message = send_on};
    struct gp_kit *kit = opened(&table);
    struct gp_msg msg = {.size = sizeof msg, .value = "hello", .value_len = 5};
    const char *processor = NULL;
    uint32_t index = 0;
    int32_t level = -1;

    GP_CHECK_EQ(gp_kit_message(kit, &msg), GP_OK);
    GP_REQUIRE(gp_kit_sent(kit, 0, &processor, &index) != NULL);
    GP_CHECK_MEM_EQ(gp_kit_sent(kit, 0, NULL, NULL)->value, "hello", 5);
    GP_CHECK_STR_EQ(processor, "peer");
    GP_CHECK_EQ(index, 3);
    gp_kit_set_send(kit, GP_AGAIN);
    GP_CHECK_EQ(gp_kit_message(kit, &msg), GP_REJECT);
    GP_CHECK_EQ(gp_kit_sends(kit), 1);
    GP_CHECK_EQ(gp_kit_counter(kit, "received"), 4);
    GP_CHECK_EQ(gp_kit_counter(kit, "unheard"), 0);
    GP_CHECK_EQ(gp_kit_logs(kit), 2);
    GP_CHECK_STR_EQ(gp_kit_log(kit, 0, &level), "got 5 bytes");
    GP_CHECK_EQ(level, GP_LOG_WARN);
    GP_CHECK(gp_kit_log(kit, 2, NULL) == NULL);
    gp_kit_free(kit);
}

static int32_t open_by_config(const struct gp_task *task, void **ret_self)
{
    uint64_t n = 0;

    *ret_self = NULL;
    if (gp_config_u64(task->config, "n", 7, &n) != GP_OK) {
        return gp_fail(task, "n must be a number");
    }
    gp_count(task, "n", (int64_t)n);
    GP_CHECK(task->host->service(task->host, GP_SERVICE_TASK) == task->service);
    GP_CHECK(task->host->service(task->host, "gp.unheard/1") == NULL);
    return GP_OK;
}

GP_TEST(testkit, hands_over_parameters)
{
    static const struct gp_processor table = {.size = sizeof table,
                                              .kind = GP_KIND_PROCESSOR,
                                              .type = "config",
                                              .open = open_by_config,
                                              .process = echo};
    const struct {
        const char *value;
        int64_t n; /* -1: refused */
    } cases[] = {{NULL, 7},  {"0", 0},   {"9223372036854775807", INT64_MAX}, {"", -1},
                 {"-1", -1}, {"1k", -1}, {"10000000000000000000", -1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gp_kit *kit = gp_kit_new(&table, 0, 1);
        if (cases[i].value) {
            GP_CHECK_EQ(gp_kit_set(kit, "n", "overwritten"), GP_OK);
            GP_CHECK_EQ(gp_kit_set(kit, "n", cases[i].value), GP_OK);
        }
        if (cases[i].n == -1) {
            GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
            GP_CHECK_STR_EQ(gp_kit_failure(kit), "n must be a number");
        } else {
            GP_CHECK_EQ(gp_kit_open(kit), GP_OK);
            GP_CHECK_EQ(gp_kit_counter(kit, "n"), cases[i].n);
        }
        gp_kit_free(kit);
    }
}

static int32_t see_ready(void *self, struct gp_out *out)
{
    (void)self;
    saw("r ");
    return gp_emit(out, 1, "ready", 5);
}

/* The end waits until it was told twice. */
static int32_t wait_at_end(void *self, struct gp_out *out)
{
    (void)self, (void)out;
    saw("e ");
    return ++probe.calls < 3 ? GP_AGAIN : GP_OK;
}

static const struct gp_processor ready_table = {PROBE, .process = echo, .on_ready = see_ready,
                                                .on_end = wait_at_end};

GP_TEST(testkit, a_processor_that_waits_is_told_and_may_wait_at_the_end)
{
    struct gp_kit *kit = opened(&ready_table);

    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    gp_kit_ready(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "ready"));
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    gp_kit_ready(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    gp_kit_ready(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK(gp_kit_ended(kit));
    GP_CHECK_STR_EQ(probe.seen, "r e r e r e ");
    gp_kit_free(kit);
}

/* ---- a host that is older than the headers ---- */

static struct gp_msg emitted;

static int32_t keep_msg(struct gp_out *out, uint32_t port, const struct gp_msg *msg)
{
    (void)out;
    emitted = *msg;
    return port == 3 ? GP_OK : GP_FAIL;
}

/* Its gp_out ends before emit_row, which must not be looked at. */
GP_TEST(testkit, a_row_is_passed_on_as_a_message_to_an_older_host)
{
    const struct gp_row row = {.time_ns = 7,
                               .key_hash = 99,
                               .key = "key",
                               .value = "value",
                               .key_len = 3,
                               .value_len = 5,
                               .flags = GP_ROW_KEYED | GP_ROW_LATE,
                               .source = 2};
    struct gp_out out = {.size = offsetof(struct gp_out, emit_row), .emit = keep_msg};

    GP_CHECK_EQ(gp_emit_row(&out, 3, &row), GP_OK);
    GP_CHECK_EQ(emitted.size, sizeof emitted);
    GP_CHECK_EQ(emitted.flags, GP_MSG_KEYED | GP_MSG_HASHED);
    GP_CHECK_EQ(emitted.time_ns, 7);
    GP_CHECK_EQ(emitted.key_hash, 99);
    GP_CHECK(emitted.key == row.key && emitted.key_len == 3);
    GP_CHECK(emitted.value == row.value && emitted.value_len == 5);
}
