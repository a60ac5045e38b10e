/* words.c: sentences for describe and the log about what happened; see internal.h. */
#include "base/str.h"
#include "control/appmaster/internal.h"

void words_executor(const struct am_executor *e, char *text, size_t cap)
{
    if (e->pid != 0) {
        (void)str_format(text, cap, "executor %u (pid %lld on worker %s)", e->id, (long long)e->pid,
                         e->worker_name);
    } else {
        (void)str_format(text, cap, "executor %u (on worker %s)", e->id, e->worker_name);
    }
}

static void append(char *text, size_t cap, const char *what)
{
    size_t len = strlen(text);

    if (str_format(text + len, cap - len, "%s%s", len > 0 ? "; " : "", what) < 0) {
        text[len] = '\0'; /* no room: what stands there says enough */
    }
}

/* "task 2 of 'count'", "tasks 2-4 of 'count'" */
static void name_tasks(const struct appmaster *am, uint32_t processor, uint32_t first,
                       uint32_t count, char *text, size_t cap)
{
    const char *name = am->plan->processors[processor].name;

    if (count == 1) {
        (void)str_format(text, cap, "task %u of '%s'", first, name);
    } else {
        (void)str_format(text, cap, "tasks %u-%u of '%s'", first, first + count - 1, name);
    }
}

/* Some of these tasks have a state that came back. */
static bool any_restored(const struct appmaster *am, uint32_t processor, uint32_t first,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (record_state_of(&am->record, processor, first + i)) {
            return true;
        }
    }
    return false;
}

void words_loss(const struct appmaster *am, uint32_t processor, uint32_t first, uint32_t count,
                char *text, size_t cap)
{
    const struct plan_processor *p = &am->plan->processors[processor];
    char tasks[128];
    char what[256];

    name_tasks(am, processor, first, count, tasks, sizeof tasks);
    if (p->is_source != 0) {
        (void)str_format(what, sizeof what, "%s %s", tasks,
                         any_restored(am, processor, first, count)
                             ? "restored at the last reported state"
                             : "started from the beginning: no state was reported");
    } else if ((p->flags & GP_PROCESSOR_STATEFUL) != 0) {
        (void)str_format(what, sizeof what, "%s lost %s state: there is no checkpoint of it", tasks,
                         count == 1 ? "its" : "their");
    } else {
        return;
    }
    append(text, cap, what);
}
