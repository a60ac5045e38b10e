/*
 * The JSON parser: whatever it takes, the printer writes and it takes again, equal.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "edge/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *v = NULL;
    struct value *again = NULL;
    struct buf printed = {0};
    struct gp_error err = {0};
    /* Exactly as long as the text, so that reading past its end is seen. */
    char *text = malloc(size > 0 ? size : 1);

    ASSERT(text != NULL);
    memcpy(text, data, size);
    if (edge_json_parse((gp_str){text, size}, &v, &err) == 0) {
        ASSERT(value_print_json(v, &printed, VALUE_COMPACT) == 0);
        ASSERT(edge_json_parse(buf_str(&printed), &again, &err) == 0);
        buf_clear(&printed);
        ASSERT(value_print_json(again, &printed, VALUE_PRETTY) == 0);
    } else {
        ASSERT(err.code < 0 && err.text[0] != '\0');
    }
    value_free(v);
    value_free(again);
    buf_deinit(&printed);
    free(text);
    return 0;
}
