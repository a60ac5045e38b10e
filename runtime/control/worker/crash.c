/* crash.c: see crash.h. */
#include "control/worker/crash.h"

#include "base/str.h"

static void word(gp_str value, char *out, size_t cap)
{
    char clean[CRASH_PATH_MAX];

    (void)str_escape(value, clean, sizeof clean);
    (void)str_format(out, cap, "%s", clean);
}

static void number(gp_str value, uint32_t *out)
{
    uint64_t n;

    if (str_to_u64(value, &n) >= 0 && n <= UINT32_MAX) {
        *out = (uint32_t)n;
    }
}

static void hex_number(gp_str value, uint64_t *out)
{
    uint64_t n = 0;

    if (!str_starts_with(value, GP_STR("0x")) || value.len > 18) {
        return;
    }
    for (size_t i = 2; i < value.len; i++) {
        char c = value.ptr[i];
        if (c >= '0' && c <= '9') {
            n = n << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return;
        }
    }
    *out = n;
}

static void take(struct crash *crash, gp_str key, gp_str value)
{
    if (str_eq(key, GP_STR("signal"))) {
        number(value, &crash->signal);
    } else if (str_eq(key, GP_STR("name"))) {
        word(value, crash->name, sizeof crash->name);
    } else if (str_eq(key, GP_STR("plugin"))) {
        word(value, crash->plugin, sizeof crash->plugin);
    } else if (str_eq(key, GP_STR("processor"))) {
        word(value, crash->processor, sizeof crash->processor);
    } else if (str_eq(key, GP_STR("function"))) {
        word(value, crash->function, sizeof crash->function);
    } else if (str_eq(key, GP_STR("task"))) {
        number(value, &crash->task);
    } else if (str_eq(key, GP_STR("object"))) {
        word(value, crash->object, sizeof crash->object);
    } else if (str_eq(key, GP_STR("offset"))) {
        hex_number(value, &crash->offset);
    }
}

bool crash_parse(gp_str line, struct crash *ret)
{
    gp_str rest = line;
    gp_str field;

    if (!str_starts_with(line, GP_STR(CRASH_LINE_PREFIX))) {
        return false;
    }
    *ret = (struct crash){.found = true};
    rest.ptr += sizeof CRASH_LINE_PREFIX - 1;
    rest.len -= sizeof CRASH_LINE_PREFIX - 1;
    while (rest.len > 0) {
        gp_str key;
        gp_str value;
        (void)str_cut(rest, ' ', &field, &rest); /* without a blank, field is all of it */
        if (str_cut(str_trim(field), '=', &key, &value)) {
            take(ret, key, value);
        }
    }
    return true;
}

void crash_text(const struct crash *crash, char *text, size_t cap)
{
    char symbol[CRASH_WORD_MAX + 8] = "";
    char place[4 * CRASH_WORD_MAX] = "";

    if (crash->symbol[0]) {
        (void)str_format(symbol, sizeof symbol, " in %s()", crash->symbol);
    }
    if (crash->function[0] && (!crash->processor[0] || strcmp(crash->processor, "?") == 0)) {
        (void)str_format(place, sizeof place, ", plugin %s, in its %s()", crash->plugin,
                         crash->function);
    } else if (crash->function[0]) {
        (void)str_format(place, sizeof place, ", plugin %s, processor %s, task %u, in its %s()",
                         crash->plugin, crash->processor, crash->task, crash->function);
    }
    (void)str_format(text, cap, "%s%s%s", crash->name[0] ? crash->name : "a signal", symbol, place);
}
