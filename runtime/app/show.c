/* show.c: see show.h. */
#include "app/show.h"

#include <time.h>

#include "app/tree.h"
#include "app/version.h"
#include "base/str.h"

#define NS_PER_MS INT64_C(1000000)

const char *show_time(int64_t wall_ms, char out[SHOW_TIME_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    out[0] = '\0';
    if (wall_ms != 0 && localtime_r(&seconds, &parts)) {
        (void)strftime(out, SHOW_TIME_MAX, "%Y-%m-%d %H:%M:%S", &parts);
    }
    return out;
}

int64_t show_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

int64_t show_run_ns(const struct msg_app_summary *app, int64_t now_ms)
{
    int64_t end_ms = app->finished_ms != 0 ? app->finished_ms : now_ms;

    return app->started_ms != 0 && end_ms > app->started_ms ? (end_ms - app->started_ms) * NS_PER_MS
                                                            : 0;
}

const char *show_state(uint32_t app_state)
{
    return app_state <= APP_KILLED ? app_state_names[app_state] : "unknown";
}

const char *show_priority(uint32_t app_priority)
{
    return app_priority <= PRIORITY_HIGH ? app_priority_names[app_priority] : "unknown";
}

const char *show_worker_state(uint32_t worker_state)
{
    return worker_state <= WORKER_LOST ? worker_state_names[worker_state] : "unknown";
}

/* Counters of 64 bits are text between daemons, whose readers know doubles alone. */
static int make_numbers(const struct fields *table, struct value *object)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < table->count; i++) {
        const struct field *field = &table->items[i];
        struct value *v = value_get(object, gp_str_of(field->name));
        uint64_t number;

        if (field->kind == FIELD_KIND_U64 && str_to_u64(value_as_str(v), &number) == 0) {
            rc = value_set_i64(object, gp_str_of(field->name),
                               number < INT64_MAX ? (int64_t)number : INT64_MAX);
        } else if (field->kind == FIELD_KIND_OBJECT) {
            rc = make_numbers(field->sub, v);
        } else if (field->kind == FIELD_KIND_LIST && !(field->flags & FIELD_ROWS)) {
            for (size_t k = 0; rc == 0 && k < value_count(v); k++) {
                rc = make_numbers(field->sub, value_at(v, k));
            }
        }
    }
    return rc;
}

struct value *show_fields(const struct fields *table, const void *from)
{
    struct value *tree = NULL;

    if (fields_encode(table, from, &tree) < 0 || make_numbers(table, tree) < 0) {
        value_free(tree);
        tree = NULL;
    }
    return tree;
}

struct value *show_app(const struct msg_app_summary *app)
{
    return show_fields(&msg_app_summary_fields, app);
}

struct value *show_worker(const struct msg_worker_info *worker)
{
    struct value *v = show_fields(&msg_worker_info_fields, worker);

    value_free(v ? value_steal(v, GP_STR("version")) : NULL);
    return v;
}

const char *show_master_role(uint32_t role)
{
    return role <= MASTER_WAITING ? master_role_names[role] : "unknown";
}

/* null: nothing was proposed there. */
static void put_us(struct tree *t, const char *name, uint64_t count, uint64_t ns)
{
    if (count > 0) {
        tree_real(t, name, (double)ns / 1e3);
    } else {
        tree_take(t, name, value_new_null());
    }
}

/* Of its own proposals: how long until they were applied. */
static struct value *show_apply(const struct msg_master_info *master)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "count", master->apply_count);
    put_us(&t, "p50_us", master->apply_count, master->apply_p50_ns);
    put_us(&t, "p99_us", master->apply_count, master->apply_p99_ns);
    put_us(&t, "max_us", master->apply_count, master->apply_max_ns);
    return tree_end(&t);
}

struct value *show_master(const struct msg_master_info *master)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "address", master->address);
    tree_text(&t, "role", show_master_role(master->role));
    tree_u64(&t, "term", master->term);
    tree_u64(&t, "lag", master->lag);
    tree_u64(&t, "last", master->last);
    tree_u64(&t, "committed", master->committed);
    tree_u64(&t, "applied", master->applied);
    tree_u64(&t, "elections", master->elections);
    tree_take(&t, "apply", show_apply(master));
    return tree_end(&t);
}

struct value *show_killed(const struct msg_app_summary *app)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", app->id);
    tree_text(&t, "name", app->name);
    tree_text(&t, "state", show_state(app->state));
    return tree_end(&t);
}

struct value *show_rebalanced(const char *app, const struct msg_app_rebalanced *first,
                              uint32_t moving)
{
    struct value *refused = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < first->refused_count; i++) {
        const struct msg_move_refused *one = &first->refused[i];
        struct tree item;

        tree_begin(&item);
        tree_text(&item, "processor", one->processor);
        tree_u64(&item, "tasks", one->tasks);
        tree_text(&item, "why", one->why);
        tree_push_take(&refused, tree_end(&item));
    }
    tree_begin(&t);
    tree_text(&t, "app", app);
    tree_u64(&t, "tasks", first->moving);
    tree_u64(&t, "moving", moving);
    tree_take(&t, "refused", refused);
    return tree_end(&t);
}

struct value *show_drained(const struct msg_worker_drained *worker)
{
    return show_fields(&msg_worker_drained_fields, worker);
}

struct value *show_submitted(uint32_t id, const char *name)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", id);
    tree_text(&t, "name", name);
    return tree_end(&t);
}

struct value *show_restarted(uint32_t id)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", id);
    return tree_end(&t);
}

struct value *show_version(void)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "version", VERSION_TEXT);
    tree_text(&t, "abi", VERSION_ABI_TEXT);
    return tree_end(&t);
}

struct value *show_log_line(uint32_t executor, gp_str line)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "executor", executor);
    tree_take(&t, "line", value_new_str(line));
    return tree_end(&t);
}

struct value *show_under_take(const char *name, struct value *list)
{
    struct tree t;

    tree_begin(&t);
    tree_take(&t, name, list);
    return tree_end(&t);
}
