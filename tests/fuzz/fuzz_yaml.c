/*
 * The YAML parser: every input gives a tree or an error with a place.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "edge/yaml.h"

static void check_places(const struct value *v, int depth)
{
    ASSERT(depth <= VALUE_DEPTH_MAX);
    ASSERT(value_line(v) > 0 && value_column(v) > 0);
    for (size_t i = 0; i < value_count(v); i++) {
        check_places(value_at(v, i), depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *v = NULL;
    struct gp_error err = {0};
    unsigned line = 0;
    unsigned column = 0;
    /* Exactly as long as the text, so that reading past its end is seen. */
    char *text = malloc(size > 0 ? size : 1);

    ASSERT(text != NULL);
    memcpy(text, data, size);
    if (edge_yaml_parse((gp_str){text, size}, &v, &err) == 0) {
        ASSERT(value_kind(v) == VALUE_NULL || value_line(v) > 0);
        if (value_line(v) > 0) {
            check_places(v, 1);
        }
    } else {
        ASSERT(sscanf(err.text, "%u:%u: ", &line, &column) == 2 && line > 0 && column > 0);
    }
    value_free(v);
    free(text);
    return 0;
}
