/*
 * What the master keeps for an appmaster: the first line is a plan, the rest a placement record of
 * it. What is taken is written, and taken again as the same; and the acts of an appmaster on it
 * keep it one that is taken.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/record.h"
#include "edge/json.h"
#include "graph/plan.h"

static void check_same(const struct record *r, const struct plan *plan)
{
    struct value *first = NULL;
    struct value *second = NULL;
    struct record again;
    struct gp_error err = {0};

    ASSERT(record_encode(r, true, &first) == 0);
    ASSERT(record_decode(first, plan, &again, &err) == 0);
    ASSERT(record_encode(&again, true, &second) == 0);
    ASSERT(value_equal(first, second));
    record_deinit(&again);
    value_free(first);
    value_free(second);
}

/* The first that lives dies, another takes its place, and a task begins anew. */
static void act(struct record *r, const struct plan *plan)
{
    const struct msg_executor_register info = {.incarnation = 1, .lanes_count = 3, .blocking = 1};
    const struct msg_grant grant = {.worker = 1,
                                    .name = (char *)(uintptr_t) "w",
                                    .address = (char *)(uintptr_t) "h:1",
                                    .host = (char *)(uintptr_t) "h",
                                    .slots = 2};
    uint32_t dead = 0;
    uint32_t id;

    for (uint32_t i = 0; i < r->executors_count && dead == 0; i++) {
        dead = r->executors[i].is_dead ? 0 : r->executors[i].id;
    }
    if (dead != 0) {
        record_bury(r, dead);
    }
    if (r->next_executor < UINT32_MAX && record_add(r, &grant, dead, &id) == 0) {
        record_join(r, id, &info);
        (void)record_give(r, plan, id, 7); /* too many ranges: as it was */
    }
    record_sweep(r);
    if (r->ranges_count > 0) {
        (void)record_restart(r, r->ranges[0].processor, r->ranges[0].first, 7);
        (void)record_end(r, r->ranges[0].processor, r->ranges[0].first, 1);
    }
}

static void take_record(const struct value *tree, const struct plan *plan)
{
    struct record r;
    struct gp_error err = {0};

    if (record_decode(tree, plan, &r, &err) < 0) {
        ASSERT(err.code < 0 && err.text[0] != '\0');
        return;
    }
    check_same(&r, plan);
    act(&r, plan);
    check_same(&r, plan);
    record_deinit(&r);
}

static void check_plan(const struct plan *plan)
{
    struct plan *again = NULL;
    struct value *first = NULL;
    struct value *second = NULL;

    ASSERT(plan_encode(plan, &first) == 0);
    ASSERT(plan_decode(first, &again, NULL) == 0);
    ASSERT(plan_encode(again, &second) == 0);
    ASSERT(value_equal(first, second));
    plan_free(again);
    value_free(first);
    value_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *tree = NULL;
    struct plan *plan = NULL;
    struct gp_error err = {0};
    gp_str head;
    gp_str rest;

    (void)str_cut((gp_str){(const char *)data, size}, '\n', &head, &rest);
    if (edge_json_parse(head, &tree, NULL) < 0) {
        return 0;
    }
    if (plan_decode(tree, &plan, &err) < 0) {
        ASSERT(err.code < 0 && err.text[0] != '\0');
    }
    value_free(tree);
    tree = NULL;
    if (plan) {
        check_plan(plan);
        if (edge_json_parse(rest, &tree, NULL) >= 0) {
            take_record(tree, plan);
            value_free(tree);
        }
        plan_free(plan);
    }
    return 0;
}
