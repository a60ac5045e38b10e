/*
 * completion.c: see completion.h.
 *
 * The words before the last one are parsed as the program itself would: that says which command it
 * is and how many operands it has. What they lack yet is no error here. Then the last one is the
 * value of a flag, a flag, a command or an operand, and each of these has a table to offer from.
 */
#include "app/completion.h"

#include <ctype.h>
#include <string.h>

#include "app/config.h"
#include "app/explain.h"
#include "base/assert.h"
#include "base/str.h"

#define NAME_MAX_BYTES 128 /* of a value's name, and of a path in the configuration */

struct completion {
    const struct program_spec *program;
    const struct command_spec *command; /* NULL: not there yet */
    struct options options;
    completion_lookup_fn lookup;
    FILE *to;
    gp_str typed; /* the part of the last word that is completed */
    gp_str kept;  /* what stands before it in the same word: "--output=", "kill," */
    const char *also;
};

/* ---- candidates ---- */

/* Whether a terminal shows it as it is: no control characters, which are bytes from 0x80 on,
 * too. */
static bool is_shown_as_it_is(gp_str s)
{
    char shown[STR_SHOWN_MAX];

    while (s.len > 0) {
        const char *at = s.ptr;
        const size_t len = str_show_next(&s, shown);

        if (len != (size_t)(s.ptr - at) || memcmp(at, shown, len) != 0) {
            return false;
        }
    }
    return true;
}

/* Shells take these for themselves; a name with one of them can be written as an id instead. */
static bool is_plain(gp_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char byte = (unsigned char)s.ptr[i];
        if (byte <= ' ' || byte == 0x7f || strchr("\"'`$\\|&;<>()[]{}*?!#~^", byte)) {
            return false;
        }
    }
    return s.len > 0 && is_shown_as_it_is(s);
}

static void offer(struct completion *c, gp_str candidate, const char *what)
{
    if (is_plain(candidate) && str_starts_with(candidate, c->typed)) {
        (void)fprintf(c->to, "%.*s%.*s\t%s\n", STR_ARG(c->kept), STR_ARG(candidate), what);
    }
}

void completion_offer(struct completion *c, const char *candidate, const char *what)
{
    offer(c, gp_str_of(candidate), what);
}

gp_str completion_typed(const struct completion *c)
{
    return c->typed;
}

static void offer_commands(struct completion *c)
{
    for (const struct command_spec *s = c->program->commands; s->name; s++) {
        if (!s->hidden) {
            completion_offer(c, s->name, s->summary);
        }
    }
}

static void offer_codes(struct completion *c)
{
    uint32_t count;
    const struct explanation *all = explain_all(&count);

    for (uint32_t i = 0; i < count; i++) {
        completion_offer(c, all[i].word, all[i].means);
    }
}

/* "auto" or "true" of one key, after its `=`. */
static void offer_key_values(struct completion *c, const struct field *key, const char *path)
{
    static const char *const truths[] = {"true", "false", NULL};
    const char *const *names = key->kind == FIELD_KIND_BOOL ? truths : key->names;
    char pair[2 * NAME_MAX_BYTES];

    for (; names && *names; names++) {
        if (str_format(pair, sizeof pair, "%s=%s", path, *names) > 0) {
            completion_offer(c, pair, "");
        }
    }
}

/* Keys of the configuration; with_value: each as KEY=VALUE. */
static void offer_keys(struct completion *c, const struct fields *table, const char *prefix,
                       bool with_value)
{
    char path[NAME_MAX_BYTES];
    char shown[NAME_MAX_BYTES];

    for (size_t i = 0; i < table->count; i++) {
        const struct field *key = &table->items[i];
        ASSERT(str_format(path, sizeof path, "%s%s", prefix, key->name) > 0);
        if (key->kind == FIELD_KIND_OBJECT) {
            ASSERT(str_format(shown, sizeof shown, "%s.", path) > 0);
            offer_keys(c, key->sub, shown, with_value);
        } else if (with_value && memchr(c->typed.ptr, '=', c->typed.len)) {
            offer_key_values(c, key, path);
        } else {
            ASSERT(str_format(shown, sizeof shown, "%s%s", path, with_value ? "=" : "") > 0);
            completion_offer(c, shown, "a key of the configuration");
        }
    }
}

/* ---- what a name in the tables means ---- */

static void look_up(struct completion *c, enum completion_kind kind)
{
    if (c->lookup) {
        c->lookup(c, kind, &c->options);
    }
}

/* What a word in capitals stands for; a word in small letters is meant as it stands. */
static void offer_named(struct completion *c, gp_str name)
{
    if (name.len > 0 && islower((unsigned char)name.ptr[0])) {
        offer(c, name, "");
    } else if (str_eq(name, GP_STR("APP.so"))) {
        c->also = "files .so";
    } else if (str_eq(name, GP_STR("FILE"))) {
        c->also = "files";
    } else if (str_eq(name, GP_STR("DIR"))) {
        c->also = "folders";
    } else if (str_eq(name, GP_STR("APP")) || str_eq(name, GP_STR("ID"))) {
        look_up(c, COMPLETION_APP);
    } else if (str_eq(name, GP_STR("WORKER"))) {
        look_up(c, COMPLETION_WORKER);
    } else if (str_eq(name, GP_STR("HOST:PORT"))) {
        look_up(c, COMPLETION_MASTER);
    } else if (str_eq(name, GP_STR("EXECUTOR"))) {
        look_up(c, COMPLETION_EXECUTOR);
    } else if (str_eq(name, GP_STR("PLUGIN"))) {
        look_up(c, COMPLETION_PLUGIN);
    } else if (str_eq(name, GP_STR("KEY=VALUE"))) {
        look_up(c, COMPLETION_PARAMETER);
    } else if (str_eq(name, GP_STR("PROCESSOR=N"))) {
        look_up(c, COMPLETION_PROCESSOR);
    } else if (str_eq(name, GP_STR("PROCESSOR=WHERE"))) {
        look_up(c, COMPLETION_PLACE);
    } else if (str_eq(name, GP_STR("COMMAND")) || str_eq(name, GP_STR("ROLE"))) {
        offer_commands(c);
    } else if (str_eq(name, GP_STR("CODE"))) {
        offer_codes(c);
    } else if (str_eq(name, GP_STR("KEY"))) {
        offer_keys(c, &config_fields, "", false);
    } else if (str_eq(name, GP_STR("SETTING=VALUE"))) {
        offer_keys(c, &config_fields, "", true);
    } /* else only a person knows: N, TIME, NAME */
}

/* From now on the part of the last word behind its last `at` is completed. */
static void keep_until(struct completion *c, char at)
{
    gp_str head;
    gp_str tail;

    if (str_cut_last(c->typed, at, &head, &tail)) {
        c->kept.len += head.len + 1;
        c->typed = tail;
    }
}

static void offer_value(struct completion *c, const char *name)
{
    static const gp_str more = GP_STR_INIT("[,..]");
    gp_str s = gp_str_of(name);
    gp_str one;

    if (str_ends_with(s, more)) {
        s.len -= more.len;
        keep_until(c, ',');
    }
    while (s.len > 0) {
        (void)str_cut(s, '|', &one, &s);
        offer_named(c, one);
    }
}

/* ---- where the last word stands ---- */

static const struct option_spec *find_in(const struct option_spec *table, gp_str word)
{
    for (; table && table->name; table++) {
        if (str_starts_with(word, GP_STR("--"))
                ? str_eq(gp_str_of(table->name), (gp_str){word.ptr + 2, word.len - 2})
                : word.len == 2 && word.ptr[0] == '-' && word.ptr[1] == table->letter) {
            return table;
        }
    }
    return NULL;
}

static const struct option_spec *find_option(const struct completion *c, gp_str word)
{
    const struct option_spec *spec = find_in(c->command ? c->command->options : NULL, word);

    return spec ? spec : find_in(c->program->common, word);
}

static void offer_options_of(struct completion *c, const struct option_spec *table)
{
    char name[NAME_MAX_BYTES];

    for (; table && table->name; table++) {
        if ((table->kind == OPTION_LIST || !options_has(&c->options, table->name)) &&
            str_format(name, sizeof name, "--%s", table->name) > 0) {
            completion_offer(c, name, table->help);
        }
    }
}

static void offer_options(struct completion *c)
{
    offer_options_of(c, c->command ? c->command->options : NULL);
    offer_options_of(c, c->program->common);
    completion_offer(c, "--help", "show its flags and examples");
}

/* The n-th word of "[add|remove HOST:PORT]", or the last one if it may be repeated. */
static void offer_operand(struct completion *c, uint32_t n)
{
    gp_str rest = gp_str_of(c->command->operands);
    gp_str word = {0};
    char name[NAME_MAX_BYTES];

    for (uint32_t i = 0; i <= n && rest.len > 0; i++) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (i < n && rest.len == 0 && !str_ends_with(word, GP_STR("..."))) {
            return;
        }
    }
    while (word.len > 0 && word.ptr[0] == '[') {
        word = (gp_str){word.ptr + 1, word.len - 1};
    }
    while (word.len > 0 && strchr("].", word.ptr[word.len - 1])) {
        word.len--;
    }
    if (n < c->command->operands_max && str_format(name, sizeof name, "%.*s", STR_ARG(word)) > 0) {
        offer_value(c, name);
    }
}

static void offer_place(struct completion *c, gp_str before, bool may_be_flag)
{
    const struct option_spec *of = may_be_flag ? find_option(c, before) : NULL;
    gp_str name;
    gp_str value;

    if (of && (of->kind == OPTION_VALUE || of->kind == OPTION_LIST)) {
        offer_value(c, of->value);
    } else if (may_be_flag && str_starts_with(c->typed, GP_STR("--")) &&
               str_cut(c->typed, '=', &name, &value)) {
        of = find_option(c, name);
        c->kept.len = name.len + 1;
        c->typed = value;
        if (of && of->kind != OPTION_FLAG) {
            offer_value(c, of->value);
        }
    } else if (may_be_flag && str_starts_with(c->typed, GP_STR("-"))) {
        offer_options(c);
    } else if (!c->command) {
        offer_commands(c);
    } else {
        offer_operand(c, c->options.operand_count);
    }
}

void completion_answer(const struct program_spec *program, int count, char *const *words,
                       completion_lookup_fn lookup, FILE *to)
{
    struct completion c = {.program = program, .lookup = lookup, .to = to, .also = ""};
    struct gp_error err = {0};
    gp_str before;
    bool may_be_flag = true;
    int rc;

    ASSERT(count > 0);
    c.typed = gp_str_of(words[count - 1]);
    c.kept = (gp_str){words[count - 1], 0};
    before = count > 1 ? gp_str_of(words[count - 2]) : (gp_str){0};
    for (int i = 0; i < count - 1; i++) {
        may_be_flag = may_be_flag && strcmp(words[i], "--") != 0;
    }
    /* What stands before the first word is the program's name, as it wants it, and the last one is
     * none that it could understand. */
    rc = program_parse(program, count, words - 1, &c.command, &c.options, &err);
    if (rc == 0 || c.command || str_starts_with(before, GP_STR("-"))) {
        offer_place(&c, before, may_be_flag);
    } /* else there is no such command, and nothing follows it */
    (void)fprintf(to, ":%s\n", c.also);
}
