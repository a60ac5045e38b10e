/*
 * The tables of messages_executor.h.
 */
#include "wire/messages_executor.h"

#include "base/assert.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

static const struct field lane_items[] = {
    TEXT(struct msg_lane, tcp, FULL, MSG_ADDRESS_MAX, "host:port"),
    {.name = "unix",
     .kind = FIELD_KIND_TEXT,
     .offset = offsetof(struct msg_lane, unix_path),
     .max = MSG_ADDRESS_MAX,
     .doc = "unix:PATH for executors of the same host; may be empty"},
};
static const struct fields lane_fields = FIELDS("lane", struct msg_lane, lane_items);

static const struct field executor_register_items[] = {
    COUNT(struct msg_executor_register, app, MUST, 0, "id of the application"),
    COUNT(struct msg_executor_register, epoch, MUST, 0, "the highest it has obeyed"),
    COUNT(struct msg_executor_register, executor, MUST, 0, "its id, from 1"),
    TEXT(struct msg_executor_register, host, FULL, MSG_HOST_MAX, "name of its host"),
    FIELD_I64(struct msg_executor_register, pid, MAY, "its process id"),
    FIELD_U64(struct msg_executor_register, incarnation, MUST, "as in its HELLO"),
    FIELD_LIST(struct msg_executor_register, lanes, FULL, MSG_LANES_MAX, &lane_fields,
               "where each lane listens"),
    COUNT(struct msg_executor_register, blocking, MAY, MSG_LANES_MAX,
          "the last so many of them are for tasks whose calls may block"),
    COUNT(struct msg_executor_register, pinned, MAY, 0,
          "core that the first of the others is bound to, from 1; 0: none is bound"),
    FIELD_U64(struct msg_executor_register, generation, MAY,
              "of the latest assignment or update it took; 0: none"),
    FIELD_BOOL(struct msg_executor_register, started, MAY, "its tasks run"),
};
const struct fields msg_executor_register_fields =
    FIELDS("executor_register", struct msg_executor_register, executor_register_items);

static const struct field sibling_items[] = {
    COUNT(struct msg_sibling, id, MUST, 0, "id of the executor"),
    TEXT(struct msg_sibling, host, MUST, MSG_HOST_MAX, "name of its host"),
    FIELD_U64(struct msg_sibling, incarnation, MUST, "as in its HELLO"),
    FIELD_LIST(struct msg_sibling, lanes, FULL, MSG_LANES_MAX, &lane_fields,
               "where each lane listens"),
};
const struct fields msg_sibling_fields = FIELDS("sibling", struct msg_sibling, sibling_items);

static const struct field placed_items[] = {
    COUNT(struct msg_placed, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_placed, first, MUST, 0, "first task"),
    COUNT(struct msg_placed, count, MUST, 0, "how many tasks from there"),
    COUNT(struct msg_placed, executor, MUST, 0,
          "that runs them; one that is not announced: they wait for another"),
    COUNT(struct msg_placed, lane, MUST, 0, "lane of that executor"),
    FIELD_U64(struct msg_placed, session, MUST, "of these tasks: epoch << 32 | counter"),
    FIELD_U64(struct msg_placed, since, MAY,
              "the oldest session whose rows still count; 0: that session"),
    FIELD_BOOL(struct msg_placed, leaving, MAY,
               "they are given up where they are, see executor.moved"),
};
static const struct fields placed_fields = FIELDS("placed", struct msg_placed, placed_items);

static const struct field executor_ref_items[] = {
    COUNT(struct msg_executor_ref, executor, MUST, 0, "its id"),
};
static const struct fields executor_ref_fields =
    FIELDS("executor_ref", struct msg_executor_ref, executor_ref_items);

static const struct field task_range_items[] = {
    COUNT(struct msg_task_range, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_task_range, first, MUST, 0, "first task"),
    COUNT(struct msg_task_range, count, MUST, 0, "how many tasks from there"),
};
static const struct fields task_range_fields =
    FIELDS("task_range", struct msg_task_range, task_range_items);

static const struct field task_state_items[] = {
    COUNT(struct msg_task_state, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_task_state, task, MUST, 0, "task of that processor"),
    TEXT(struct msg_task_state, state, MAY, 2 * MSG_STATE_MAX,
         "what its next session begins with, hexadecimal; opaque"),
};
static const struct fields task_state_fields =
    FIELDS("task_state", struct msg_task_state, task_state_items);

static const struct field given_state_items[] = {
    COUNT(struct msg_task_state, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_task_state, task, MUST, 0, "task of that processor"),
    TEXT(struct msg_task_state, state, MAY, 2 * MSG_MOVED_STATE_MAX,
         "what its session begins with, as it was told"),
    FIELD_BOOL(struct msg_task_state, moved, MAY,
               "it is what executor.moved told, not executor.states"),
};
static const struct fields given_state_fields =
    FIELDS("given_state", struct msg_task_state, given_state_items);

static const struct field executor_assign_items[] = {
    COUNT(struct msg_executor_assign, epoch, MUST, 0, "of the appmaster"),
    FIELD_U64(struct msg_executor_assign, generation, MUST, "from 1; the newest wins"),
    FIELD_U64(struct msg_executor_assign, moves, MAY, "as in executor.update"),
    FIELD_TREE(struct msg_executor_assign, plan, MUST, "the plan"),
    FIELD_LIST(struct msg_executor_assign, placement, MUST | FIELD_ROWS, MSG_RANGES_MAX,
               &placed_fields, "of all tasks"),
    FIELD_LIST(struct msg_executor_assign, executors, FULL, MSG_EXECUTORS_MAX, &msg_sibling_fields,
               "all of the application that are alive, itself too"),
    FIELD_LIST(struct msg_executor_assign, plugins, FULL, MSG_PLUGINS_MAX, &msg_plugin_file_fields,
               "in the order of the plan"),
    FIELD_LIST(struct msg_executor_assign, states, MAY, MSG_STATES_MAX, &given_state_fields,
               "what its own tasks begin with"),
    FIELD_LIST(struct msg_executor_assign, ended, MAY | FIELD_ROWS, MSG_RANGES_MAX,
               &task_range_fields, "tasks that have ended and are not run again"),
};
const struct fields msg_executor_assign_fields =
    FIELDS("executor_assign", struct msg_executor_assign, executor_assign_items);

static const struct field executor_update_items[] = {
    COUNT(struct msg_executor_update, epoch, MUST, 0, "of the appmaster"),
    FIELD_U64(struct msg_executor_update, generation, MUST, "the newest wins"),
    FIELD_U64(struct msg_executor_update, moves, MAY,
              "the latest generation, up to this one, in which tasks began to leave, stayed after "
              "all, or came to where they move; 0: none"),
    FIELD_U64(struct msg_executor_update, base, MAY,
              "the generation after which all that changed is said; 0: all is said"),
    FIELD_LIST(struct msg_executor_update, placement, MUST | FIELD_ROWS, MSG_RANGES_MAX,
               &placed_fields, "of tasks that changed; with base 0 of all"),
    FIELD_LIST(struct msg_executor_update, executors, MAY, MSG_EXECUTORS_MAX, &msg_sibling_fields,
               "those that are new; with base 0 all that are alive, itself too"),
    FIELD_LIST(struct msg_executor_update, gone, MAY, MSG_GONE_MAX, &executor_ref_fields,
               "those that are not alive any more"),
    FIELD_LIST(struct msg_executor_update, states, MAY, MSG_STATES_MAX, &given_state_fields,
               "what those of its own tasks begin with whose session grew"),
};
const struct fields msg_executor_update_fields =
    FIELDS("executor_update", struct msg_executor_update, executor_update_items);

static const struct field executor_updated_items[] = {
    FIELD_U64(struct msg_executor_updated, generation, MUST, "the newest it has taken"),
    FIELD_BOOL(struct msg_executor_updated, whole, MAY,
               "it has not come to the base, took nothing and wants all"),
};
const struct fields msg_executor_updated_fields =
    FIELDS("executor_updated", struct msg_executor_updated, executor_updated_items);

static const struct field stuck_call_items[] = {
    COUNT(struct msg_stuck_call, processor, MUST, MSG_PROCESSORS_MAX, "index in the plan"),
    COUNT(struct msg_stuck_call, task, MUST, 0, "task of that processor"),
    TEXT(struct msg_stuck_call, function, MUST, 256, "of the plugin"),
    FIELD_U64(struct msg_stuck_call, for_ms, MAY, "how long it has lasted"),
    FIELD_BOOL(struct msg_stuck_call, is_over, MAY, "it has returned; told once"),
};
static const struct fields stuck_call_fields =
    FIELDS("stuck_call", struct msg_stuck_call, stuck_call_items);

static const struct field executor_report_items[] = {
    FIELD_LIST(struct msg_executor_report, processors, MAY, MSG_PROCESSORS_MAX,
               &msg_processor_stats_fields, "sums over its own tasks"),
    FIELD_LIST(struct msg_executor_report, edges, MAY, MSG_EDGES_MAX * 4, &msg_edge_stats_fields,
               "of rows it sent"),
    FIELD_U64(struct msg_executor_report, lost, MAY,
              "rows that nobody consumed: stale ones, those of broken links and of failures"),
    FIELD_U64(struct msg_executor_report, in_doubt, MAY,
              "rows sent to executors that died, not known to be consumed there"),
    COUNT(struct msg_executor_report, restarted, MAY, 0,
          "sessions of its tasks after their first here"),
    COUNT(struct msg_executor_report, failed, MAY, 0, "tasks that wait for their next session"),
    FIELD_LIST(struct msg_executor_report, unreachable, MAY, MSG_EXECUTORS_MAX,
               &executor_ref_fields, "a link to them is down, for longer than a moment"),
    FIELD_LIST(struct msg_executor_report, stuck, MAY, MSG_LANES_MAX, &stuck_call_fields,
               "calls into user code that do not return, or have at last"),
    FIELD_BOOL(struct msg_executor_report, is_full, MAY,
               "with histograms, the slowest tasks and vitals; else those told before hold"),
    FIELD_BOOL(struct msg_executor_report, is_cut, MAY, "some of these were left out for the size"),
    FIELD_OBJECT(struct msg_executor_report, vitals, &msg_vitals_fields, "what its process needs"),
};
const struct fields msg_executor_report_fields =
    FIELDS("executor_report", struct msg_executor_report, executor_report_items);

static const struct field executor_states_items[] = {
    FIELD_LIST(struct msg_executor_states, states, MAY, MSG_STATES_MAX, &task_state_fields,
               "of sources that can be restored: those that changed"),
    FIELD_LIST(struct msg_executor_states, ended, MAY | FIELD_ROWS, MSG_RANGES_MAX,
               &task_range_fields, "all tasks of its own that have ended"),
};
const struct fields msg_executor_states_fields =
    FIELDS("executor_states", struct msg_executor_states, executor_states_items);

static const struct field executor_done_items[] = {
    FIELD_U64(struct msg_executor_done, generation, MAY, "of the latest placement it has taken"),
};
const struct fields msg_executor_done_fields =
    FIELDS("executor_done", struct msg_executor_done, executor_done_items);

static const struct field executor_failed_items[] = {
    COUNT(struct msg_executor_failed, processor, MUST, MSG_PROCESSORS_MAX,
          "index in the plan; beyond it: no task is to blame"),
    COUNT(struct msg_executor_failed, task, MUST, 0, "task of that processor"),
    FIELD_U64(struct msg_executor_failed, session, MAY, "the one that failed"),
    TEXT(struct msg_executor_failed, function, MAY, 256, "of the plugin"),
    TEXT(struct msg_executor_failed, text, MUST, MSG_ERROR_MAX, "what it said"),
};
const struct fields msg_executor_failed_fields =
    FIELDS("executor_failed", struct msg_executor_failed, executor_failed_items);

static const char *const moved_names[] = {"left", "refused", "resumed", NULL};
_Static_assert(ARRAY_LEN(moved_names) == MSG_MOVED_COUNT + 1, "a name each");

static const struct field executor_moved_items[] = {
    COUNT(struct msg_executor_moved, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_executor_moved, task, MUST, 0, "task of that processor"),
    FIELD_U64(struct msg_executor_moved, session, MUST,
              "the one that has left or stays; or that it came with"),
    FIELD_U64(
        struct msg_executor_moved, moves, MAY,
        "generation by which it left or stays: if it was told to stay since, and to leave again "
        "by a later one, it has to come back where it was"),
    FIELD_ENUM(struct msg_executor_moved, what, MUST, moved_names,
               "it has left and waits for its next place; stays where it is; or has come"),
    FIELD_BOOL(struct msg_executor_moved, ended, MAY, "of one that has left: it has ended before"),
    TEXT(struct msg_executor_moved, text, MAY, MSG_ERROR_MAX, "why it stays"),
    TEXT(struct msg_executor_moved, state, MAY, 2 * MSG_MOVED_STATE_MAX,
         "what it takes along, hexadecimal; opaque"),
};
const struct fields msg_executor_moved_fields =
    FIELDS("executor_moved", struct msg_executor_moved, executor_moved_items);

static const struct field executor_bring_items[] = {
    COUNT(struct msg_executor_bring, epoch, MUST, 0, "of the appmaster"),
    COUNT(struct msg_executor_bring, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_executor_bring, task, MUST, 0, "task of that processor"),
    FIELD_U64(struct msg_executor_bring, session, MUST, "that is to begin with it"),
    TEXT(struct msg_executor_bring, state, MAY, 2 * MSG_MOVED_STATE_MAX,
         "what executor.moved told, hexadecimal; opaque"),
};
const struct fields msg_executor_bring_fields =
    FIELDS("executor_bring", struct msg_executor_bring, executor_bring_items);
