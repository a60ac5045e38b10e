/*
 * Drives a task under test: the queue, and whatever else calls it.
 *
 * gp_kit_run() is one loop; each turn does the first of these that there is to do:
 *
 *   a timer has come due              ->  on_timer
 *   a watermark is passing            ->  event timers up to it, then on_watermark
 *   the fd is ready, or a wake        ->  on_ready
 *   the end is there                  ->  on_end
 *   the head of the queue             ->  rows: process; watermark: let it pass; end: likewise
 *
 * It returns when the task failed or ended, outputs are full, the task waits for a wake, or nothing
 * is left. An answer of GP_YIELD leaves everything as it is, so the same turn comes again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"

#define ROW_STRIDE (sizeof(struct gp_row) + 16u) /* as of a newer host */

/* The queue. */

static int32_t push_take(struct gp_kit *kit, struct kit_element element)
{
    if (kit->queue_count == kit->queue_size && kit->queue_size < GP_KIT_ROWS_MAX) {
        uint32_t size = kit->queue_size ? kit->queue_size * 2 : 64;
        struct kit_element *queue = realloc(kit->queue, size * sizeof *queue);
        if (queue) {
            kit->queue = queue;
            kit->queue_size = size;
        }
    }
    if (kit->queue_count == kit->queue_size || kit->end_queued) {
        free(element.row);
        return GP_FAIL;
    }
    kit->end_queued = element.kind == KIT_END;
    kit->queue[kit->queue_count++] = element;
    return GP_OK;
}

int32_t gp_kit_push_msg(struct gp_kit *kit, uint32_t port, const struct gp_msg *msg)
{
    struct gp_msg plain = *msg;
    struct gp_row *row;

    plain.flags &= ~GP_MSG_HASHED;
    if (port >= kit->task.inputs || !kit->table.process || kit_msg_wrong(&plain, msg->value_len)) {
        return GP_FAIL;
    }
    row = kit_row_new(&plain, msg->value_len);
    if (!row) {
        return GP_FAIL;
    }
    return push_take(kit, (struct kit_element){KIT_ROW, port, msg->time_ns, row});
}

int32_t gp_kit_push(struct gp_kit *kit, uint32_t port, const char *key, const char *value,
                    int64_t time_ns)
{
    gp_str k = gp_str_of(key);
    gp_str v = gp_str_of(value);
    struct gp_msg msg = {.size = sizeof msg,
                         .flags = key ? GP_MSG_KEYED : 0,
                         .time_ns = time_ns,
                         .key = k.ptr,
                         .value = v.ptr};

    if (k.len > GP_KEY_MAX_BYTES || v.len > GP_MESSAGE_MAX_BYTES) {
        return GP_FAIL;
    }
    msg.key_len = (uint32_t)k.len;
    msg.value_len = (uint32_t)v.len;
    return gp_kit_push_msg(kit, port, &msg);
}

int32_t gp_kit_watermark(struct gp_kit *kit, int64_t time_ns)
{
    return push_take(kit, (struct kit_element){KIT_WATERMARK, 0, time_ns, NULL});
}

int32_t gp_kit_end(struct gp_kit *kit)
{
    return push_take(kit, (struct kit_element){KIT_END, 0, GP_TIME_MAX, NULL});
}

uint32_t gp_kit_waiting(const struct gp_kit *kit)
{
    uint32_t rows = 0;

    for (uint32_t i = kit->queue_head; i < kit->queue_count; i++) {
        rows += kit->queue[i].kind == KIT_ROW;
    }
    return rows;
}

/* process */

static uint32_t rows_ready(const struct gp_kit *kit)
{
    const struct kit_element *head = &kit->queue[kit->queue_head];
    uint32_t rows = 0;

    while (rows < kit->batch_max && kit->queue_head + rows < kit->queue_count &&
           head[rows].kind == KIT_ROW && head[rows].port == head->port) {
        rows++;
    }
    return rows;
}

/*
 * The rows as the task sees them: copies that end with the call, of the rows as of the bytes, so
 * that whoever keeps a pointer is found out. One block of rows, each pointing to a block of bytes.
 */
static char *views_new(const struct gp_kit *kit, uint32_t count)
{
    char *views = calloc(count, ROW_STRIDE);

    for (uint32_t i = 0; views && i < count; i++) {
        const struct gp_row *row = kit->queue[kit->queue_head + i].row;
        struct gp_row *view = (struct gp_row *)(void *)(views + i * ROW_STRIDE);
        char *bytes = malloc((size_t)row->key_len + row->value_len + 1);
        *view = *row;
        view->key = bytes;
        view->value = bytes ? bytes + row->key_len : NULL;
        view->flags |= row->time_ns < kit->watermark_ns ? GP_ROW_LATE : 0;
        if (bytes) {
            memcpy(bytes, row + 1, (size_t)row->key_len + row->value_len);
        }
    }
    return views;
}

static void views_free(char *views, uint32_t count)
{
    for (uint32_t i = 0; views && i < count; i++) {
        free((void *)(uintptr_t)((struct gp_row *)(void *)(views + i * ROW_STRIDE))->key);
    }
    free(views);
}

static int views_complete(const char *views, uint32_t count)
{
    for (uint32_t i = 0; views && i < count; i++) {
        if (!((const struct gp_row *)(const void *)(views + i * ROW_STRIDE))->key) {
            return 0;
        }
    }
    return views != NULL;
}

static void drop_rows(struct gp_kit *kit, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(kit->queue[kit->queue_head++].row);
    }
}

static int32_t reject_row(struct gp_kit *kit)
{
    uint32_t count = kit->rejects.count;
    struct kit_reason *reasons = realloc(kit->reject_reasons, (count + 1) * sizeof *reasons);
    struct gp_row *row = kit->queue[kit->queue_head++].row;

    kit->reject_reasons = reasons ? reasons : kit->reject_reasons;
    if (!reasons || kit_rows_add_take(&kit->rejects, row, GP_KIT_ROWS_MAX) != GP_OK) {
        if (!reasons) {
            free(row);
        }
        return kit_fail(kit, "no memory for a rejected row");
    }
    (void)snprintf(reasons[count].text, sizeof reasons[count].text, "%s", kit->reason);
    return GP_OK;
}

static int32_t process_rows(struct gp_kit *kit)
{
    uint32_t count = rows_ready(kit);
    uint32_t port = kit->queue[kit->queue_head].port;
    char *views = views_new(kit, count);
    struct gp_batch batch = {
        .size = sizeof batch, .count = count, .stride = (uint32_t)ROW_STRIDE, .rows = views};
    uint32_t consumed = 0;
    int32_t rc;

    if (!views_complete(views, count)) {
        views_free(views, count);
        return kit_fail(kit, "no memory for a batch");
    }
    kit_before(kit);
    kit->wakes_seen = gp_kit_wakes(kit);
    rc = kit->table.process(kit->self, port, &batch, &consumed, &kit->out);
    views_free(views, count);
    rc = kit_after(kit, "process", rc,
                   KIT_MAY(GP_OK) | KIT_MAY(GP_YIELD) | KIT_MAY(GP_AGAIN) | KIT_MAY(GP_REJECT));
    if (consumed > count) {
        return kit_fail(kit, "process consumed %u of %u rows", consumed, count);
    }
    drop_rows(kit, consumed);
    if (rc == GP_OK && consumed == 0 && !kit->out.full) {
        return kit_fail(kit, "process took no row though outputs have room: answer GP_AGAIN");
    }
    if (rc == GP_REJECT) {
        return consumed < count ? reject_row(kit)
                                : kit_fail(kit, "process rejected a row beyond the last");
    }
    kit->waiting = rc == GP_AGAIN;
    return rc == GP_AGAIN ? GP_OK : rc;
}

/* Timers, watermark, end. */

static int32_t fire(struct gp_kit *kit, struct kit_timer *timer)
{
    struct kit_timer fired = *timer;
    int32_t rc = GP_OK;

    kit->waiting = 0;
    kit_timer_remove(kit, timer);
    kit_before(kit);
    if (kit->table.on_timer) {
        rc = kit->table.on_timer(kit->self, fired.clock, fired.id, fired.at_ns, &kit->out);
    }
    rc = kit_after(kit, "on_timer", rc, KIT_MAY(GP_OK) | KIT_MAY(GP_YIELD));
    if (rc == GP_YIELD && !kit_timer_find(kit, fired.clock, fired.id)) {
        rc = kit->task.service->timer_set(&kit->task, fired.clock, fired.id, fired.at_ns);
    }
    return rc;
}

static int32_t pass_watermark(struct gp_kit *kit)
{
    struct kit_timer *timer = kit_timer_first(kit, GP_TIMER_EVENT);
    int32_t rc = GP_OK;

    if (timer && timer->at_ns <= kit->watermark_ns) {
        return fire(kit, timer);
    }
    kit_before(kit);
    if (kit->table.on_watermark) {
        rc = kit->table.on_watermark(kit->self, kit->watermark_ns, &kit->out);
    }
    rc = kit_after(kit, "on_watermark", rc, KIT_MAY(GP_OK) | KIT_MAY(GP_YIELD));
    if (rc == GP_OK) {
        kit->passing = 0;
        if (kit->watermark_ns > kit->out_watermark_ns) {
            kit->out_watermark_ns = kit->watermark_ns;
        }
    }
    return rc;
}

static int32_t finish(struct gp_kit *kit)
{
    int32_t rc = GP_OK;

    kit_before(kit);
    if (kit->table.on_end) {
        rc = kit->table.on_end(kit->self, &kit->out);
    }
    rc = kit_after(kit, "on_end", rc, KIT_MAY(GP_OK) | KIT_MAY(GP_YIELD) | KIT_MAY(GP_AGAIN));
    kit->ended = rc == GP_OK;
    kit->waiting = rc == GP_AGAIN;
    return rc == GP_AGAIN ? GP_OK : rc;
}

/* A wake or the watched fd, for a task that asks for them. */
static int32_t tell_ready(struct gp_kit *kit)
{
    int32_t rc;

    kit->ready = 0;
    kit->waiting = 0;
    kit->wakes_seen = gp_kit_wakes(kit);
    kit_before(kit);
    rc = kit->table.on_ready(kit->self, &kit->out);
    rc = kit_after(kit, "on_ready", rc, KIT_MAY(GP_OK) | KIT_MAY(GP_YIELD));
    kit->ready = rc == GP_YIELD;
    return rc;
}

static int32_t take_head(struct gp_kit *kit)
{
    const struct kit_element *head = &kit->queue[kit->queue_head];

    if (head->kind == KIT_ROW) {
        return process_rows(kit);
    }
    kit->queue_head++;
    kit->ending = head->kind == KIT_END;
    if (head->time_ns > kit->watermark_ns) {
        kit->watermark_ns = head->time_ns;
        kit->passing = 1;
    }
    return GP_OK;
}

/* One turn. GP_AGAIN when it could do nothing but wait, GP_END when nothing is left to do. */
static int32_t turn(struct gp_kit *kit)
{
    struct kit_timer *timer = kit_timer_first(kit, GP_TIMER_PROCESSING);

    if (timer && timer->at_ns <= kit->now_ns) {
        return fire(kit, timer);
    }
    if (kit->passing) {
        return pass_watermark(kit);
    }
    if (kit->table.on_ready && (kit->ready || gp_kit_wakes(kit) != kit->wakes_seen)) {
        return tell_ready(kit);
    }
    if (kit->waiting && gp_kit_wakes(kit) == kit->wakes_seen) {
        return GP_AGAIN;
    }
    if (kit->ending) {
        kit->wakes_seen = gp_kit_wakes(kit);
        return finish(kit);
    }
    return kit->queue_head < kit->queue_count ? take_head(kit) : GP_END;
}

int32_t gp_kit_run(struct gp_kit *kit)
{
    for (uint32_t calls = 0; calls < GP_KIT_CALLS_MAX; calls++) {
        int32_t rc;
        if (kit->failed || !kit->opened) {
            return GP_FAIL;
        }
        if (kit->ended) {
            return GP_OK;
        }
        if (kit->out.full) {
            return GP_YIELD;
        }
        rc = turn(kit);
        if (rc == GP_END) {
            kit->queue_head = 0;
            kit->queue_count = 0;
            return GP_OK;
        }
        if (rc == GP_AGAIN) {
            return GP_AGAIN;
        }
    }
    return kit_fail(kit, "the task asked for a million calls without coming to an end");
}

int32_t gp_kit_poll(struct gp_kit *kit, uint32_t budget)
{
    int32_t rc;

    if (kit->failed || !kit->opened || !kit->table.poll || kit->ended) {
        return GP_FAIL;
    }
    if (kit->out.full) {
        return GP_YIELD;
    }
    kit_before(kit);
    rc = kit_after(kit, "poll", kit->table.poll(kit->self, &kit->out, budget),
                   KIT_MAY(GP_MORE) | KIT_MAY(GP_IDLE) | KIT_MAY(GP_END));
    kit->ended = rc == GP_END;
    return rc;
}

int32_t gp_kit_message(struct gp_kit *kit, const struct gp_msg *msg)
{
    struct gp_row *row;
    int32_t rc;

    if (kit->failed || !kit->opened || !kit->table.on_message ||
        kit_msg_wrong(msg, msg->value_len)) {
        return GP_FAIL;
    }
    row = kit_row_new(msg, msg->value_len);
    if (!row) {
        return GP_FAIL;
    }
    kit_before(kit);
    rc = kit->table.on_message(kit->self, row, &kit->out);
    free(row);
    return kit_after(kit, "on_message", rc, KIT_MAY(GP_OK) | KIT_MAY(GP_REJECT));
}

void gp_kit_ready(struct gp_kit *kit)
{
    kit->waiting = 0;
    kit->ready = kit->table.on_ready != NULL;
}
