/*
 * Command lines: the words of one, each ended by a zero, against a program with every kind of flag.
 * What is taken was said; what is refused is refused in words.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "base/assert.h"

#define WORDS_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_spec flags[] = {
    {"wait", 'w', NULL, "waits", OPTION_FLAG},
    {"slots", 0, "N", "how many", OPTION_VALUE},
    {"set", 's', "KEY=VALUE", "a setting", OPTION_LIST},
    {"timeout", 't', "DURATION", "how long", OPTION_VALUE},
    {NULL, 0, NULL, NULL, OPTION_FLAG},
};
static const struct option_spec common[] = {
    {"config", 'c', "FILE", "the settings", OPTION_VALUE},
    {NULL, 0, NULL, NULL, OPTION_FLAG},
};
static const struct command_spec commands[] = {
    {.name = "submit",
     .operands = "APP.so",
     .options = flags,
     .operands_min = 1,
     .operands_max = 3},
    {.name = "list", .operands = ""},
    {.name = NULL},
};
static const struct program_spec program = {
    .name = "fuzz", .summary = "", .commands = commands, .common = common};

static void read_all(const struct options *o)
{
    struct gp_error err = {0};
    gp_str key;
    gp_str value;
    uint64_t n;
    int64_t ns;

    ASSERT(o->value_count <= OPTIONS_REPEAT_MAX && o->operand_count <= OPTIONS_OPERANDS_MAX);
    if (options_u64(o, "slots", 1, 100, 7, &n, &err) == 0) {
        ASSERT(n >= 1 && n <= 100);
    } else {
        ASSERT(strstr(err.text, "slots") != NULL);
    }
    if (options_duration(o, "timeout", 5, &ns, &err) == 0) {
        ASSERT(ns >= 0);
    }
    for (uint32_t i = 0; options_nth(o, "set", i) != NULL; i++) {
        if (options_pair("set", options_nth(o, "set", i), &key, &value, &err) == 0) {
            ASSERT(key.len > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *argv[WORDS_MAX + 1] = {(char *)(uintptr_t) "fuzz"};
    const struct command_spec *command = NULL;
    struct gp_error err = {0};
    struct options o;
    int argc = 1;

    ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at < size && argc < (int)WORDS_MAX; at += strlen(text + at) + 1) {
        argv[argc++] = text + at;
    }
    if (program_parse(&program, argc, argv, &command, &o, &err) == 0) {
        read_all(&o);
        ASSERT(command == NULL || o.help || o.operand_count <= command->operands_max);
    } else {
        ASSERT(err.text[0] != '\0');
    }
    free(text);
    return 0;
}
