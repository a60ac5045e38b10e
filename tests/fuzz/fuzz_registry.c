/*
 * What masters store and tell each other of applications: the input is taken as a snapshot of the
 * registry, and as a command on an empty one. What is taken is written, and taken again as the
 * same.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/registry_codec.h"
#include "edge/json.h"

static int parse(void *world, gp_str text, struct value **ret, struct gp_error *err)
{
    (void)world;
    return edge_json_parse(text, ret, err);
}

static const struct world_ops ops = {.json_parse = parse};
static const struct port port = {.ops = &ops};

static void check_same(const struct registry *r)
{
    struct registry again;
    struct buf first = {0};
    struct buf second = {0};

    registry_init(&again, 2);
    ASSERT(registry_save(r, &first) == 0);
    ASSERT(registry_load(&again, &port, buf_bytes(&first), NULL) == 0);
    ASSERT(registry_save(&again, &second) == 0);
    ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    registry_deinit(&again);
    buf_deinit(&first);
    buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registry r;
    struct command_box box;
    struct app *app;

    registry_init(&r, 1);
    if (registry_load(&r, &port, gp_bytes_of(data, size), NULL) == 0) {
        check_same(&r);
    }
    if (command_decode(&port, gp_bytes_of(data, size), &box, NULL) == 0) {
        if (registry_apply(&r, &box.command, &app, NULL) == 0) {
            check_same(&r);
        }
        command_box_deinit(&box);
    }
    registry_deinit(&r);
    return 0;
}
