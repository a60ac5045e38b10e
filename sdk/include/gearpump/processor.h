/*
 * processor.h: the table of functions that is a processor, a source or a sink.
 *
 * Life of a task:
 *
 *     open → [restore] → (process | poll | on_watermark | on_timer | on_ready | on_message)*
 *                      → [on_end] → close
 *
 * All of one task's calls come from one thread at a time, its lane's; tasks of one plugin run on
 * several lanes at once, so a plugin's own globals need care. No call may block, unless the table
 * says GP_PROCESSOR_BLOCKING. A table has `open`, and `poll` (a source) or `process`, not both;
 * the rest may be NULL.
 */
#ifndef GEARPUMP_PROCESSOR_H
#define GEARPUMP_PROCESSOR_H

#include <stdlib.h>

#include <gearpump/host.h>
#include <gearpump/message.h>
#include <gearpump/parameter.h>
#include <gearpump/state.h>

/* What a table of a plugin is: its second field, after the size. */
#define GP_KIND_PROCESSOR   1u
#define GP_KIND_PARTITIONER 2u

/* gp_processor.flags */
#define GP_PROCESSOR_STATEFUL 1u /* results depend on what came before: moves with its state only */
#define GP_PROCESSOR_BLOCKING 2u /* its calls may block: it gets a lane of its own */

struct gp_processor {
    uint32_t size;
    uint32_t kind;    /* GP_KIND_PROCESSOR */
    const char *type; /* unique in the plugin; stable, for it stands in plans */
    uint32_t flags;
    uint32_t reserved;

    /*
     * Makes the task's own data; task is valid until close returns. GP_OK, or GP_FAIL: then nothing
     * is left behind, for close is not called. [task thread] [may block: briefly]
     */
    int32_t (*open)(const struct gp_task *task, void **ret_self);
    /*
     * Takes rows of one input port. Set *consumed to the rows done (it comes in as 0) and return:
     *   GP_OK      rows before *consumed are done; the rest comes again when outputs have room;
     *   GP_YIELD   the same, once the other tasks had their turn;
     *   GP_AGAIN   the same, after a wake, a timer or a watched fd;
     *   GP_REJECT  rows before *consumed are done and row *consumed is bad;
     *   GP_FAIL    the task fails, at row *consumed.
     */
    int32_t (*process)(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out);
    /* Sources: emits up to about `budget` messages. GP_MORE, GP_IDLE, GP_END or GP_FAIL. */
    int32_t (*poll)(void *self, struct gp_out *out, uint32_t budget);
    /*
     * All inputs have reached time_ns. The watermark is passed on after GP_OK. GP_YIELD: call again
     * before time moves on.
     */
    int32_t (*on_watermark)(void *self, int64_t time_ns, struct gp_out *out);
    /* A timer came; it is no longer set. GP_OK, GP_YIELD (call again), GP_FAIL. */
    int32_t (*on_timer)(void *self, uint32_t clock, uint64_t id, int64_t at_ns, struct gp_out *out);
    /* A message sent with gp_send(). GP_OK, GP_REJECT or GP_FAIL. */
    int32_t (*on_message)(void *self, const struct gp_row *row, struct gp_out *out);
    /*
     * Every input has ended, and the watermark GP_TIME_MAX came before: the last chance to emit and
     * to fail. Not called on sources. GP_OK, GP_YIELD (call again), GP_AGAIN (the same, after a
     * wake, a timer or a watched fd), GP_FAIL.
     */
    int32_t (*on_end)(void *self, struct gp_out *out);
    /* Frees everything. ended is 1 after a regular end, 0 when the task was stopped or failed. */
    void (*close)(void *self, uint32_t ended);

    /*
     * Drafts for checkpoints, see state.h and sdk/README.md. prepare, commit and abort are
     * idempotent and may be called on another instance than the one that wrote.
     */
    int32_t (*snapshot)(void *self, struct gp_snapshot *snapshot);
    int32_t (*restore)(void *self, struct gp_restore *restore);
    int32_t (*prepare)(void *self, uint64_t checkpoint);
    int32_t (*commit)(void *self, uint64_t checkpoint);
    int32_t (*abort)(void *self, uint64_t checkpoint);

    /* What it can be told, see parameter.h; none given: anything. Since ABI 0.1, behind the first
     * draft: look at `size` first, or use gp_processor_parameter(). */
    const struct gp_parameter *parameters;
    uint32_t parameter_count;
    uint32_t parameter_stride; /* bytes from one parameter to the next */

    /*
     * Not of sources, which are polled: the watched fd is ready, or a waker was used. Whatever
     * waits to be emitted can be, with or without rows to process. While on_end waits it is called
     * before. GP_OK, GP_YIELD (call again), GP_FAIL.
     */
    int32_t (*on_ready)(void *self, struct gp_out *out);
};

/* How many parameters a table lists; 0: it does not say. */
static inline uint32_t gp_processor_parameter_count(const struct gp_processor *table)
{
    if (table->size < offsetof(struct gp_processor, parameter_stride) + sizeof(uint32_t) ||
        !table->parameters || table->parameter_stride < sizeof(struct gp_parameter)) {
        return 0;
    }
    return table->parameter_count;
}

static inline const struct gp_parameter *gp_processor_parameter(const struct gp_processor *table,
                                                                uint32_t index)
{
    return (const struct gp_parameter *)((const char *)table->parameters +
                                         (size_t)index * table->parameter_stride);
}

/* An `open` for processors that keep nothing: self is the task. */
static inline int32_t gp_open_stateless(const struct gp_task *task, void **ret_self)
{
    *ret_self = (void *)(uintptr_t)task;
    return GP_OK;
}

/*
 * The next row to process, or NULL at the end of the batch or when the outputs are full. For
 * process():
 *
 *     const struct gp_row *row;
 *     while ((row = gp_next(in, consumed, out)) != NULL) {
 *         ...
 *         ++*consumed;
 *     }
 *     return GP_OK;
 */
static inline const struct gp_row *gp_next(const struct gp_batch *in, const uint32_t *consumed,
                                           const struct gp_out *out)
{
    if (*consumed >= in->count || gp_out_full(out)) {
        return NULL;
    }
    return gp_batch_row(in, *consumed);
}

/*
 * The same as a loop header: GP_EACH(row, in, consumed, out) { ... row->value ... }
 * `continue` counts the row as done; returning GP_REJECT or GP_FAIL from inside names it.
 */
#define GP_EACH(row, in, consumed, out)                                                            \
    for (const struct gp_row *row; ((row) = gp_next((in), (consumed), (out))) != NULL;             \
         ++*(consumed))

/* `close` of a task whose own data is one piece of malloc(). */
static inline void gp_close_free(void *self, uint32_t ended)
{
    (void)ended;
    free(self);
}

/* `restore` of a task whose whole state is one entry of `len` bytes: *to is set, or stays when
 * there is none. GP_OK, or GP_FAIL with the reason given. */
static inline int32_t gp_restore_into(const struct gp_task *task, struct gp_restore *restore,
                                      void *to, size_t len)
{
    struct gp_entry_view entry;
    int32_t rc;

    memset(&entry, 0, sizeof entry);
    entry.size = sizeof entry;
    while ((rc = restore->next(restore, &entry)) > 0) {
        if (entry.bytes.len != len) {
            return gp_fail(task, "the saved state is damaged");
        }
        memcpy(to, entry.bytes.ptr, len);
    }
    return rc < 0 ? gp_fail(task, "the saved state is damaged") : GP_OK;
}

/*
 * A rule on an edge: which task of the next processor gets a message. Made once per (edge, sending
 * lane). route is called for each message and must be cheap and pure.
 */
struct gp_partitioner {
    uint32_t size;
    uint32_t kind;    /* GP_KIND_PARTITIONER */
    const char *type; /* unique in the plugin */
    int32_t (*open)(const struct gp_config *config, uint32_t targets, void **ret_self);
    /* A task index below `targets` (any other fails the task). source is the index of the sending
     * task. */
    uint32_t (*route)(void *self, const struct gp_msg *msg, uint32_t source, uint32_t targets);
    void (*close)(void *self);
};

#endif
