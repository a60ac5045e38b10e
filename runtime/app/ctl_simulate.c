/*
 * ctl_simulate.c: gpctl simulate: a job on a simulated cluster with faults, and what came of it.
 *
 * The simulation is a child (simulation_child.h). For people its records are printed as they come,
 * then a verdict; with -o json all of it is one object at the end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl.h"
#include "app/simulation_child.h"
#include "app/table.h"
#include "app/text.h"
#include "app/tree.h"
#include "base/str.h"
#include "base/units.h"
#include "sim/fault_plan.h"

#define MS_NS            INT64_C(1000000)
#define SECOND           (1000 * MS_NS)
#define WORKERS          3u
#define WORKERS_MAX_HERE 100u
#define SLOTS            100u
#define LANES_MAX        64u
#define DURATION_NS      (10 * SECOND)
#define DURATION_MAX_NS  (3600 * SECOND)
#define FAULT_EACH_NS    (2 * SECOND) /* of the duration, when nothing is said */
#define FAULTS           "kill,partition,disk,slow"

struct simulate {
    struct ctl *ctl;
    struct job job;
    struct simulation_options options;
    struct value *timeline; /* for -o json */
    struct value *result;
    struct gp_error err;
};

/* ---- flags ---- */

static int read_faults(struct simulate *s, const struct options *options)
{
    const char *text = options_text(options, "faults");
    gp_str rest = gp_str_of(text ? text : FAULTS);
    gp_str name;

    while (rest.len > 0) {
        uint32_t kinds;

        (void)str_cut(rest, ',', &name, &rest);
        kinds = fault_kinds_named(name);
        if (kinds == 0 && !str_eq(name, GP_STR("none"))) {
            return gp_error_set(&s->err, GP_EINVAL,
                                "--faults %.*s: kill, pause, partition, disk, slow, clock, all or "
                                "none are needed",
                                STR_ARG(name));
        }
        s->options.faults |= kinds;
    }
    return 0;
}

static int read_u32(const struct options *options, const char *name, uint64_t min, uint64_t max,
                    uint64_t fallback, uint32_t *ret, struct gp_error *err)
{
    uint64_t number;
    int rc = options_u64(options, name, min, max, fallback, &number, err);

    if (rc == 0) {
        *ret = (uint32_t)number;
    }
    return rc;
}

static int read_duration(struct simulate *s, const struct options *options)
{
    int rc = options_duration(options, "duration", DURATION_NS, &s->options.duration_ns, &s->err);

    if (rc == 0 && (s->options.duration_ns < MS_NS || s->options.duration_ns > DURATION_MAX_NS)) {
        rc = gp_error_set(&s->err, GP_EINVAL, "--duration %s: 1ms to 1h are possible",
                          options_text(options, "duration"));
    }
    return rc;
}

static int read_flags(struct simulate *s, const struct options *options)
{
    struct simulation_options *o = &s->options;
    uint64_t usual;
    int rc = options_u64(options, "seed", 0, UINT64_MAX, 1, &o->seed, &s->err);

    o->is_verbose = options_has(options, "verbose");
    o->path = options->operands[0];
    o->slots = SLOTS;
    rc = rc < 0 ? rc : read_duration(s, options);
    rc = rc < 0 ? rc : read_faults(s, options);
    if (rc == 0) {
        rc = read_u32(options, "workers", 1, WORKERS_MAX_HERE, WORKERS, &o->workers, &s->err);
    }
    if (rc == 0) {
        rc = read_u32(options, "masters", 1, SIMULATION_MASTERS_MAX, SIMULATION_MASTERS,
                      &o->masters, &s->err);
    }
    if (rc == 0) {
        rc = read_u32(options, "lanes", 1, LANES_MAX, 2, &o->lanes, &s->err);
    }
    if (rc == 0) {
        usual = (uint64_t)(o->duration_ns / FAULT_EACH_NS);
        usual = usual < 1 ? 1 : usual > FAULTS_MAX ? FAULTS_MAX : usual;
        rc = read_u32(options, "fault-count", 0, FAULTS_MAX, usual, &o->fault_count, &s->err);
    }
    return rc;
}

/* ---- what comes from the child ---- */

static void print_record(const struct value *record)
{
    int64_t us = tree_i64_of(record, "time_ns") / 1000;
    gp_str kind = tree_text_of(record, "kind");

    (void)printf("%4" PRId64 ".%06" PRId64 "  %-8.*s", us / 1000000, us % 1000000, STR_ARG(kind));
    text_print(stdout, tree_text_of(record, "text"));
    (void)fputc('\n', stdout);
}

static void on_record(void *user, const struct value *record)
{
    struct simulate *s = user;
    const struct value *result = value_get(record, GP_STR("result"));

    if (result) {
        value_free(s->result);
        s->result = value_dup(result);
    } else if (s->ctl->json) {
        tree_push_take(&s->timeline, value_dup(record));
    } else {
        print_record(record);
        (void)fflush(stdout);
    }
}

/* ---- the verdict ---- */

static bool is_good(const struct simulation_end *end)
{
    return end->has_result && end->how.exit_code == EXIT_STATUS_OK;
}

/* What is to be said of a child that did not get as far as a result; "" when it did. */
static void say_end(const struct simulation_end *end, char *text, size_t cap)
{
    char crash[CRASH_TEXT_MAX] = "";

    text[0] = '\0';
    if (end->has_result) {
        return;
    }
    if (end->crash.found) {
        crash_text(&end->crash, crash, sizeof crash);
    }
    if (end->how.is_stuck) {
        (void)str_format(text, cap, "user code does not return%s%s", crash[0] ? ": " : "", crash);
    } else if (end->how.signal != 0) {
        (void)str_format(text, cap, "it crashed: %s%s",
                         crash[0] ? crash : strsignal(end->how.signal),
                         end->crash.function[0] ? "" : ", outside of user code");
    } else {
        (void)str_format(text, cap, "the process ended by itself, with exit code %d",
                         end->how.exit_code);
    }
}

static const char *verdict_of(const struct simulation_end *end)
{
    return end->how.is_stuck ? "stuck" : end->how.signal != 0 ? "crashed" : "exited";
}

static struct value *whole_tree(struct simulate *s, const struct simulation_end *end)
{
    char text[CRASH_TEXT_MAX + 64];
    struct tree t;

    say_end(end, text, sizeof text);
    if (!end->has_result) {
        tree_begin(&t);
        tree_text(&t, "verdict", verdict_of(end));
        tree_text(&t, "reason", text);
        tree_u64(&t, "seed", s->options.seed);
        tree_i64(&t, "signal", end->how.signal);
        tree_text(&t, "plugin", end->crash.plugin);
        tree_text(&t, "processor", end->crash.processor);
        tree_text(&t, "function", end->crash.function);
        s->result = tree_end(&t);
    }
    if (s->result && value_set_take(s->result, GP_STR("timeline"), s->timeline) < 0) {
        value_free(s->result);
        s->result = NULL;
    }
    s->timeline = NULL;
    return s->result;
}

static int print_processors(const struct value *job)
{
    static const struct table_column columns[] = {
        {"PROCESSOR", TABLE_LEFT}, {"TASKS", TABLE_RIGHT}, {"RUN", TABLE_RIGHT},
        {"ENDED", TABLE_RIGHT},    {"IN", TABLE_RIGHT},    {"OUT", TABLE_RIGHT},
        {"REJECTED", TABLE_RIGHT}, {"LATE", TABLE_RIGHT},
    };
    static const char *const numbers[] = {"parallelism", "running",  "ended", "in",
                                          "out",         "rejected", "late"};
    const struct value *list = value_get(job, GP_STR("processors"));
    struct table t;
    int rc;

    if (!list || value_count(list) == 0) {
        return 0;
    }
    table_init(&t, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *p = value_at(list, i);

        table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "name")));
        for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
            table_cell(&t, "%" PRId64, tree_i64_of(p, numbers[k]));
        }
    }
    (void)fputc('\n', stdout);
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    return rc;
}

/* What went wrong, what was done about it, and how long that took. */
static void print_events(const struct value *result)
{
    const struct value *events = value_get(result, GP_STR("events"));

    for (size_t i = 0; events && i < value_count(events); i++) {
        const struct value *e = value_at(events, i);
        int64_t took_ms = tree_i64_of(e, "took_ms");

        (void)fputs(i == 0 ? "\nrecovered   " : "            ", stdout);
        text_print(stdout, tree_text_of(e, "text"));
        if (took_ms >= 0) {
            (void)printf(" (%" PRId64 " ms)", took_ms);
        }
        (void)fputc('\n', stdout);
    }
}

static void print_faults(const struct value *faults)
{
    (void)fputs("faults      ", stdout);
    for (size_t i = 0; i < value_count(faults); i++) {
        (void)printf("%s%" PRId64 " %.*s", i > 0 ? ", " : "", value_as_i64(value_at(faults, i)),
                     STR_ARG(value_name_at(faults, i)));
    }
    (void)puts(value_count(faults) == 0 ? "none" : "");
}

static int print_result(const struct simulate *s)
{
    const struct value *r = s->result;
    const struct value *job = value_get(r, GP_STR("job"));
    const struct value *at_least;
    char time[UNITS_TEXT_MAX];
    gp_str reason = tree_text_of(r, "reason");

    (void)printf("\nverdict     %.*s", STR_ARG(tree_text_of(r, "verdict")));
    if (reason.len > 0) {
        (void)fputs(": ", stdout);
        text_print(stdout, reason);
    }
    (void)fputc('\n', stdout);
    print_faults(value_get(r, GP_STR("faults")));
    at_least = value_get(r, GP_STR("lost_at_least"));
    (void)printf("lost        %s%" PRId64 " messages\n",
                 at_least && value_as_bool(at_least) ? "at least " : "", tree_i64_of(r, "lost"));
    (void)printf("restarts    %" PRId64 "\n", tree_i64_of(r, "restarts"));
    (void)printf("simulated   %s, %" PRId64 " steps\n",
                 units_duration(tree_i64_of(r, "simulated_ns"), time), tree_i64_of(r, "steps"));
    (void)printf("trace       %.*s (seed %" PRId64 ")\n", STR_ARG(tree_text_of(r, "trace")),
                 tree_i64_of(r, "seed"));
    print_events(r);
    return print_processors(job);
}

/* ---- the command ---- */

static int say(struct simulate *s, const struct simulation_end *end)
{
    char text[CRASH_TEXT_MAX + 64];

    if (s->ctl->json) {
        int status = ctl_print_take(s->ctl, whole_tree(s, end));

        s->result = NULL;
        return is_good(end) ? status : EXIT_STATUS_JOB_FAILED;
    }
    if (end->has_result) {
        return print_result(s) < 0 ? EXIT_STATUS_FAILED
               : is_good(end)      ? EXIT_STATUS_OK
                                   : EXIT_STATUS_JOB_FAILED;
    }
    say_end(end, text, sizeof text);
    (void)gp_error_set(&s->err, GP_EJOB, "%s", text);
    gp_error_hint(&s->err, "the same seed does the same: --seed %" PRIu64, s->options.seed);
    (void)fflush(stdout);
    return ctl_fail(s->ctl, &s->err, "simulating %s came to no end", s->options.path);
}

int ctl_simulate(const struct command_spec *spec, const struct options *options, void *context)
{
    struct simulate s = {.ctl = context};
    struct simulation_end end;
    int rc = read_flags(&s, options);

    (void)spec;
    if (rc == 0) {
        rc = job_init(&s.job, options, &s.err);
    }
    if (rc == 0) {
        s.options.job = &s.job;
        s.timeline = value_new_list();
        rc = simulation_child_run(&s.options, on_record, &s, &end, &s.err);
    }
    rc = rc < 0 ? ctl_fail(s.ctl, &s.err, "cannot simulate %s", options->operands[0])
                : say(&s, &end);
    value_free(s.timeline);
    value_free(s.result);
    job_deinit(&s.job);
    return rc;
}
