/*
 * Bytes as text from a stranger: parsed as numbers, shown, and put into JSON. What is shown is free
 * of control characters, what is put into JSON is UTF-8 without bare quotes, and a number that
 * parses is printed so that it parses to the same.
 */
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "base/value.h"

static void check_numbers(gp_str text)
{
    char out[STR_DOUBLE_MAX];
    uint64_t bytes;
    int64_t ns;
    double d;
    double again;

    (void)str_to_size_bytes(text, &bytes); /* must only not crash */
    if (str_to_duration_ns(text, &ns) == 0) {
        ASSERT(ns >= 0);
    }
    if (str_to_double(text, &d) == 0) {
        ASSERT(str_to_double(gp_str_of(str_put_double(d, out)), &again) == 0);
        ASSERT(!(d < again) && !(d > again));
    }
}

static void check_shown(gp_str text)
{
    char out[64];
    size_t len = str_escape(text, out, sizeof(out));

    ASSERT(len < sizeof(out) && out[len] == '\0');
    ASSERT(str_is_utf8((gp_str){.ptr = out, .len = len}));
    for (size_t i = 0; i < len; i++) {
        ASSERT((unsigned char)out[i] >= ' ' && out[i] != 0x7f);
    }
}

static void check_json(gp_str text)
{
    struct value *v = value_new_str(text);
    struct buf b = {0};
    gp_str json;

    ASSERT(v != NULL);
    ASSERT(value_print_json(v, &b, VALUE_COMPACT) == 0);
    value_free(v);
    json = buf_str(&b);
    ASSERT(str_is_utf8(json));
    ASSERT(json.len >= 2 && json.ptr[0] == '"' && json.ptr[json.len - 1] == '"');
    for (size_t i = 1; i < json.len - 1; i++) {
        ASSERT((unsigned char)json.ptr[i] >= ' ' && json.ptr[i] != '"');
        if (json.ptr[i] == '\\') {
            i++; /* whatever follows is escaped, and is not the closing quote */
            ASSERT(i < json.len - 1);
        }
    }
    buf_deinit(&b);
}

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_str text = {.ptr = (const char *)data, .len = size};

    check_numbers(text);
    check_shown(text);
    check_json(text);
    return 0;
}
