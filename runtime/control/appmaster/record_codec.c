/*
 * record_codec.c: the placement record as the tree that the master keeps. Only appmasters look
 * inside; one of a later program version ignores what it does not know.
 */
#include <stdlib.h>

#include "control/appmaster/record.h"
#include "control/limits.h"

#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL

#define PART struct record_executor
static const struct field executor_items[] = {
    COUNT(PART, id, MUST, 0, "never used twice"),
    COUNT(PART, worker, MUST, 0, "it runs on"),
    COUNT(PART, slots, MUST, 0, "of its grant"),
    COUNT(PART, launched, MAY, 0, "slots that its worker keeps for its process"),
    COUNT(PART, replaces, MAY, 0, "the dead one whose tasks it is to take over"),
    FIELD_U64(PART, incarnation, MAY, "0: it has not registered yet"),
    FIELD_U64(PART, placed, MAY, "generation in which the others heard of it; 0: not yet"),
    COUNT(PART, lanes, MAY, MSG_LANES_MAX, "ordinary ones"),
    COUNT(PART, blocking, MAY, MSG_LANES_MAX, "others"),
    FIELD_I64(PART, pid, MAY, "process id"),
    FIELD_BOOL(PART, is_dead, MAY, "its tasks wait for another"),
    FIELD_TEXT(PART, name, MAY, 64, "of its worker"),
    FIELD_TEXT(PART, address, MAY, MSG_ADDRESS_MAX, "of its worker"),
    FIELD_TEXT(PART, host, MAY, MSG_HOST_MAX, "of its worker"),
    FIELD_TEXTS(PART, labels, MAY, MSG_LABELS_MAX, MSG_LABEL_MAX, "of its worker"),
};
static const struct fields executor_fields = FIELDS("executor", PART, executor_items);
#undef PART

#define PART struct record_range
static const struct field range_items[] = {
    COUNT(PART, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(PART, first, MUST, 0, "first task"),
    COUNT(PART, count, MUST, 0, "tasks"),
    COUNT(PART, executor, MUST, 0, "that runs them"),
    COUNT(PART, lane, MUST, MSG_LANES_MAX - 1, "of that executor"),
    FIELD_U64(PART, session, MUST, "of these tasks"),
    FIELD_U64(PART, since, MAY, "the oldest session whose rows still count; 0: that one"),
    FIELD_BOOL(PART, leaving, MAY, "they are to be given up where they are"),
    FIELD_U64(PART, changed, MAY, "the latest generation that changed any of this"),
};
static const struct fields range_fields = FIELDS("range", PART, range_items);
#undef PART

#define PART struct record_gone
static const struct field gone_items[] = {
    COUNT(PART, executor, MUST, 0, "that died"),
    FIELD_U64(PART, generation, MUST, "from which on it is dead"),
};
static const struct fields gone_fields = FIELDS("gone", PART, gone_items);
#undef PART

#define PART struct msg_task_range
static const struct field ended_items[] = {
    COUNT(PART, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(PART, first, MUST, 0, "first task"),
    COUNT(PART, count, MUST, 0, "tasks"),
};
static const struct fields ended_fields = FIELDS("ended", PART, ended_items);
#undef PART

#define PART struct record_move
static const struct field move_items[] = {
    COUNT(PART, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(PART, task, MUST, 0, "that moves"),
    FIELD_U64(PART, session, MUST, "of its life before"),
    COUNT(PART, from, MUST, 0, "executor that it leaves"),
    COUNT(PART, executor, MUST, 0, "to which it comes"),
    COUNT(PART, lane, MUST, MSG_LANES_MAX - 1, "of that executor"),
    FIELD_U64(PART, placed, MAY, "generation in which it came there; 0: not yet"),
    FIELD_U64(PART, first, MAY, "that in which it came anywhere"),
    FIELD_BOOL(PART, is_bare, MAY, "it comes without its state"),
};
static const struct fields move_fields = FIELDS("move", PART, move_items);
#undef PART

#define PART struct record_leave
static const struct field leave_items[] = {
    COUNT(PART, worker, MUST, 0, "where no task may be"),
    FIELD_BOOL(PART, force, MAY, "also those that lose their state"),
};
static const struct fields leave_fields = FIELDS("leave", PART, leave_items);
#undef PART

#define PART struct record_goal
static const struct field goal_items[] = {
    FIELD_BOOL(PART, is_open, MAY, "it is not reached yet"),
    FIELD_BOOL(PART, spread, MAY, "over all workers"),
    FIELD_BOOL(PART, force, MAY, "also tasks that lose their state"),
    FIELD_TEXT(PART, reason, MAY, MSG_REASON_MAX, "for people"),
    FIELD_U64(PART, begun_ms, MAY, "since 1970"),
    COUNT(PART, done, MAY, 0, "tasks that moved for it"),
    FIELD_LIST(PART, room, MAY, MSG_EXECUTORS_MAX, &msg_worker_room_fields, "for them"),
};
static const struct fields goal_fields = FIELDS("goal", PART, goal_items);
#undef PART

#define PART struct msg_task_state
static const struct field state_items[] = {
    COUNT(PART, processor, MUST, MSG_PROCESSORS_MAX - 1, "of the source"),
    COUNT(PART, task, MUST, 0, "of that processor"),
    FIELD_TEXT(PART, state, MAY, 2 * MSG_STATE_MAX, "where it is, in hex"),
};
static const struct fields state_fields = FIELDS("state", PART, state_items);
#undef PART

#define PART struct record
static const struct field record_items[] = {
    FIELD_U64(PART, version, MUST, "of this record"),
    FIELD_U64(PART, generation, MUST, "of what executors know of it"),
    COUNT(PART, next_executor, MUST, 0, "id of the next one"),
    COUNT(PART, next_session, MUST, 0, "counter of the next one"),
    FIELD_LIST(PART, executors, MAY, RECORD_EXECUTORS_MAX, &executor_fields, "by id"),
    FIELD_LIST(PART, ranges, MAY | FIELD_ROWS, MSG_RANGES_MAX, &range_fields, "where tasks run"),
    FIELD_LIST(PART, gone, MAY, MSG_GONE_MAX, &gone_fields, "executors that died, the latest"),
    FIELD_U64(PART, gone_before, MAY, "of deaths up to there not all are in that list"),
    FIELD_LIST(PART, ended, MAY | FIELD_ROWS, MSG_RANGES_MAX, &ended_fields,
               "tasks that are not run again"),
    FIELD_LIST(PART, moves, MAY | FIELD_ROWS, MOVES_MAX, &move_fields, "tasks that move"),
    FIELD_U64(PART, moved, MAY, "the latest generation with a move in it"),
    FIELD_LIST(PART, leave, MAY, MSG_LEAVE_MAX, &leave_fields, "workers that are left"),
    FIELD_OBJECT(PART, goal, &goal_fields, "what moves are for"),
    FIELD_U64(PART, moves_done, MAY, "so far"),
    FIELD_U64(PART, moves_refused, MAY, "so far"),
    FIELD_LIST(PART, states, MAY, MSG_STATES_MAX, &state_fields, "of sources"),
    FIELD_LIST(PART, events, MAY, MSG_EVENTS_MAX, &msg_app_event_fields, "what happened"),
    FIELD_LIST(PART, past, MAY, MSG_PROCESSORS_MAX, &msg_processor_stats_fields,
               "what dead executors had counted"),
    FIELD_U64(PART, lost, MAY, "messages"),
    FIELD_U64(PART, in_doubt, MAY, "messages that perhaps were"),
    FIELD_BOOL(PART, is_lost_at_least, MAY, "not all could be counted"),
    FIELD_BOOL(PART, is_over, MAY, "all tasks have ended"),
    FIELD_LIST(PART, edges, MAY, MSG_EDGES_MAX *EDGE_KINDS, &msg_edge_stats_fields,
               "what dead executors had sent"),
};
static const struct fields record_fields = FIELDS("placement", PART, record_items);
#undef PART

int record_encode(const struct record *r, bool with_states, struct value **ret)
{
    struct record view = *r; /* borrows all of it */

    view.states_count = with_states ? record_states_fitting(r) : 0;
    view.edges_count = with_states ? r->edges_count : 0;
    return fields_encode(&record_fields, &view, ret);
}

static int check_ranges(const struct record *r, const struct plan *plan, struct gp_error *err)
{
    struct placement placement = {.count = r->ranges_count};
    int rc;

    if (r->ranges_count == 0) {
        return 0; /* not placed yet */
    }
    placement.ranges = calloc(r->ranges_count, sizeof *placement.ranges);
    if (!placement.ranges) {
        return gp_error_set(err, GP_ENOMEM, "reading a placement");
    }
    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *from = &r->ranges[i];
        placement.ranges[i] = (struct placement_range){.processor = from->processor,
                                                       .first = from->first,
                                                       .count = from->count,
                                                       .executor = from->executor,
                                                       .lane = from->lane,
                                                       .session = from->session};
    }
    rc = placement_check(&placement, plan, err);
    placement_deinit(&placement);
    return rc < 0 ? GP_EPROTO : 0;
}

static int check(const struct record *r, const struct plan *plan, struct gp_error *err)
{
    for (uint32_t i = 0; i < r->executors_count; i++) {
        const struct record_executor *e = &r->executors[i];
        if (e->id == 0 || e->id >= r->next_executor || (i > 0 && e->id <= e[-1].id)) {
            return gp_error_set(err, GP_EPROTO, "executor %u is out of order", e->id);
        }
    }
    for (uint32_t i = 0; i < r->ranges_count; i++) {
        if (!record_find(r, r->ranges[i].executor)) {
            return gp_error_set(err, GP_EPROTO, "tasks are on executor %u, which is not there",
                                r->ranges[i].executor);
        }
    }
    for (uint32_t i = 0; i < r->moves_count; i++) {
        const struct record_move *m = &r->moves[i];
        bool is_after = i == 0 || m->processor > m[-1].processor ||
                        (m->processor == m[-1].processor && m->task > m[-1].task);
        if (!is_after || !record_range_of(r, m->processor, m->task)) {
            return gp_error_set(err, GP_EPROTO, "move %u is of no task, or out of order", i);
        }
    }
    for (uint32_t i = 0; i < r->past_count; i++) {
        if (r->past[i].processor != i) {
            return gp_error_set(err, GP_EPROTO, "counts of processor %u are out of order", i);
        }
    }
    return check_ranges(r, plan, err);
}

int record_decode(const struct value *tree, const struct plan *plan, struct record *ret,
                  struct gp_error *err)
{
    struct record r = {0};
    int rc = fields_decode(&record_fields, tree, &r, err);

    if (rc < 0) {
        return rc;
    }
    rc = check(&r, plan, err);
    if (rc >= 0 && !record_states_in_order(&r, plan)) {
        rc = gp_error_set(err, GP_EPROTO, "states of sources are not in order");
    }
    if (rc < 0) {
        record_deinit(&r);
        return rc;
    }
    *ret = r;
    return 0;
}
