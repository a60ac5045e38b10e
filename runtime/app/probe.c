/* probe.c: the side of a probe that listens; see probe.h. */
#include "app/probe.h"

#include <string.h>

#include "app/tree.h"
#include "base/str.h"
#include "control/worker/crash.h"
#include "edge/forked.h"
#include "edge/json.h"

#define STEP_MAX 96

struct probing {
    const struct probe_spec *spec;
    struct probe *probe;
    char step[STEP_MAX]; /* what was called last */
    bool is_done;
    struct crash crash;
};

/* ---- what it says ---- */

static int run(void *user, int records_fd, _Atomic uint64_t *counter)
{
    const struct probing *p = user;

    (void)counter; /* it has one deadline for all */
    return probe_child(p->spec, records_fd);
}

static void keep(struct value **place, struct value *v)
{
    value_free(*place);
    *place = v;
}

static void on_record(void *user, gp_str line)
{
    struct probing *p = user;
    struct value *record = NULL;
    const struct value *at;

    if (edge_json_parse(line, &record, NULL) < 0) {
        return; /* user code wrote to a descriptor that is not its own */
    }
    at = value_get(record, GP_STR("at"));
    if (at && value_kind(at) == VALUE_STR) {
        (void)str_format(p->step, sizeof p->step, "%.*s", STR_ARG(value_as_str(at)));
    } else if (value_get(record, GP_STR("finding"))) {
        tree_push_take(&p->probe->findings, value_steal(record, GP_STR("finding")));
    } else if (value_get(record, GP_STR("plugin"))) {
        keep(&p->probe->plugin, value_steal(record, GP_STR("plugin")));
    } else if (value_get(record, GP_STR("plan"))) {
        keep(&p->probe->plan, value_steal(record, GP_STR("plan")));
    } else if (value_get(record, GP_STR("parameters"))) {
        keep(&p->probe->parameters, value_steal(record, GP_STR("parameters")));
    }
    p->is_done = p->is_done || value_get(record, GP_STR("done")) != NULL;
    value_free(record);
}

static void on_word(void *user, gp_str line)
{
    struct probing *p = user;
    struct crash crash = {0};

    if (crash_parse(line, &crash)) {
        p->crash = crash;
    } else if (p->spec->on_word) {
        p->spec->on_word(p->spec->user, line);
    }
}

/* ---- how it ended ---- */

static void add_finding(struct probing *p, const char *what, const char *remedy)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "place", p->step);
    tree_text(&t, "what", what);
    tree_text(&t, "try", remedy);
    tree_push_take(&p->probe->findings, tree_end(&t));
}

/* It was lost on the way, or after it had said all. */
static void judge_end(struct probing *p, const struct edge_forked_end *end)
{
    char crash[CRASH_TEXT_MAX] = "";
    char text[CRASH_TEXT_MAX + 64];

    if (p->crash.found) {
        crash_text(&p->crash, crash, sizeof crash);
    }
    if (end->is_stuck) {
        (void)str_format(text, sizeof text, "it does not return within %d s%s%s", p->spec->seconds,
                         crash[0] ? ": " : "", crash);
        add_finding(p, text, "nothing may wait or loop there; --timeout gives it longer");
    } else if (end->signal != 0) {
        (void)str_format(text, sizeof text, "it crashes: %s",
                         crash[0] ? crash : strsignal(end->signal));
        add_finding(p, text, "gdb --args gpctl run APP.so");
    } else if (!p->is_done) {
        (void)str_format(text, sizeof text, "it ends the process, with exit code %d",
                         end->exit_code);
        add_finding(p, text, "a plugin answers GP_FAIL and never calls exit()");
    } else if (end->exit_code != 0) {
        (void)str_format(text, sizeof text, "as the process ends, its exit code becomes %d",
                         end->exit_code);
        add_finding(p, text, "look at its destructors and atexit()");
    }
}

int probe_run(const struct probe_spec *spec, struct probe *ret, struct gp_error *err)
{
    struct probe probe = {.findings = value_new_list()};
    struct probing p = {.spec = spec, .probe = &probe};
    const struct edge_forked forked = {.run = run,
                                       .on_record = on_record,
                                       .on_word = on_word,
                                       .user = &p,
                                       .stuck_s = spec->seconds,
                                       .is_contained = true};
    struct edge_forked_end end;
    int rc;

    (void)str_format(p.step, sizeof p.step, "load");
    rc = edge_forked_run(&forked, &end, err);
    if (rc == 0) {
        judge_end(&p, &end);
        rc = probe.findings ? 0 : gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    if (rc < 0) {
        probe_deinit(&probe);
        return rc;
    }
    *ret = probe;
    return 0;
}

void probe_deinit(struct probe *p)
{
    value_free(p->findings);
    value_free(p->plugin);
    value_free(p->plan);
    value_free(p->parameters);
    *p = (struct probe){0};
}
