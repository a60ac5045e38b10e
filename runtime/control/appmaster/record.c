/* record.c: executors, events and counts of the placement record; see record.h. */
#include "control/appmaster/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/limits.h"
#include "graph/place.h"

void record_init(struct record *r)
{
    *r = (struct record){.next_executor = 1, .next_session = 1};
}

static void executor_deinit(struct record_executor *e)
{
    free(e->name);
    for (uint32_t i = 0; i < e->labels_count; i++) {
        free(e->labels[i]);
    }
    free(e->labels);
    free(e->address);
    free(e->host);
}

void record_deinit(struct record *r)
{
    for (uint32_t i = 0; i < r->executors_count; i++) {
        executor_deinit(&r->executors[i]);
    }
    for (uint32_t i = 0; i < r->events_count; i++) {
        fields_deinit(&msg_app_event_fields, &r->events[i]);
    }
    for (uint32_t i = 0; i < r->past_count; i++) {
        fields_deinit(&msg_processor_stats_fields, &r->past[i]);
    }
    for (uint32_t i = 0; i < r->states_count; i++) {
        free(r->states[i].state);
    }
    free(r->states);
    free(r->executors);
    free(r->ranges);
    free(r->gone);
    free(r->ended);
    free(r->events);
    free(r->past);
    free(r->edges);
    free(r->moves);
    free(r->leave);
    free(r->goal.reason);
    record_forget_room(r);
    *r = (struct record){0};
}

void record_forget_room(struct record *r)
{
    for (uint32_t i = 0; i < r->goal.room_count; i++) {
        fields_deinit(&msg_worker_room_fields, &r->goal.room[i]);
    }
    free(r->goal.room);
    r->goal.room = NULL;
    r->goal.room_count = 0;
}

/* ---- executors ---- */

static int copy_labels(struct record_executor *e, const struct msg_grant *grant)
{
    e->labels = calloc(grant->labels_count + 1u, sizeof(char *));
    for (uint32_t i = 0; e->labels && i < grant->labels_count; i++) {
        e->labels[i] = str_dup(gp_str_of(grant->labels[i]));
        if (!e->labels[i]) {
            return GP_ENOMEM;
        }
        e->labels_count = i + 1;
    }
    return e->labels ? 0 : GP_ENOMEM;
}

bool record_takes(const struct record_executor *e, const char *place)
{
    return place_takes(place, e->name, e->labels, e->labels_count);
}

int record_add(struct record *r, const struct msg_grant *grant, uint32_t replaces, uint32_t *ret_id)
{
    struct record_executor e = {.id = r->next_executor,
                                .worker = grant->worker,
                                .slots = grant->slots,
                                .launched = grant->slots,
                                .replaces = replaces,
                                .name = str_dup(gp_str_of(grant->name)),
                                .address = str_dup(gp_str_of(grant->address)),
                                .host = str_dup(gp_str_of(grant->host))};
    struct record_executor *grown = NULL;
    int rc = GP_EFULL;

    if (r->executors_count < RECORD_EXECUTORS_MAX) {
        grown = realloc(r->executors, (r->executors_count + 1) * sizeof *grown);
        rc = GP_ENOMEM;
    }
    if (grown) {
        r->executors = grown;
    }
    if (!grown || !e.name || !e.address || !e.host || copy_labels(&e, grant) < 0) {
        executor_deinit(&e);
        return rc;
    }
    r->executors[r->executors_count++] = e;
    r->next_executor++;
    r->version++;
    *ret_id = e.id;
    return 0;
}

struct record_executor *record_find(const struct record *r, uint32_t id)
{
    for (uint32_t i = 0; i < r->executors_count; i++) {
        if (r->executors[i].id == id) {
            return &r->executors[i];
        }
    }
    return NULL;
}

void record_join(struct record *r, uint32_t id, const struct msg_executor_register *info)
{
    struct record_executor *e = record_find(r, id);

    ASSERT(e && !e->is_dead && info->lanes_count > info->blocking);
    e->incarnation = info->incarnation;
    e->lanes = info->lanes_count - info->blocking;
    e->blocking = info->blocking;
    e->pid = info->pid;
    r->version++;
}

void record_announce(struct record *r, uint32_t id)
{
    struct record_executor *e = record_find(r, id);

    ASSERT(e && e->incarnation != 0);
    e->placed = r->generation;
    r->version++;
}

/* Those who have not come to this generation hear of it in a list, or, if it is too long or there
 * is no memory, by not being told of it any more. */
static void note_gone(struct record *r, uint32_t id)
{
    struct record_gone *grown = r->gone;

    if (r->gone_count == MSG_GONE_MAX) {
        r->gone_before = r->gone[0].generation;
        memmove(&r->gone[0], &r->gone[1], (MSG_GONE_MAX - 1) * sizeof r->gone[0]);
        r->gone_count--;
    } else {
        grown = realloc(r->gone, (r->gone_count + 1) * sizeof *grown);
    }
    if (!grown) {
        r->gone_before = r->generation;
        return;
    }
    r->gone = grown;
    grown[r->gone_count++] = (struct record_gone){id, r->generation};
}

void record_bury(struct record *r, uint32_t id)
{
    struct record_executor *e = record_find(r, id);

    ASSERT(e && !e->is_dead);
    e->is_dead = true;
    r->version++;
    r->generation++;
    note_gone(r, id);
}

static bool is_replaced(const struct record *r, uint32_t id)
{
    for (uint32_t i = 0; i < r->executors_count; i++) {
        if (!r->executors[i].is_dead && r->executors[i].replaces == id) {
            return true;
        }
    }
    return false;
}

bool record_is_wanted(const struct record *r, const struct record_executor *e)
{
    return e->is_dead && (r->ranges_count > 0 ? record_tasks_on(r, e->id) > 0 : e->replaces == 0);
}

void record_sweep(struct record *r)
{
    for (uint32_t i = r->executors_count; i > 0; i--) {
        struct record_executor *e = &r->executors[i - 1];
        if (!e->is_dead || record_is_wanted(r, e) || is_replaced(r, e->id)) {
            continue;
        }
        executor_deinit(e);
        memmove(e, e + 1, (r->executors_count - i) * sizeof *e);
        r->executors_count--;
        r->version++;
    }
}

uint32_t record_living(const struct record *r)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->executors_count; i++) {
        count += !r->executors[i].is_dead;
    }
    return count;
}

uint32_t record_slots_missing(const struct record *r, uint32_t id)
{
    const struct record_executor *dead = record_find(r, id);
    uint32_t slots = 0;

    for (uint32_t i = 0; i < r->executors_count; i++) {
        const struct record_executor *e = &r->executors[i];
        slots += !e->is_dead && e->replaces == id ? e->slots : 0;
    }
    return dead && dead->slots > slots ? dead->slots - slots : 0;
}

/* ---- what happened ---- */

int record_event(struct record *r, int64_t time_ms, const char *text)
{
    struct msg_app_event event = {time_ms, str_dup(gp_str_of(text)), -1};
    struct msg_app_event *grown;

    if (!event.text) {
        return GP_ENOMEM;
    }
    if (r->events_count == MSG_EVENTS_MAX) {
        fields_deinit(&msg_app_event_fields, &r->events[0]);
        memmove(&r->events[0], &r->events[1], (MSG_EVENTS_MAX - 1) * sizeof r->events[0]);
        r->events_count--;
    }
    grown = realloc(r->events, MSG_EVENTS_MAX * sizeof *grown);
    if (!grown) {
        fields_deinit(&msg_app_event_fields, &event);
        return GP_ENOMEM;
    }
    r->events = grown;
    r->events[r->events_count++] = event;
    r->version++;
    return 0;
}

static void append(struct msg_app_event *event, const char *text)
{
    char joined[MSG_ERROR_MAX];
    char *copy;

    if (str_format(joined, sizeof joined, "%s; %s", event->text, text) < 0) {
        return; /* it says enough already */
    }
    copy = str_dup(gp_str_of(joined));
    if (copy) {
        free(event->text);
        event->text = copy;
    }
}

void record_event_more(struct record *r, const char *text, int64_t took_ms)
{
    for (uint32_t i = r->events_count; i > 0; i--) {
        struct msg_app_event *event = &r->events[i - 1];
        if (event->took_ms >= 0) {
            continue;
        }
        if (text) {
            append(event, text);
            text = NULL;
        }
        event->took_ms = took_ms;
        r->version++;
        if (took_ms < 0) {
            return;
        }
    }
}

/* ---- counts ---- */

static int add_counter(struct msg_processor_stats *to, const struct msg_counter *counter)
{
    struct msg_counter *grown;

    for (uint32_t i = 0; i < to->counters_count; i++) {
        if (strcmp(to->counters[i].name, counter->name) == 0) {
            to->counters[i].value += counter->value;
            return 0;
        }
    }
    if (to->counters_count == MSG_COUNTERS_MAX) {
        return 0;
    }
    grown = realloc(to->counters, (to->counters_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    to->counters = grown;
    grown[to->counters_count] =
        (struct msg_counter){str_dup(gp_str_of(counter->name)), counter->value};
    if (!grown[to->counters_count].name) {
        return GP_ENOMEM;
    }
    to->counters_count++;
    return 0;
}

int record_add_counts(struct msg_processor_stats *to, const struct msg_processor_stats *from)
{
    int rc = 0;

    to->in += from->in;
    to->out += from->out;
    to->rejected += from->rejected;
    to->late += from->late;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    to->busy_ns += from->busy_ns;
    to->idle_ns += from->idle_ns;
    to->blocked_ns += from->blocked_ns;
    to->restarts += from->restarts;
    for (uint32_t i = 0; i < from->counters_count && rc >= 0; i++) {
        rc = add_counter(to, &from->counters[i]);
    }
    return rc;
}

int record_need_past(struct record *r, uint32_t processor_count)
{
    if (r->past) {
        return 0;
    }
    r->past = calloc(processor_count, sizeof *r->past);
    if (!r->past) {
        return GP_ENOMEM;
    }
    r->past_count = processor_count;
    for (uint32_t i = 0; i < processor_count; i++) {
        r->past[i].processor = i;
    }
    return 0;
}

int record_add_past(struct record *r, const struct msg_executor_report *report,
                    uint32_t processor_count)
{
    int rc = record_need_past(r, processor_count);

    for (uint32_t i = 0; i < report->processors_count && rc >= 0; i++) {
        uint32_t processor = report->processors[i].processor;
        if (processor < r->past_count) {
            rc = record_add_counts(&r->past[processor], &report->processors[i]);
        }
    }
    r->version++;
    return rc;
}
