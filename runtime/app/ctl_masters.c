/*
 * ctl_masters.c: gpctl masters: how each master is, and changing which there are.
 *
 *     every address of cluster.masters is asked ─▶ answers name others ─▶ those are asked too ─▶ shown
 *
 * Each is asked by itself, all at once, since only so one that cannot be reached shows as that. What
 * a master says of itself holds; how far it is behind, the leader knows best. One that leads in an
 * older term than another leads no more.
 *
 * Fails when none answers: the error names each with its reason.
 */
#include <string.h>

#include "app/ctl.h"
#include "app/show.h"
#include "app/table.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define ROWS_MAX          (2 * MSG_MASTERS_MAX) /* listed, and added since */
#define SURVEY_TIMEOUT_NS INT64_C(2000000000)
#define CHANGE_TIMEOUT_NS INT64_C(30000000000)

struct survey;

struct master_row {
    struct survey *survey;
    char address[MSG_ADDRESS_MAX + 1];
    bool answered;
    bool is_other; /* another row's address, said differently */
    uint32_t role; /* enum master_role */
    uint64_t term;
    uint64_t lag;
    bool leader_knows; /* the next two */
    uint64_t leader_term;
    uint64_t leader_lag;
    struct gp_error why; /* it did not answer */
};

struct survey {
    struct ctl *ctl;
    struct master_row rows[ROWS_MAX];
    uint32_t count;
    uint32_t waiting;
    bool is_done;
};

static struct master_row *row_find(struct survey *s, const char *address)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (strcmp(s->rows[i].address, address) == 0 && !s->rows[i].is_other) {
            return &s->rows[i];
        }
    }
    return NULL;
}

static void on_info(void *user, int code, const void *msg, const struct gp_error *err);

/* NULL: there are too many, or it cannot be asked; then it is not shown. */
static struct master_row *row_ask(struct survey *s, const char *address)
{
    struct master_row *row = row_find(s, address);

    if (row || s->count == ROWS_MAX) {
        return row;
    }
    row = &s->rows[s->count];
    *row = (struct master_row){.survey = s, .role = MASTER_UNREACHABLE};
    (void)str_format(row->address, sizeof row->address, "%s", address);
    if (client_ask_at(s->ctl->client, address, MSG_CLUSTER_INFO, NULL, SURVEY_TIMEOUT_NS, on_info,
                      row) < 0) {
        return NULL;
    }
    s->count++;
    s->waiting++;
    return row;
}

/* ---- answers ---- */

/* It may call itself otherwise than the configuration does. */
static void take_name(struct master_row *row, const char *address)
{
    if (*address && strcmp(address, row->address) != 0) {
        row->is_other = row_find(row->survey, address) != NULL;
        (void)str_format(row->address, sizeof row->address, "%s", address);
    }
}

static void take_info(struct master_row *row, const struct msg_cluster_info *info)
{
    struct survey *s = row->survey;

    row->answered = true;
    row->role = MASTER_FOLLOWER;
    take_name(row, info->address);
    for (uint32_t i = 0; i < info->masters_count; i++) {
        const struct msg_master_info *said = &info->masters[i];

        if (strcmp(said->address, row->address) == 0) {
            row->role = said->role;
            row->term = said->term;
            row->lag = said->lag;
        }
    }
    for (uint32_t i = 0; i < info->masters_count && !row->is_other; i++) {
        const struct msg_master_info *said = &info->masters[i];
        struct master_row *other = row_ask(s, said->address);

        if (other && row->role == MASTER_LEADER && row->term >= other->leader_term) {
            other->leader_knows = true;
            other->leader_term = row->term;
            other->leader_lag = said->lag;
        }
    }
}

static void on_info(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct master_row *row = user;
    struct survey *s = row->survey;

    if (code < 0) {
        row->why = *err;
    } else {
        take_info(row, msg);
    }
    s->waiting--;
    s->is_done = s->waiting == 0;
}

/* ---- what it comes to ---- */

/* None answered: why, of each. Another secret is worse than silence. */
static int all_silent(const struct survey *s, struct gp_error *err)
{
    char text[ERROR_TEXT_MAX];
    size_t len = 0;
    int code = GP_EUNREACH;

    if (s->count == 1) {
        *err = s->rows[0].why;
        return err->code;
    }
    for (uint32_t i = 0; i < s->count && len < sizeof text; i++) {
        const struct master_row *row = &s->rows[i];
        const bool is_named = str_starts_with(gp_str_of(row->why.text), gp_str_of(row->address));
        int n = str_format(text + len, sizeof text - len, "%s%s%s%s", i > 0 ? "; " : "",
                           is_named ? "" : row->address, is_named ? "" : ": ", row->why.text);

        len = n < 0 ? sizeof text : len + (size_t)n;
        code = row->why.code == GP_EACCES ? GP_EACCES : code;
    }
    return gp_error_set(err, code, "none of %u answers: %s", s->count, text);
}

static int judge(struct survey *s, struct gp_error *err)
{
    uint64_t term = 0;
    bool any = false;

    for (uint32_t i = 0; i < s->count; i++) {
        const struct master_row *row = &s->rows[i];

        any = any || row->answered;
        if (row->answered && row->role == MASTER_LEADER && row->term > term) {
            term = row->term;
        }
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct master_row *row = &s->rows[i];

        if (row->role == MASTER_LEADER && row->term < term) {
            row->role = MASTER_FOLLOWER;
        }
        if (row->leader_knows && row->role != MASTER_LEADER) {
            row->lag = row->leader_lag;
            row->term = row->answered ? row->term : row->leader_term;
        }
    }
    return any ? 0 : all_silent(s, err);
}

static int survey(struct survey *s, struct ctl *ctl, struct gp_error *err)
{
    int rc;

    s->ctl = ctl;
    for (uint32_t i = 0; i < ctl->config.cluster.masters_count; i++) {
        (void)row_ask(s, ctl->config.cluster.masters[i]);
    }
    if (s->count == 0) {
        return gp_error_set(err, GP_ENOMEM, "no master could be asked");
    }
    rc = ctl_run_until(ctl, &s->is_done);
    return rc < 0 ? gp_error_set(err, rc, "interrupted") : judge(s, err);
}

/* ---- showing ---- */

static const struct table_column columns[] = {
    {"ADDRESS", TABLE_LEFT},
    {"ROLE", TABLE_LEFT},
    {"TERM", TABLE_RIGHT},
    {"LAG", TABLE_RIGHT},
};

/* What a person can do about it. */
static void say_who_waits(const struct survey *s)
{
    bool has_leader = false;

    for (uint32_t i = 0; i < s->count; i++) {
        has_leader = has_leader || s->rows[i].role == MASTER_LEADER;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const struct master_row *row = &s->rows[i];

        if (row->role == MASTER_WAITING && !row->is_other && has_leader) {
            ctl_say(s->ctl, "%s waits to be added: gpctl masters add %s", row->address,
                    row->address);
        } else if (row->role == MASTER_WAITING && !row->is_other) {
            ctl_say(s->ctl, "%s waits for the others of cluster.masters", row->address);
        }
    }
}

static int print_table(const struct survey *s)
{
    struct table table;
    int rc;

    table_init(&table, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct master_row *row = &s->rows[i];

        if (row->is_other) {
            continue;
        }
        table_cell(&table, "%s", row->address);
        table_cell(&table, "%s", show_master_role(row->role));
        table_cell(&table, "%llu", (unsigned long long)row->term);
        table_cell(&table, "%llu", (unsigned long long)row->lag);
    }
    rc = table_print(&table, stdout, 0);
    table_deinit(&table);
    say_who_waits(s);
    return rc;
}

static int print_json(const struct survey *s)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < s->count; i++) {
        const struct master_row *row = &s->rows[i];
        const struct msg_master_info info = {.address = (char *)(uintptr_t)row->address,
                                             .role = row->role,
                                             .term = row->term,
                                             .lag = row->lag};

        if (!row->is_other) {
            tree_push_take(&list, show_master(&info));
        }
    }
    return ctl_print_take(s->ctl, show_under_take("masters", list));
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
        return print_json(&s);
    }
    if (rc == 0) {
        rc = print_table(&s);
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
