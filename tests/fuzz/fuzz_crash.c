/*
 * The last words of a process, as it wrote them and as they are shown: never too long, never with
 * anything but printable text in them.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "control/worker/crash.h"

static void check_word(const char *word, size_t size)
{
    size_t len = strnlen(word, size);

    ASSERT(len < size);
    for (size_t i = 0; i < len; i++) {
        ASSERT((unsigned char)word[i] >= ' ' && word[i] != 127);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[CRASH_TEXT_MAX];
    struct crash crash;

    if (!crash_parse((gp_str){(const char *)data, size}, &crash)) {
        return 0;
    }
    check_word(crash.name, sizeof crash.name);
    check_word(crash.plugin, sizeof crash.plugin);
    check_word(crash.processor, sizeof crash.processor);
    check_word(crash.function, sizeof crash.function);
    check_word(crash.object, sizeof crash.object);
    crash_text(&crash, text, sizeof text);
    check_word(text, sizeof text);
    return 0;
}
