/* survey.c: see survey.h. */
#include "app/survey.h"

#include <string.h>

#include "app/show.h"
#include "app/tree.h"
#include "base/str.h"

#define SURVEY_TIMEOUT_NS INT64_C(2000000000)

static struct survey_row *row_find(struct survey *s, const char *address)
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
static struct survey_row *row_ask(struct survey *s, const char *address)
{
    struct survey_row *row = row_find(s, address);

    if (row || s->count == SURVEY_ROWS_MAX) {
        return row;
    }
    row = &s->rows[s->count];
    *row = (struct survey_row){.survey = s, .role = MASTER_UNREACHABLE};
    (void)str_format(row->address, sizeof row->address, "%s", address);
    if (client_ask_at(s->client, address, MSG_CLUSTER_INFO, NULL, SURVEY_TIMEOUT_NS, on_info, row) <
        0) {
        return NULL;
    }
    s->count++;
    s->waiting++;
    return row;
}

/* ---- answers ---- */

/* It may call itself otherwise than the configuration does. */
static void take_name(struct survey_row *row, const char *address)
{
    if (*address && strcmp(address, row->address) != 0) {
        row->is_other = row_find(row->survey, address) != NULL;
        (void)str_format(row->address, sizeof row->address, "%s", address);
    }
}

static void take_info(struct survey_row *row, const struct msg_cluster_info *info)
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
            row->own = *said;
            row->own.address = NULL; /* the message's */
        }
    }
    for (uint32_t i = 0; i < info->masters_count && !row->is_other; i++) {
        const struct msg_master_info *said = &info->masters[i];
        struct survey_row *other = row_ask(s, said->address);

        if (other && row->role == MASTER_LEADER && row->term >= other->leader_term) {
            other->leader_knows = true;
            other->leader_term = row->term;
            other->leader_lag = said->lag;
        }
    }
}

static void on_info(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct survey_row *row = user;
    struct survey *s = row->survey;

    if (code < 0) {
        row->why = *err;
    } else {
        take_info(row, msg);
    }
    if (--s->waiting == 0) {
        s->fn(s->user);
    }
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
        const struct survey_row *row = &s->rows[i];
        const bool is_named = str_starts_with(gp_str_of(row->why.text), gp_str_of(row->address));
        int n = str_format(text + len, sizeof text - len, "%s%s%s%s", i > 0 ? "; " : "",
                           is_named ? "" : row->address, is_named ? "" : ": ", row->why.text);

        len = n < 0 ? sizeof text : len + (size_t)n;
        code = row->why.code == GP_EACCES ? GP_EACCES : code;
    }
    return gp_error_set(err, code, "none of %u answers: %s", s->count, text);
}

int survey_judge(struct survey *s, struct gp_error *err)
{
    uint64_t term = 0;
    bool any = false;

    for (uint32_t i = 0; i < s->count; i++) {
        const struct survey_row *row = &s->rows[i];

        any = any || row->answered;
        if (row->answered && row->role == MASTER_LEADER && row->term > term) {
            term = row->term;
        }
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct survey_row *row = &s->rows[i];

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

int survey_begin(struct survey *s, struct client *client, const char *const *masters,
                 uint32_t count, void (*fn)(void *user), void *user, struct gp_error *err)
{
    *s = (struct survey){.client = client, .fn = fn, .user = user};
    for (uint32_t i = 0; i < count; i++) {
        (void)row_ask(s, masters[i]);
    }
    return s->count > 0 ? 0 : gp_error_set(err, GP_ENOMEM, "no master could be asked");
}

struct value *survey_tree(const struct survey *s)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < s->count; i++) {
        const struct survey_row *row = &s->rows[i];
        struct msg_master_info info = row->own;

        info.address = (char *)(uintptr_t)row->address;
        info.role = row->role;
        info.term = row->term;
        info.lag = row->lag;
        if (!row->is_other) {
            tree_push_take(&list, show_master(&info));
        }
    }
    return show_under_take("masters", list);
}
