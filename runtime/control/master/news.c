/*
 * news.c: what a worker tells of executors that died, and what an appmaster's record says that it
 * did not say before: others that took their place, tasks that moved.
 *
 * The record is its own business, and read here for people alone: what is not there, or looks
 * strange, is no news. It is put away more rarely than things happen: of many moves one event is
 * made, and an executor that has taken a place by then is one more. Two steps, for a record that is
 * replaced is gone: what is known, then what is new.
 */
#include "base/str.h"
#include "control/master/internal.h"

static uint64_t number_of(const struct value *v, const char *name)
{
    const struct value *member = value_get(v, gp_str_of(name));
    uint64_t number = 0;

    if (!member) {
        return 0;
    }
    if (value_kind(member) == VALUE_I64 && value_as_i64(member) > 0) {
        return (uint64_t)value_as_i64(member);
    }
    if (value_kind(member) == VALUE_STR) {
        (void)str_to_u64(value_as_str(member), &number); /* 64 bits are text */
    }
    return number;
}

/* The greatest of a member in a list of objects: ids are never used twice. */
static uint64_t greatest(const struct value *list, const char *name)
{
    uint64_t most = 0;

    for (size_t i = 0; list && i < value_count(list); i++) {
        uint64_t number = number_of(value_at(list, i), name);

        most = number > most ? number : most;
    }
    return most;
}

static const struct value *list_of(const struct value *record, const char *name)
{
    const struct value *list = value_get(record, gp_str_of(name));

    return list && value_kind(list) == VALUE_LIST ? list : NULL;
}

void news_exited(struct master *m, uint32_t worker, const struct msg_process_exited *msg)
{
    const struct app *app = registry_find(&m->registry, msg->app);
    char how[ERROR_TEXT_MAX];

    if (!app || app_state_is_end(app->state) || app->is_stopping || msg->executor == 0 ||
        msg->epoch > app->epoch || (msg->signal == 0 && msg->code == 0)) {
        return; /* it was to end */
    }
    if (msg->signal != 0) {
        (void)str_format(how, sizeof how, "died: %s",
                         msg->crash[0] ? msg->crash : "it was killed by a signal");
    } else {
        (void)str_format(how, sizeof how, "ended with exit code %lld", (long long)msg->code);
    }
    events_add(m, EVENT_WARN, "executor.died", app->id, worker, "%s: executor %u on worker %u %s",
               app->spec.name, msg->executor, worker, how);
}

void news_known(const struct app *app, struct app_news *ret)
{
    const struct value *record = app ? app->placement : NULL;

    *ret = (struct app_news){.has_record = record != NULL};
    if (record) {
        ret->executor = greatest(list_of(record, "executors"), "id");
        ret->moves = number_of(record, "moves_done");
    }
}

static void tell_replacements(struct master *m, const struct app *app, uint64_t known)
{
    const struct value *executors = list_of(app->placement, "executors");

    for (size_t i = 0; executors && i < value_count(executors); i++) {
        const struct value *one = value_at(executors, i);
        const uint32_t worker = (uint32_t)number_of(one, "worker");
        const uint64_t dead = number_of(one, "replaces");

        if (number_of(one, "id") <= known) {
            continue;
        }
        if (dead > 0) {
            events_add(m, EVENT_INFO, "executor.replaced", app->id, worker,
                       "%s: executor %llu on worker %u takes the place of executor %llu",
                       app->spec.name, (unsigned long long)number_of(one, "id"), worker,
                       (unsigned long long)dead);
        } else {
            events_add(m, EVENT_INFO, "executor.added", app->id, worker,
                       "%s: executor %llu on worker %u takes tasks, too", app->spec.name,
                       (unsigned long long)number_of(one, "id"), worker);
        }
    }
}

void news_tell(struct master *m, const struct app *app, const struct app_news *known)
{
    const uint64_t moves = known->has_record ? number_of(app->placement, "moves_done") : 0;

    if (!known->has_record || !app->placement) {
        return; /* the first one is the beginning */
    }
    tell_replacements(m, app, known->executor);
    if (moves > known->moves) {
        events_add(m, EVENT_INFO, "task.moved", app->id, 0, "%s: %llu task%s moved", app->spec.name,
                   (unsigned long long)(moves - known->moves),
                   moves - known->moves == 1 ? "" : "s");
    }
}
