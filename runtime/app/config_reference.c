/* config_reference.c: the table of keys as a commented YAML file; see config.h. */
#include <ctype.h>
#include <string.h>

#include "app/config.h"
#include "base/assert.h"
#include "base/str.h"

#define LINE_WIDTH 98
#define PATH_LEN   128

/* Words of text as comment lines that do not grow beyond LINE_WIDTH. */
static void print_comment(FILE *to, int indent, const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str word;
    size_t column = 0;

    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (column == 0 || column + 1 + word.len > LINE_WIDTH) {
            (void)fprintf(to, "%s%*s#", column > 0 ? "\n" : "", indent, "");
            column = (size_t)indent + 1;
        }
        (void)fprintf(to, " %.*s", STR_ARG(word));
        column += 1 + word.len;
    }
    (void)fputc('\n', to);
}

const char *config_variable(const char *key, char out[CONFIG_KEY_MAX])
{
    size_t len = 0;

    (void)str_format(out, CONFIG_KEY_MAX, "GEARPUMP_");
    for (len = strlen(out); *key && len + 3 < CONFIG_KEY_MAX; key++) {
        if (*key == '.') {
            out[len++] = '_';
            out[len++] = '_';
        } else {
            out[len++] = (char)toupper((unsigned char)*key);
        }
    }
    out[len] = '\0';
    return out;
}

static void each_key(const struct fields *table, const char *prefix, config_key_fn fn, void *user)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        char key[CONFIG_KEY_MAX];

        ASSERT(str_format(key, sizeof key, "%s%s", prefix, field->name) > 0);
        if (field->kind == FIELD_KIND_OBJECT) {
            ASSERT(str_format(key, sizeof key, "%s%s.", prefix, field->name) > 0);
            each_key(field->sub, key, fn, user);
        } else {
            fn(user, key, field);
        }
    }
}

void config_each_key(config_key_fn fn, void *user)
{
    each_key(&config_fields, "", fn, user);
}

static bool is_text(const struct field *field)
{
    return field->kind == FIELD_KIND_TEXT || field->kind == FIELD_KIND_TEXTS;
}

/* A value as YAML: lists in brackets, text in quotes. */
static void print_value(FILE *to, const struct field *field)
{
    const char *value = field->otherwise ? field->otherwise : "";
    bool is_list = field->kind == FIELD_KIND_TEXTS;
    bool is_quoted = is_text(field) && !(is_list && !*value);

    (void)fprintf(to, "%s%s%s%s%s", is_list ? "[" : "", is_quoted ? "\"" : "", value,
                  is_quoted ? "\"" : "", is_list ? "]" : "");
}

static void print_table(FILE *to, const struct fields *table, const char *prefix, int indent);

static void print_key(FILE *to, const struct field *field, const char *prefix, int indent)
{
    char path[PATH_LEN];
    char kind[256];
    char variable[CONFIG_KEY_MAX];

    ASSERT(str_format(path, sizeof(path), "%s%s", prefix, field->name) > 0);
    print_comment(to, indent, field->doc);
    if (field->kind == FIELD_KIND_OBJECT) {
        (void)fprintf(to, "%*s%s:\n", indent, "", field->name);
        ASSERT(str_format(path, sizeof(path), "%s%s.", prefix, field->name) > 0);
        print_table(to, field->sub, path, indent + 2);
        return;
    }
    (void)fprintf(to, "%*s# (%s; %s)\n%*s%s: ", indent, "",
                  field_describe(field, kind, sizeof(kind)), config_variable(path, variable),
                  indent, "", field->name);
    print_value(to, field);
    (void)fputc('\n', to);
}

static void print_table(FILE *to, const struct fields *table, const char *prefix, int indent)
{
    for (size_t i = 0; i < table->count; i++) {
        if (indent == 0 || i > 0) {
            (void)fputc('\n', to);
        }
        print_key(to, &table->items[i], prefix, indent);
    }
}

void config_print_reference(FILE *to)
{
    (void)fputs("# Gearpump: every key of the configuration, each with its default.\n"
                "#\n"
                "# Read from --config FILE, else $GEARPUMP_CONFIG, else " CONFIG_SYSTEM_PATH ".\n"
                "# Environment variables (named below) go before the file, flags before both.\n"
                "# `gpd check-config FILE` checks a file; an unknown key is a mistake.\n",
                to);
    print_table(to, &config_fields, "", 0);
}
