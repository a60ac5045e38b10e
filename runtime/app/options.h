/*
 * options.h: command lines as tables: one table a command gives parsing, --help, the manual
 * page and completion.
 *
 * Flags are `--name VALUE`, `--name=VALUE` or `--name` (those whose value may be left out take it
 * behind `=` alone); they may stand before, between and after the operands; `--` ends them. Every
 * value is text until its owner reads it with the getters below, which name the flag in their
 * errors. All strings are borrowed from argv and from the tables.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <gearpump/types.h>

#include "base/error.h"

#define OPTIONS_REPEAT_MAX   256 /* values of one repeatable flag */
#define OPTIONS_OPERANDS_MAX 16

enum option_kind {
    OPTION_FLAG,  /* --wait */
    OPTION_VALUE, /* --port N */
    OPTION_LIST,  /* --set k=v, may be repeated */
    OPTION_MAYBE, /* --watch or --watch=TIME; never the next word */
};

struct option_spec {
    const char *name;  /* without the dashes */
    char letter;       /* -f, or 0 */
    const char *value; /* its name in the help, as "N", or "table|json" of what it may be; NULL for
                        * OPTION_FLAG. Completion (completion.c) goes by it. */
    const char *help;  /* one line, says the default */
    enum option_kind kind;
};

struct options;

struct command_spec {
    const char *name;
    const char *operands; /* as "APP.so" or "[COMMAND]"; "" for none; as option_spec.value */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs for --help, or NULL */
    const char *examples; /* lines "$ gpctl ..." */
    const struct option_spec *options; /* ended by a NULL name */
    uint32_t operands_min;
    uint32_t operands_max;
    bool hidden; /* not in the overview */
    /* Answers the exit code of the process. context is the program's own. */
    int (*run)(const struct command_spec *spec, const struct options *options, void *context);
};

struct option_value {
    const struct option_spec *spec;
    const char *text; /* "" for OPTION_FLAG, and for OPTION_MAYBE without a value */
};

/* What a command line said. */
struct options {
    const struct command_spec *command; /* whose they are; NULL: the program's alone */
    struct option_value values[OPTIONS_REPEAT_MAX];
    uint32_t value_count;
    const char *operands[OPTIONS_OPERANDS_MAX];
    uint32_t operand_count;
    bool help;
};

bool options_has(const struct options *o, const char *name);

/* The last value given, or NULL. */
const char *options_text(const struct options *o, const char *name);

/* The i-th value of a repeatable flag, or NULL beyond the last. */
const char *options_nth(const struct options *o, const char *name, uint32_t i);

/* Whole number within [min, max] or the fallback when absent. GP_EINVAL names flag, value and
 * range. */
int options_u64(const struct options *o, const char *name, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *ret, struct gp_error *err);

/* A duration such as 500ms, 2s, 1m; a bare number is seconds. */
int options_duration(const struct options *o, const char *name, int64_t fallback_ns, int64_t *ret,
                     struct gp_error *err);

/* Splits "key=value" in place of use: key and value borrow from text. GP_EINVAL when there is no
 * key. */
int options_pair(const char *flag, const char *text, gp_str *ret_key, gp_str *ret_value,
                 struct gp_error *err);

/* ---- help ---- */

struct program_spec {
    const char *name;
    const char *summary;
    const struct command_spec *commands; /* ended by a NULL name */
    const struct option_spec *common;
    const char *footer; /* exit codes, files; may be NULL */
};

/*
 * Parses a whole command line: common flags, the command, its flags and operands. *ret_command is
 * NULL when no command was given (ret may still say help) or found. GP_EINVAL; err then has a hint.
 */
int program_parse(const struct program_spec *program, int argc, char *const *argv,
                  const struct command_spec **ret_command, struct options *ret,
                  struct gp_error *err);

/* The command of that name; on NULL, err says so and what was meant, perhaps. */
const struct command_spec *program_find(const struct program_spec *program, const char *name,
                                        struct gp_error *err);

void program_help(const struct program_spec *program, FILE *to);
void command_help(const struct program_spec *program, const struct command_spec *command, FILE *to);

#endif
