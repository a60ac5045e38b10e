/* options_help.c: what --help shows, made from the same tables that parse; see options.h. */
#include <string.h>

#include "app/options.h"
#include "base/str.h"

#define NAME_WIDTH 28

static void print_option(const struct option_spec *option, FILE *to)
{
    char left[96];
    char letter[8] = "    ";

    if (option->letter) {
        (void)str_format(letter, sizeof letter, "-%c, ", option->letter);
    }
    if (option->kind == OPTION_MAYBE) {
        (void)str_format(left, sizeof left, "%s--%s[=%s]", letter, option->name, option->value);
    } else {
        (void)str_format(left, sizeof left, "%s--%s%s%s", letter, option->name,
                         option->value ? " " : "", option->value ? option->value : "");
    }
    (void)fprintf(to, "  %-*s", NAME_WIDTH, left);
    if (strlen(left) > NAME_WIDTH) {
        (void)fprintf(to, "\n  %*s", NAME_WIDTH, "");
    }
    (void)fprintf(to, " %s%s\n", option->help,
                  option->kind == OPTION_LIST ? " (may be repeated)" : "");
}

static void print_options(const char *title, const struct option_spec *table, FILE *to)
{
    if (!table || !table->name) {
        return;
    }
    (void)fprintf(to, "\n%s:\n", title);
    for (; table->name; table++) {
        print_option(table, to);
    }
}

const struct command_spec *program_find(const struct program_spec *program, const char *name,
                                        struct gp_error *err)
{
    gp_str names[64];
    size_t count = 0;
    char meant[STR_MEANT_MAX];

    for (const struct command_spec *c = program->commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
        if (!c->hidden && count < sizeof names / sizeof names[0]) {
            names[count++] = gp_str_of(c->name);
        }
    }
    (void)gp_error_set(err, GP_EINVAL, "'%s' is not a command of %s%s", name, program->name,
                       str_meant(gp_str_of(name), names, count, meant));
    gp_error_hint(err, "%s help", program->name);
    return NULL;
}

void program_help(const struct program_spec *program, FILE *to)
{
    (void)fprintf(to, "%s: %s\n\nUsage: %s COMMAND [FLAGS] ...\n\nCommands:\n", program->name,
                  program->summary, program->name);
    for (const struct command_spec *c = program->commands; c->name; c++) {
        if (!c->hidden) {
            char left[96];
            (void)str_format(left, sizeof left, "%s %s", c->name, c->operands);
            (void)fprintf(to, "  %-*s %s\n", NAME_WIDTH, left, c->summary);
        }
    }
    print_options("Flags of every command", program->common, to);
    if (program->footer) {
        (void)fprintf(to, "\n%s", program->footer);
    }
    (void)fprintf(to, "\n`%s COMMAND --help` shows its flags and examples.\n", program->name);
}

void command_help(const struct program_spec *program, const struct command_spec *command, FILE *to)
{
    (void)fprintf(to, "%s %s: %s\n\nUsage: %s %s%s%s%s\n", program->name, command->name,
                  command->summary, program->name, command->name, *command->operands ? " " : "",
                  command->operands, command->options && command->options->name ? " [FLAGS]" : "");
    if (command->details) {
        (void)fprintf(to, "\n%s\n", command->details);
    }
    print_options("Flags", command->options, to);
    print_options("Flags of every command", program->common, to);
    if (command->examples) {
        (void)fprintf(to, "\nExamples:\n%s", command->examples);
    }
}
