/*
 * The life of a task under test: new, set, open, close, free; and what is judged around every call.
 */
#include "kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define START_NOW_NS  INT64_C(1000000000)          /* a machine is never at 0 */
#define START_WALL_NS INT64_C(1600000000000000000) /* September 2020 */
#define BATCH_DEFAULT 64u

/* The table of 0.1 without the drafts behind close. */
#define TABLE_SIZE_MIN offsetof(struct gp_processor, snapshot)

int32_t kit_fail(struct gp_kit *kit, const char *format, ...)
{
    va_list args;

    if (!kit->failed) {
        va_start(args, format);
        (void)vsnprintf(kit->failure, sizeof kit->failure, format, args);
        va_end(args);
    }
    kit->failed = 1;
    return GP_FAIL;
}

void kit_before(struct gp_kit *kit)
{
    kit->reason[0] = '\0';
    kit->overdraft_bytes = 0;
}

int32_t kit_after(struct gp_kit *kit, const char *function, int32_t rc, uint32_t allowed)
{
    (void)kit_cursor_take_back(kit); /* which says itself why not */
    if (kit->reserved) {
        free(kit->reserved);
        kit->reserved = NULL;
        return kit_fail(kit, "%s left a reservation open", function);
    }
    if (rc == GP_FAIL) {
        return kit_fail(kit, "%s",
                        kit->reason[0] ? kit->reason : "the task failed without a reason");
    }
    if (rc < 0 || rc > GP_END || !(allowed & KIT_MAY(rc))) {
        return kit_fail(kit, "%s answered %d, which it may not", function, rc);
    }
    return kit->failed ? GP_FAIL : rc;
}

/* A copy of the table as far as its maker knew it: fields behind its size are absent, thus NULL. */
static int32_t copy_table(const struct gp_processor *from, struct gp_processor *ret)
{
    if (!from || from->size < TABLE_SIZE_MIN || from->kind != GP_KIND_PROCESSOR) {
        return GP_FAIL;
    }
    memcpy(ret, from, from->size < sizeof *ret ? from->size : sizeof *ret);
    return ret->open && (ret->poll != NULL) != (ret->process != NULL) ? GP_OK : GP_FAIL;
}

struct gp_kit *gp_kit_new(const struct gp_processor *table, uint32_t index, uint32_t parallelism)
{
    struct gp_kit *kit = calloc(1, sizeof *kit);

    if (!kit) {
        return NULL;
    }
    kit->logs = calloc(GP_KIT_LOG_MAX, sizeof *kit->logs);
    if (!kit->logs || index >= parallelism || copy_table(table, &kit->table) != GP_OK) {
        free(kit->logs);
        free(kit);
        return NULL;
    }
    kit->task = (struct gp_task){.size = sizeof kit->task,
                                 .index = index,
                                 .parallelism = parallelism,
                                 .inputs = table->poll ? 0 : 1,
                                 .outputs = 1,
                                 .app_id = 1,
                                 .app_name = "testkit",
                                 .processor = table->type};
    kit->now_ns = START_NOW_NS;
    kit->wall_ns = START_WALL_NS;
    kit->watermark_ns = GP_TIME_MIN;
    kit->out_watermark_ns = GP_TIME_MIN;
    kit->batch_max = BATCH_DEFAULT;
    kit->send_answer = GP_OK;
    kit->watched_fd = -1;
    kit_out_init(&kit->out, kit);
    kit_services_init(kit);
    return kit;
}

void gp_kit_free(struct gp_kit *kit)
{
    if (!kit) {
        return;
    }
    gp_kit_close(kit);
    for (uint32_t i = kit->queue_head; i < kit->queue_count; i++) {
        free(kit->queue[i].row);
    }
    free(kit->queue);
    free(kit->lent_room);
    free(kit->timers);
    for (uint32_t i = 0; i < GP_KIT_PORTS_MAX; i++) {
        kit_rows_deinit(&kit->rows[i]);
    }
    kit_rows_deinit(&kit->rejects);
    free(kit->reject_reasons);
    kit_rows_deinit(&kit->sends);
    for (uint32_t i = 0; i < kit->pairs_count; i++) {
        free(kit->pairs[i].value);
    }
    free(kit->logs);
    free(kit);
}

int32_t gp_kit_set(struct gp_kit *kit, const char *key, const char *value)
{
    char *copy = strdup(value);
    uint32_t i = 0;

    while (i < kit->pairs_count && strcmp(kit->pairs[i].key, key) != 0) {
        i++;
    }
    if (!copy || kit->opened || i == KIT_PAIRS_MAX || strlen(key) > GP_NAME_MAX_BYTES) {
        free(copy);
        return GP_FAIL;
    }
    (void)snprintf(kit->pairs[i].key, sizeof kit->pairs[i].key, "%s", key);
    free(kit->pairs[i].value);
    kit->pairs[i].value = copy;
    kit->pairs_count += i == kit->pairs_count;
    return GP_OK;
}

void gp_kit_set_ports(struct gp_kit *kit, uint32_t inputs, uint32_t outputs)
{
    kit->task.inputs = inputs < GP_KIT_PORTS_MAX ? inputs : GP_KIT_PORTS_MAX;
    kit->task.outputs = outputs < GP_KIT_PORTS_MAX ? outputs : GP_KIT_PORTS_MAX;
}

void gp_kit_set_batch(struct gp_kit *kit, uint32_t rows)
{
    kit->batch_max = rows > 0 ? rows : 1;
}

void gp_kit_set_credit(struct gp_kit *kit, uint32_t rows)
{
    kit->credit = rows;
    kit->out.full = rows > 0 && kit->spent >= rows;
}

void gp_kit_set_send(struct gp_kit *kit, int32_t answer)
{
    kit->send_answer = answer;
}

static const struct gp_parameter *find_parameter(const struct gp_kit *kit, const char *name)
{
    for (uint32_t i = 0; i < gp_processor_parameter_count(&kit->table); i++) {
        const struct gp_parameter *p = gp_processor_parameter(&kit->table, i);
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

/* What the runtime checks when it has the graph; here the first mistake is enough. */
static int32_t check_parameters(struct gp_kit *kit)
{
    const uint32_t count = gp_processor_parameter_count(&kit->table);
    char expected[KIT_TEXT_BYTES];

    for (uint32_t i = 0; count > 0 && i < kit->pairs_count; i++) {
        const struct kit_pair *pair = &kit->pairs[i];
        const struct gp_parameter *p = find_parameter(kit, pair->key);
        if (!p) {
            return kit_fail(kit, "there is no parameter '%s'", pair->key);
        }
        if (gp_parameter_check(p, gp_str_of(pair->value), expected, sizeof expected) != GP_OK) {
            return kit_fail(kit, "parameter %s is '%s', not %s", p->name, pair->value, expected);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct gp_parameter *p = gp_processor_parameter(&kit->table, i);
        if ((p->flags & GP_PARAMETER_REQUIRED) && !kit->config.get(&kit->config, p->name).ptr) {
            return kit_fail(kit, "parameter %s is missing", p->name);
        }
    }
    return GP_OK;
}

int32_t gp_kit_open(struct gp_kit *kit)
{
    int32_t rc;

    if (kit->failed || kit->opened || kit->closed || check_parameters(kit) != GP_OK) {
        return GP_FAIL;
    }
    kit_before(kit);
    rc = kit->table.open(&kit->task, &kit->self);
    kit->opened = rc == GP_OK;
    return kit_after(kit, "open", rc, KIT_MAY(GP_OK));
}

void gp_kit_close(struct gp_kit *kit)
{
    if (!kit->opened) {
        return;
    }
    kit->opened = 0;
    kit->closed = 1;
    if (kit->table.close) {
        kit->table.close(kit->self, kit->ended && !kit->failed);
    }
}

void gp_kit_advance(struct gp_kit *kit, int64_t delta_ns)
{
    kit->now_ns += delta_ns;
    kit->wall_ns += delta_ns;
}
