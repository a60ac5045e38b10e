/* wanted.c: see wanted.h. */
#include "data/wanted.h"

#include <stdlib.h>

#include "base/assert.h"

/* ---- ranges ---- */

/* Where a range begins and ends in the order of all tasks: no two processors touch. */
static uint64_t begin_of(const struct msg_placed *p)
{
    return (uint64_t)p->processor << 33 | p->first;
}

static uint64_t end_of(const struct msg_placed *p)
{
    return begin_of(p) + p->count;
}

static bool is_alike(const struct msg_placed *a, const struct msg_placed *b)
{
    return a->executor == b->executor && a->lane == b->lane && a->session == b->session &&
           a->since == b->since && a->leaving == b->leaving;
}

static void push(struct wanted *to, const struct msg_placed *range)
{
    struct msg_placed *last =
        to->placement_count > 0 ? &to->placement[to->placement_count - 1] : NULL;

    if (last && end_of(last) == begin_of(range) && is_alike(last, range)) {
        last->count += range->count;
    } else {
        to->placement[to->placement_count++] = *range;
    }
}

/* The part of a range from there on. */
static struct msg_placed rest_of(const struct msg_placed *range, uint64_t from)
{
    struct msg_placed rest = *range;
    uint32_t cut = (uint32_t)(from - begin_of(range));

    rest.first += cut;
    rest.count -= cut;
    return rest;
}

/* Puts each change in the place of what was said of the same tasks. One pass over both. */
static void overlay(const struct wanted *w, const struct msg_placed *changes, uint32_t count,
                    struct wanted *to)
{
    uint32_t next = 0;
    uint64_t end = 0; /* of the last change that is in */

    for (uint32_t i = 0; i < w->placement_count; i++) {
        struct msg_placed rest = w->placement[i];

        while (rest.count > 0) {
            if (begin_of(&rest) < end) { /* said anew */
                rest = rest_of(&rest, end < end_of(&rest) ? end : end_of(&rest));
            } else if (next < count && begin_of(&changes[next]) <= begin_of(&rest)) {
                end = end_of(&changes[next]);
                push(to, &changes[next++]);
            } else if (next < count && begin_of(&changes[next]) < end_of(&rest)) {
                struct msg_placed head = rest;
                head.count = (uint32_t)(begin_of(&changes[next]) - begin_of(&rest));
                push(to, &head);
                rest = rest_of(&rest, begin_of(&changes[next]));
            } else {
                push(to, &rest);
                rest.count = 0;
            }
        }
    }
    while (next < count) {
        push(to, &changes[next++]);
    }
}

static int check_order(const struct msg_executor_update *msg, struct gp_error *err)
{
    for (uint32_t i = 0; i < msg->placement_count; i++) {
        const struct msg_placed *p = &msg->placement[i];
        if (p->count == 0 || p->count > UINT32_MAX - p->first ||
            (i > 0 && end_of(p - 1) > begin_of(p))) {
            return gp_error_set(err, GP_EPROTO, "range %u of the placement is out of order", i);
        }
    }
    return 0;
}

static int build_placement(const struct wanted *w, const struct msg_executor_update *msg,
                           struct wanted *to, struct gp_error *err)
{
    static const struct wanted nothing;
    const struct wanted *base = msg->base == 0 ? &nothing : w;
    int rc = check_order(msg, err);

    if (rc < 0) {
        return rc;
    }
    /* A change can part one range in two. */
    to->placement =
        calloc(base->placement_count + 2u * msg->placement_count + 1u, sizeof *to->placement);
    if (!to->placement) {
        return gp_error_set(err, GP_ENOMEM, "taking an update");
    }
    overlay(base, msg->placement, msg->placement_count, to);
    if (to->placement_count > 2 * MSG_RANGES_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "the placement is in %u pieces", to->placement_count);
    }
    return 0;
}

/* ---- siblings ---- */

/* The update says all of this one, or that it is gone. */
static bool is_replaced(const struct msg_executor_update *msg, uint32_t id)
{
    bool replaced = msg->base == 0;

    for (uint32_t i = 0; i < msg->gone_count && !replaced; i++) {
        replaced = msg->gone[i].executor == id;
    }
    for (uint32_t i = 0; i < msg->executors_count && !replaced; i++) {
        replaced = msg->executors[i].id == id;
    }
    return replaced;
}

static int build_siblings(const struct wanted *w, const struct msg_executor_update *msg,
                          struct wanted *to, struct gp_error *err)
{
    to->executors =
        calloc((size_t)w->executors_count + msg->executors_count + 1, sizeof *to->executors);
    if (!to->executors) {
        return gp_error_set(err, GP_ENOMEM, "taking an update");
    }
    for (uint32_t i = 0; i < w->executors_count; i++) {
        if (!is_replaced(msg, w->executors[i].id)) {
            to->executors[to->executors_count++] = w->executors[i];
        }
    }
    for (uint32_t i = 0; i < msg->executors_count; i++) {
        to->executors[to->executors_count++] = msg->executors[i];
    }
    if (to->executors_count > MSG_EXECUTORS_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "there are %u executors", to->executors_count);
    }
    return 0;
}

/* ---- the whole ---- */

int wanted_build(const struct wanted *w, const struct msg_executor_update *msg, struct wanted *ret,
                 struct gp_error *err)
{
    struct wanted next = {.generation = msg->generation};
    int rc;

    ASSERT(wanted_fits(w, msg));
    rc = build_placement(w, msg, &next, err);
    rc = rc < 0 ? rc : build_siblings(w, msg, &next, err);
    if (rc < 0) {
        wanted_forget(&next);
        return rc;
    }
    *ret = next;
    return 0;
}

void wanted_commit(struct wanted *w, struct wanted *next, struct msg_executor_update *msg)
{
    for (uint32_t i = 0; i < w->executors_count; i++) {
        if (is_replaced(msg, w->executors[i].id)) {
            fields_deinit(&msg_sibling_fields, &w->executors[i]);
        }
    }
    free(msg->executors); /* what hangs from them stands in next */
    msg->executors = NULL;
    msg->executors_count = 0;
    wanted_forget(w);
    *w = *next;
    *next = (struct wanted){0};
}

void wanted_forget(struct wanted *next)
{
    free(next->placement);
    free(next->executors);
    *next = (struct wanted){0};
}

void wanted_take_assign(struct wanted *w, struct msg_executor_assign *msg)
{
    wanted_deinit(w);
    *w = (struct wanted){.generation = msg->generation,
                         .placement = msg->placement,
                         .placement_count = msg->placement_count,
                         .executors = msg->executors,
                         .executors_count = msg->executors_count};
    msg->placement = NULL;
    msg->placement_count = 0;
    msg->executors = NULL;
    msg->executors_count = 0;
}

void wanted_deinit(struct wanted *w)
{
    for (uint32_t i = 0; i < w->executors_count; i++) {
        fields_deinit(&msg_sibling_fields, &w->executors[i]);
    }
    wanted_forget(w);
}
