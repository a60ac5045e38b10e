/*
 * options.c: parsing; see options.h. The help is in options_help.c.
 *
 * Words are taken one after the other. Until a program's command is found flags are looked up among
 * the common ones alone, from then on among the command's first. Fails with the flag at fault in
 * words; what was parsed until then stays in *ret.
 */
#include "app/options.h"

#include <string.h>

#include "base/str.h"

#define CANDIDATES_MAX 128

static const struct option_spec help_option = {"help", 'h', NULL, "show this help", OPTION_FLAG};

static const struct option_spec *find_long(const struct option_spec *table, gp_str name)
{
    for (; table && table->name; table++) {
        if (str_eq(gp_str_of(table->name), name)) {
            return table;
        }
    }
    return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *table, char letter)
{
    for (; table && table->name; table++) {
        if (table->letter == letter) {
            return table;
        }
    }
    return NULL;
}

static uint32_t gather_names(const struct option_spec *table, gp_str *names, uint32_t count)
{
    for (; table && table->name && count < CANDIDATES_MAX; table++) {
        names[count++] = gp_str_of(table->name);
    }
    return count;
}

static int unknown_flag(const struct command_spec *command, const struct option_spec *common,
                        gp_str name, struct gp_error *err)
{
    gp_str names[CANDIDATES_MAX];
    uint32_t count =
        gather_names(common, names, gather_names(command ? command->options : NULL, names, 0));
    const gp_str *near = str_closest(name, names, count);

    if (near) {
        return gp_error_set(err, GP_EINVAL, "unknown flag --%.*s (did you mean --%.*s?)",
                            STR_ARG(name), STR_ARG(*near));
    }
    return gp_error_set(err, GP_EINVAL, "unknown flag --%.*s", STR_ARG(name));
}

static int add_value(struct options *o, const struct option_spec *spec, const char *text,
                     struct gp_error *err)
{
    if (spec == &help_option) {
        o->help = true;
        return 0;
    }
    if (o->value_count == OPTIONS_REPEAT_MAX) {
        return gp_error_set(err, GP_EINVAL, "more than %d flags", OPTIONS_REPEAT_MAX);
    }
    if (spec->kind != OPTION_LIST && options_has(o, spec->name)) {
        return gp_error_set(err, GP_EINVAL, "--%s is given twice", spec->name);
    }
    o->values[o->value_count++] = (struct option_value){spec, text};
    return 0;
}

/* "--name", "--name=value" or "-l" at argv[*at]; may take the next word too. */
static int parse_flag(const struct command_spec *command, const struct option_spec *common,
                      int argc, char *const *argv, int *at, struct options *o, struct gp_error *err)
{
    const char *word = argv[*at];
    const struct option_spec *table = command ? command->options : NULL;
    const struct option_spec *spec;
    gp_str name = gp_str_of(word + 1);
    gp_str value = {0};

    if (word[1] == '-') {
        bool glued = str_cut(gp_str_of(word + 2), '=', &name, &value);
        if (!glued) {
            name = gp_str_of(word + 2);
            value = (gp_str){0};
        }
        spec = str_eq(name, GP_STR("help")) ? &help_option : find_long(table, name);
        spec = spec ? spec : find_long(common, name);
        if (!spec) {
            return unknown_flag(command, common, name, err);
        }
    } else {
        spec = word[1] == 'h' ? &help_option : find_letter(table, word[1]);
        spec = spec ? spec : find_letter(common, word[1]);
        if (!spec || word[2] != '\0') {
            return gp_error_set(err, GP_EINVAL, "unknown flag %s", word);
        }
    }
    if (spec->kind == OPTION_FLAG) {
        return value.ptr ? gp_error_set(err, GP_EINVAL, "--%s takes no value", spec->name)
                         : add_value(o, spec, "", err);
    }
    if (spec->kind == OPTION_MAYBE && !value.ptr) {
        value = GP_STR("");
    }
    if (!value.ptr) {
        if (*at + 1 >= argc) {
            return gp_error_set(err, GP_EINVAL, "--%s needs a value: --%s %s", spec->name,
                                spec->name, spec->value);
        }
        value = gp_str_of(argv[++*at]);
    }
    return add_value(o, spec, value.ptr, err);
}

static int check_operands(const struct command_spec *command, const struct options *o,
                          struct gp_error *err)
{
    if (!command || o->help) {
        return 0;
    }
    if (o->operand_count < command->operands_min) {
        return gp_error_set(err, GP_EINVAL, "'%s' needs %s", command->name, command->operands);
    }
    if (o->operand_count > command->operands_max) {
        return gp_error_set(err, GP_EINVAL, "'%s': one word too many: %s", command->name,
                            o->operands[command->operands_max]);
    }
    return 0;
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static int add_operand(struct options *o, const char *word, struct gp_error *err)
{
    if (o->operand_count == OPTIONS_OPERANDS_MAX) {
        return gp_error_set(err, GP_EINVAL, "one word too many: %s", word);
    }
    o->operands[o->operand_count++] = word;
    return 0;
}

/* All words from argv[at] on. */
static int parse_words(const struct command_spec *command, const struct option_spec *common,
                       int argc, char *const *argv, int at, struct options *ret,
                       struct gp_error *err)
{
    bool flags = true;
    int rc = 0;

    for (; rc == 0 && at < argc; at++) {
        if (flags && strcmp(argv[at], "--") == 0) {
            flags = false;
        } else if (flags && is_flag(argv[at])) {
            rc = parse_flag(command, common, argc, argv, &at, ret, err);
        } else {
            rc = add_operand(ret, argv[at], err);
        }
    }
    return rc < 0 ? rc : check_operands(command, ret, err);
}

int program_parse(const struct program_spec *program, int argc, char *const *argv,
                  const struct command_spec **ret_command, struct options *ret,
                  struct gp_error *err)
{
    int at = 1;
    int rc = 0;

    *ret = (struct options){0};
    *ret_command = NULL;
    for (; rc == 0 && at < argc && is_flag(argv[at]); at++) {
        rc = parse_flag(NULL, program->common, argc, argv, &at, ret, err);
    }
    if (rc < 0 || at >= argc) {
        return rc;
    }
    *ret_command = program_find(program, argv[at], err);
    if (!*ret_command) {
        return GP_EINVAL;
    }
    ret->command = *ret_command;
    rc = parse_words(*ret_command, program->common, argc, argv, at + 1, ret, err);
    if (rc < 0) {
        gp_error_hint(err, "%s %s --help", program->name, (*ret_command)->name);
    }
    return rc;
}

bool options_has(const struct options *o, const char *name)
{
    return options_text(o, name) != NULL;
}

static const struct option_value *last_value(const struct options *o, const char *name)
{
    for (uint32_t i = o->value_count; i > 0; i--) {
        if (strcmp(o->values[i - 1].spec->name, name) == 0) {
            return &o->values[i - 1];
        }
    }
    return NULL;
}

const char *options_text(const struct options *o, const char *name)
{
    const struct option_value *value = last_value(o, name);

    return value ? value->text : NULL;
}

const char *options_nth(const struct options *o, const char *name, uint32_t n)
{
    for (uint32_t i = 0; i < o->value_count; i++) {
        if (strcmp(o->values[i].spec->name, name) == 0 && n-- == 0) {
            return o->values[i].text;
        }
    }
    return NULL;
}

int options_u64(const struct options *o, const char *name, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *ret, struct gp_error *err)
{
    const char *text = options_text(o, name);
    uint64_t number = fallback;

    if (text && (str_to_u64(gp_str_of(text), &number) < 0 || number < min || number > max)) {
        return gp_error_set(err, GP_EINVAL, "--%s %s: a number from %llu to %llu is needed", name,
                            text, (unsigned long long)min, (unsigned long long)max);
    }
    *ret = number;
    return 0;
}

int options_duration(const struct options *o, const char *name, int64_t fallback_ns, int64_t *ret,
                     struct gp_error *err)
{
    const struct option_value *value = last_value(o, name);
    const char *text = value ? value->text : NULL;
    int64_t ns = fallback_ns;
    uint64_t seconds;

    if (!text || (value->spec->kind == OPTION_MAYBE && !*text)) {
        *ret = fallback_ns;
        return 0;
    }
    if (str_to_u64(gp_str_of(text), &seconds) == 0 && seconds < (uint64_t)INT64_MAX / 1000000000u) {
        *ret = (int64_t)seconds * 1000000000;
        return 0;
    }
    if (str_to_duration_ns(gp_str_of(text), &ns) < 0) {
        return gp_error_set(err, GP_EINVAL,
                            "--%s %s: a duration such as 500ms, 30s or 5m is needed", name, text);
    }
    *ret = ns;
    return 0;
}

int options_pair(const char *flag, const char *text, gp_str *ret_key, gp_str *ret_value,
                 struct gp_error *err)
{
    if (!str_cut(gp_str_of(text), '=', ret_key, ret_value) || ret_key->len == 0) {
        return gp_error_set(err, GP_EINVAL, "--%s %s: KEY=VALUE is needed", flag, text);
    }
    return 0;
}
