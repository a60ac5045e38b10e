/* partitioner.c: see partitioner.h. */
#include "graph/partitioner.h"

#include "base/assert.h"
#include "base/str.h"

static const char *const names[] = {
    [PLAN_HASH] = GP_HASH,
    [PLAN_SHUFFLE] = GP_SHUFFLE,
    [PLAN_ROUND_ROBIN] = GP_ROUND_ROBIN,
    [PLAN_BROADCAST] = GP_BROADCAST,
    [PLAN_FORWARD] = GP_FORWARD,
    [PLAN_LOCAL] = GP_LOCAL,
};

enum plan_partitioner partitioner_parse(gp_str name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, gp_str_of(names[i]))) {
            return (enum plan_partitioner)i;
        }
    }
    return PLAN_CUSTOM;
}

const char *partitioner_name(enum plan_partitioner partitioner)
{
    ASSERT((size_t)partitioner < ARRAY_LEN(names));
    return names[partitioner];
}
