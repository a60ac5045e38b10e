/*
 * ctl_masters.c: gpctl masters: how each master is, and changing which there are.
 *
 * Fails when none answers: the error names each with its reason.
 */
#include <string.h>

#include "app/ctl.h"
#include "app/show.h"
#include "app/survey.h"
#include "app/table.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

#define CHANGE_TIMEOUT_NS INT64_C(30000000000)

static void on_done(void *user)
{
    *(bool *)user = true;
}

static int survey(struct survey *s, struct ctl *ctl, struct gp_error *err)
{
    bool is_done = false;
    int rc = survey_begin(s, ctl->client, (const char *const *)ctl->config.cluster.masters,
                          ctl->config.cluster.masters_count, on_done, &is_done, err);

    if (rc == 0 && ctl_run_until(ctl, &is_done) < 0) {
        rc = gp_error_set(err, GP_ECANCELED, "interrupted");
    }
    return rc < 0 ? rc : survey_judge(s, err);
}

/* ---- showing ---- */

static const struct table_column columns[] = {
    {"ADDRESS", TABLE_LEFT},    {"ROLE", TABLE_STATE},    {"TERM", TABLE_RIGHT},
    {"LAG", TABLE_RIGHT},       {"APPLIED", TABLE_RIGHT}, {"ELECTED", TABLE_RIGHT},
    {"APPLY P99", TABLE_RIGHT},
};

static const struct table_column address_column[] = {{NULL, TABLE_LEFT}};

/* What a person can do about it. */
static void say_who_waits(const struct ctl *ctl, const struct survey *s)
{
    bool has_leader = false;

    for (uint32_t i = 0; i < s->count; i++) {
        has_leader = has_leader || s->rows[i].role == MASTER_LEADER;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const struct survey_row *row = &s->rows[i];

        if (row->role == MASTER_WAITING && !row->is_other && has_leader) {
            ctl_say(ctl, "%s waits to be added: gpctl masters add %s", row->address, row->address);
        } else if (row->role == MASTER_WAITING && !row->is_other) {
            ctl_say(ctl, "%s waits for the others of cluster.masters", row->address);
        }
    }
}

static int print_table(const struct ctl *ctl, const struct survey *s)
{
    struct table table;
    int rc;

    table_init(&table, ctl->is_quiet ? address_column : columns,
               ctl->is_quiet ? 1 : ARRAY_LEN(columns));
    table_colours(&table, ctl->has_colours);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct survey_row *row = &s->rows[i];
        char duration[UNITS_TEXT_MAX];

        if (row->is_other) {
            continue;
        }
        table_cell(&table, "%s", row->address);
        if (ctl->is_quiet) {
            continue;
        }
        table_cell(&table, "%s", show_master_role(row->role));
        table_cell(&table, "%llu", (unsigned long long)row->term);
        table_cell(&table, "%llu", (unsigned long long)row->lag);
        table_cell(&table, "%llu", (unsigned long long)row->own.applied);
        table_cell(&table, "%llu", (unsigned long long)row->own.elections);
        table_cell(&table, "%s",
                   row->own.apply_count ? units_duration((int64_t)row->own.apply_p99_ns, duration)
                                        : "");
    }
    rc = table_print(&table, stdout, 0);
    table_deinit(&table);
    say_who_waits(ctl, s);
    return rc;
}

static int show_all(struct ctl *ctl)
{
    struct survey s = {0};
    struct gp_error err = {0};
    int rc = ctl_connect(ctl, &err);

    if (rc == 0) {
        rc = survey(&s, ctl, &err);
    }
    if (rc == 0 && ctl->json) {
        return ctl_print_take(ctl, survey_tree(&s));
    }
    if (rc == 0) {
        rc = print_table(ctl, &s);
        err.code = rc;
    }
    /* What is still being asked must not answer into this frame. */
    client_free(ctl->client);
    ctl->client = NULL;
    return rc < 0 ? ctl_fail(ctl, &err, "cannot list the masters") : EXIT_STATUS_OK;
}

/* ---- changing ---- */

static int check_change(const struct options *options, struct gp_error *err)
{
    const char *what = options->operands[0];
    gp_str host;
    uint32_t port;

    if (strcmp(what, "add") != 0 && strcmp(what, "remove") != 0) {
        return gp_error_set(err, GP_EINVAL, "'%s': add or remove is possible", what);
    }
    if (options_has(options, "watch")) {
        return gp_error_set(err, GP_EINVAL, "--watch is for showing the masters");
    }
    if (options->operand_count < 2) {
        return gp_error_set(err, GP_EINVAL, "%s: the address of a master is missing", what);
    }
    if (config_split_address(gp_str_of(options->operands[1]), &host, &port) < 0) {
        return gp_error_set(err, GP_EINVAL, "\"%s\" is not host:port", options->operands[1]);
    }
    return 0;
}

static int change(struct ctl *ctl, const struct options *options)
{
    const char *what = options->operands[0];
    const bool is_add = strcmp(what, "add") == 0;
    const char *address = options->operands[1];
    const struct msg_master_ref ref = {.address = (char *)(uintptr_t)address};
    struct gp_error err = {0};
    struct tree t;
    int rc = check_change(options, &err);

    if (rc < 0) {
        gp_error_hint(&err, "gpctl help masters");
        return ctl_fail(ctl, &err, "wrong usage of gpctl masters");
    }
    rc = ctl_connect(ctl, &err);
    if (rc == 0) {
        rc = ctl_ask_for(ctl, is_add ? MSG_MASTER_ADD : MSG_MASTER_REMOVE, &ref, CHANGE_TIMEOUT_NS,
                         NULL, NULL, &err);
    }
    if (rc < 0) {
        return ctl_fail(ctl, &err, "cannot %s master %s", what, address);
    }
    if (ctl->json) {
        tree_begin(&t);
        tree_text(&t, is_add ? "added" : "removed", address);
        return ctl_print_take(ctl, tree_end(&t));
    }
    (void)printf("%s master %s\n", is_add ? "added" : "removed", address);
    return EXIT_STATUS_OK;
}

int ctl_masters(const struct command_spec *spec, const struct options *options, void *context)
{
    (void)spec;
    return options->operand_count > 0 ? change(context, options) : show_all(context);
}
