/*
 * testkit.h: one processor under test, with no cluster: link gp_testkit, hand it the table.
 *
 *     struct gp_kit *kit = gp_kit_new(&count, 0, 1);
 *     gp_kit_set(kit, "output", "/tmp/x");
 *     gp_kit_open(kit);
 *     gp_kit_push(kit, 0, "gear", "", 0);
 *     gp_kit_end(kit);
 *     gp_kit_run(kit)                     GP_OK when all of it is done
 *     gp_kit_row(kit, 0, 0)               what came out
 *     gp_kit_free(kit);
 *
 * Rows, watermarks and the end wait in one queue, in the order given; gp_kit_run() takes them as
 * far as it can. The kit plays a host as unkind as the ABI allows: rows stand apart and vanish
 * after each call, and what the ABI forbids (two reservations, a watermark that goes back, a wrong
 * hash, ...) fails the task with a text that says so.
 *
 * Functions that drive the task answer GP_OK, GP_YIELD (outputs are full: read them, then
 * gp_kit_clear()), GP_AGAIN (it waits for gp_kit_ready(), a wake or a timer) or GP_FAIL
 * (gp_kit_failure() says why; nothing is called any more but close). Nothing here exits, blocks or
 * reads a clock. One thread; wakers may be used from any.
 */
#ifndef GEARPUMP_TESTKIT_H
#define GEARPUMP_TESTKIT_H

#include <gearpump/plugin.h>
#include <gearpump/processor.h>

#define GP_KIT_PORTS_MAX 16u
#define GP_KIT_ROWS_MAX  (1u << 20) /* waiting, and kept of each output port */
#define GP_KIT_LOG_MAX   1024u      /* lines kept; later ones are dropped */
#define GP_KIT_CALLS_MAX 1000000u   /* in one gp_kit_run(): a task that asks for more is stuck */

GP_EXTERN_C_BEGIN

struct gp_kit;

/* NULL without memory or with a table that is none. Both clocks start well past 0. */
struct gp_kit *gp_kit_new(const struct gp_processor *table, uint32_t index, uint32_t parallelism);
/* Closes what is open and frees everything; NULL is fine. */
void gp_kit_free(struct gp_kit *kit);

/* Before open. Copied. A later value replaces an earlier one. GP_OK or GP_FAIL. */
int32_t gp_kit_set(struct gp_kit *kit, const char *key, const char *value);
/* Ports in use, at most GP_KIT_PORTS_MAX; 1 and 1 unless told. Before open. */
void gp_kit_set_ports(struct gp_kit *kit, uint32_t inputs, uint32_t outputs);
/* At most so many rows in one call of process; 64 unless told. */
void gp_kit_set_batch(struct gp_kit *kit, uint32_t rows);
/* gp_out.full is set once so many rows came out since gp_kit_clear(). 0, the default: never. */
void gp_kit_set_credit(struct gp_kit *kit, uint32_t rows);
/* What gp_send() answers; GP_OK unless told. */
void gp_kit_set_send(struct gp_kit *kit, int32_t answer);

/* Checks what was set against the table of parameters, then opens the task: GP_OK or GP_FAIL.
 * Once. */
int32_t gp_kit_open(struct gp_kit *kit);
/* Closes the task, with ended = 1 if it came to its end, else 0. What came out stays readable. */
void gp_kit_close(struct gp_kit *kit);

/* Queues a row; key NULL: without key. Copied. GP_OK, or GP_FAIL: too large, no such port, too
 * many. */
int32_t gp_kit_push(struct gp_kit *kit, uint32_t port, const char *key, const char *value,
                    int64_t time_ns);
/* The same with arbitrary bytes; GP_MSG_HASHED is ignored. */
int32_t gp_kit_push_msg(struct gp_kit *kit, uint32_t port, const struct gp_msg *msg);
/* Queues a watermark of all inputs; one that goes back is ignored, as the runtime does. */
int32_t gp_kit_watermark(struct gp_kit *kit, int64_t time_ns);
/* Queues the end of all inputs: the watermark GP_TIME_MAX, then on_end. */
int32_t gp_kit_end(struct gp_kit *kit);
/* Does all that can be done now: due timers, then the queue. */
int32_t gp_kit_run(struct gp_kit *kit);
/* Moves processing time and wall clock; gp_kit_run() fires what has come due. */
void gp_kit_advance(struct gp_kit *kit, int64_t delta_ns);
/* Calls poll once, unless outputs are full: its answer (GP_MORE, GP_IDLE, GP_END), GP_YIELD or
 * GP_FAIL. */
int32_t gp_kit_poll(struct gp_kit *kit, uint32_t budget);
/* Delivers an unmanaged message at once. */
int32_t gp_kit_message(struct gp_kit *kit, const struct gp_msg *msg);
/* The watched fd is ready: gp_kit_run() calls on_ready, or again what answered GP_AGAIN. */
void gp_kit_ready(struct gp_kit *kit);

/* What came out of a port since the last gp_kit_clear(). Rows are valid until then; NULL beyond the
 * last. */
uint32_t gp_kit_count(const struct gp_kit *kit, uint32_t port);
const struct gp_row *gp_kit_row(const struct gp_kit *kit, uint32_t port, uint32_t i);
/* Whether row i is there, with this value (and key; NULL: without key). */
int gp_kit_row_is(const struct gp_kit *kit, uint32_t port, uint32_t i, const char *key,
                  const char *value);
/* Forgets all output and gives the credit back. */
void gp_kit_clear(struct gp_kit *kit);
/* The last watermark that came out; GP_TIME_MIN before the first. */
int64_t gp_kit_out_watermark(const struct gp_kit *kit);

/* Rows queued and not yet done. */
uint32_t gp_kit_waiting(const struct gp_kit *kit);
/* 1 after on_end, or after poll answered GP_END. */
int gp_kit_ended(const struct gp_kit *kit);
/* Why the task failed; "" if it did not. */
const char *gp_kit_failure(const struct gp_kit *kit);
/* Rejected rows, their values, and the reasons given. NULL beyond the last. */
uint32_t gp_kit_rejects(const struct gp_kit *kit);
const struct gp_row *gp_kit_reject(const struct gp_kit *kit, uint32_t i);
const char *gp_kit_reject_reason(const struct gp_kit *kit, uint32_t i);
/* Lines of log. NULL beyond the last. */
uint32_t gp_kit_logs(const struct gp_kit *kit);
const char *gp_kit_log(const struct gp_kit *kit, uint32_t i, int32_t *ret_level);
/* What gp_count() added up; 0 for a name never used. */
int64_t gp_kit_counter(const struct gp_kit *kit, const char *name);
/* Messages sent with gp_send() and accepted; NULL beyond the last. */
uint32_t gp_kit_sends(const struct gp_kit *kit);
const struct gp_row *gp_kit_sent(const struct gp_kit *kit, uint32_t i, const char **ret_processor,
                                 uint32_t *ret_index);
int64_t gp_kit_now_ns(const struct gp_kit *kit);
int64_t gp_kit_wall_ns(const struct gp_kit *kit);
/* Pending timers of a clock, and the time of the earliest (GP_TIME_MAX: none). */
uint32_t gp_kit_timers(const struct gp_kit *kit, uint32_t clock, int64_t *ret_next_ns);
/* The watched fd, or -1. */
int32_t gp_kit_watched(const struct gp_kit *kit, uint32_t *ret_events);
/* How often wakers of this task were used. [any thread] */
uint32_t gp_kit_wakes(const struct gp_kit *kit);

/* State: entries as snapshot() wrote them, of one task or of several. */
struct gp_kit_state;

struct gp_kit_state *gp_kit_state_new(void);
void gp_kit_state_free(struct gp_kit_state *state);
uint32_t gp_kit_state_count(const struct gp_kit_state *state);
/* Entry i; ret->bytes is borrowed until the state changes. GP_OK, or GP_FAIL beyond the last. */
int32_t gp_kit_state_entry(const struct gp_kit_state *state, uint32_t i, struct gp_entry_view *ret);
/* Adds an entry by hand, as a damaged or older one. Copied. */
int32_t gp_kit_state_add(struct gp_kit_state *state, uint32_t group, const char *name,
                         gp_bytes bytes);

/* Adds this task's entries to state. */
int32_t gp_kit_snapshot(struct gp_kit *kit, struct gp_kit_state *state);
/*
 * Gives the task the entries of key groups first..last, and with with_task those of GP_GROUP_NONE.
 * After open.
 */
int32_t gp_kit_restore(struct gp_kit *kit, const struct gp_kit_state *state, uint32_t first,
                       uint32_t last, uint32_t with_task);
int32_t gp_kit_prepare(struct gp_kit *kit, uint64_t checkpoint);
int32_t gp_kit_commit(struct gp_kit *kit, uint64_t checkpoint);
int32_t gp_kit_abort(struct gp_kit *kit, uint64_t checkpoint);

/* The kit's hash of a key. Not the runtime's: only that equal keys have equal hashes is to be
 * relied on. */
uint64_t gp_kit_hash(const void *key, size_t len);

struct gp_kit_pair {
    const char *key;
    const char *value;
};

/*
 * Runs the build function of an application and writes its graph as text, in the order it was made:
 *     source file/source x1
 *     source path=/tmp/in
 *     split split x2
 *     source:0 -> split:0 shuffle
 *     mistake: output is missing
 * Names and edges are not checked. Returns what build answered; GP_FAIL, too, without build or when
 * the text does not fit.
 */
int32_t gp_kit_build(const struct gp_entry *entry, const struct gp_kit_pair *config,
                     uint32_t config_count, char *ret_text, size_t ret_text_size);

/* The processor table of this type in a plugin's catalogue, or NULL. */
const struct gp_processor *gp_kit_find(const struct gp_entry *entry, const char *type);

GP_EXTERN_C_END

#endif
