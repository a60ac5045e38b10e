/*
 * lane_look.c: what the control thread wants to know of a running lane now and then, and cannot
 * read beside it: the states of its sources, which tasks have ended, whom it cannot reach, what was
 * measured.
 *
 * The control thread asks (lane_ask_news), the lane answers in one of its next turns with a block
 * of memory of its own. A state that is the same as in the answer before is left out, unless all
 * are asked for. Snapshots are taken between callbacks, as any call into user code.
 *
 * Thread: the lane's, save lane_ask_news and lane_take_news. Failures: without memory, or when
 * snapshot() fails or writes too much, the state is left out; its task goes on.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "data/lane.h"
#include "data/neighbour_stream.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/task_call.h"
#include "wire/messages_executor.h"

#define ENDS_INTERVAL_NS INT64_C(100000000)
#define STATES_MAX_BYTES                                                                           \
    ((size_t)MSG_STATES_MAX * (MSG_STATE_MAX + 12u)) /* beyond it some are left out */

void lane_ask_news(struct lane *lane, enum lane_ask ask)
{
    if (atomic_load(&lane->ask) < (uint32_t)ask) {
        atomic_store(&lane->ask, (uint32_t)ask);
    }
    lane_wake(lane, SLEEP_DATA);
}

/* Many that end one after the other are told together: by the executor's next question. */
void lane_tell_end(struct lane *lane)
{
    if (lane->end_told_ns == 0 || lane->now_ns - lane->end_told_ns >= ENDS_INTERVAL_NS) {
        lane->end_told_ns = lane->now_ns;
        lane_ask_news(lane, LANE_ASK_ENDS);
    }
}

struct lane_news *lane_take_news(struct lane *lane)
{
    return atomic_exchange(&lane->news, NULL);
}

void lane_news_free(struct lane_news *news)
{
    if (news) {
        buf_deinit(&news->states);
        free(news->ended);
        free(news->links);
        measures_free(news->measures);
        free(news);
    }
}

/* ---- states ---- */

/* u32 processor, u32 task, u32 length, bytes. */
static void add_state(struct lane_news *news, const struct task *t, gp_bytes bytes)
{
    size_t before = buf_len(&news->states);

    if (buf_append_u32(&news->states, t->stage->processor) < 0 ||
        buf_append_u32(&news->states, t->api.index) < 0 ||
        buf_append_u32(&news->states, (uint32_t)bytes.len) < 0 ||
        buf_append_bytes(&news->states, bytes) < 0) {
        buf_truncate(&news->states, before);
    }
}

static void look_at_task(struct task *t, struct lane_news *news, bool all)
{
    struct buf state;
    int32_t rc;

    if (t->state != TASK_RUNNING) {
        return;
    }
    buf_init(&state, MSG_STATE_MAX);
    rc = call_snapshot(t, &state);
    if (rc != GP_OK) {
        if (!t->state_failed) {
            LOG_WARN(t->stage->lane->env->log, "task.state_not_kept",
                     KV_STR("processor", t->stage->name), KV_U64("task", t->api.index),
                     KV_U64("bytes_max", MSG_STATE_MAX));
        }
        t->state_failed = true;
    } else {
        uint64_t hash = hash_bytes(buf_bytes(&state).ptr, buf_len(&state), 1);

        if (all || hash != t->state_hash) {
            t->state_hash = hash;
            add_state(news, t, buf_bytes(&state));
        }
    }
    buf_deinit(&state);
}

static void look_at_states(struct lane *lane, struct lane_news *news, bool all)
{
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && s->table.poll && s->table.snapshot && i < s->task_count; i++) {
            look_at_task(s->tasks[i], news, all);
        }
    }
}

/* ---- ended tasks, neighbours out of reach ---- */

static void add_ended(struct lane_news *news, uint32_t processor, uint32_t task)
{
    struct lane_tasks *last = news->ended_count > 0 ? &news->ended[news->ended_count - 1] : NULL;

    if (last && last->processor == processor && last->first + last->count == task) {
        last->count++;
        return;
    }
    news->ended[news->ended_count++] = (struct lane_tasks){processor, task, 1};
}

static void look_at_ended(struct lane *lane, struct lane_news *news)
{
    news->ended = (struct lane_tasks *)calloc(lane->tasks_closed + 1u, sizeof(*news->ended));
    for (uint32_t p = 0; news->ended && p < lane->topology->plan->processor_count; p++) {
        const struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && s->ended > 0 && i < s->task_count; i++) {
            if (s->tasks[i]->state == TASK_CLOSED) {
                add_ended(news, p, s->tasks[i]->api.index);
            }
        }
    }
}

static void look_at_links(struct lane *lane, struct lane_news *news)
{
    const int64_t now_ns = loop_fresh_now_ns(lane->loop); /* user code may have taken long */

    news->links = (struct reach_link *)calloc(lane->other_count + 1u, sizeof(*news->links));
    for (uint32_t i = 0; news->links && i < lane->other_count; i++) {
        const struct neighbour *p = lane->others[i];

        if (p->kind == NEIGHBOUR_STREAM) {
            reach_add(news->links, &news->link_count, lane->topology->lanes[p->index].executor,
                      neighbour_stream_reach(p, now_ns));
        }
    }
}

void lane_look(struct lane *lane)
{
    uint32_t ask = atomic_exchange(&lane->ask, LANE_ASK_NOTHING);
    struct lane_news *news = (struct lane_news *)calloc(1, sizeof(*news));
    struct lane_news *old;

    if (!news) {
        return;
    }
    buf_init(&news->states, STATES_MAX_BYTES);
    old = lane_take_news(lane);
    if (old) { /* nobody has read it: what it says of states is not said again by itself */
        struct buf empty = news->states;
        news->states = old->states;
        old->states = empty;
        lane_news_free(old);
    }
    if (ask >= LANE_ASK_CHANGES) {
        look_at_states(lane, news, ask == LANE_ASK_ALL);
    }
    look_at_ended(lane, news);
    look_at_links(lane, news);
    news->measures = measure_copy(lane);
    lane_news_free(atomic_exchange(&lane->news, news));
    if (lane->env->notify) {
        lane->env->notify(lane->env->notify_user);
    }
}
