/*
 * man.c: see man.h. In the macros of man(7), which both groff and mandoc know.
 *
 * Text of the tables is plain: paragraphs end at an empty line, `words` in backquotes are set bold,
 * and whatever roff would take for an order is escaped.
 */
#include "app/man.h"

#include <ctype.h>
#include <string.h>

#include "app/config.h"
#include "app/explain.h"
#include "app/fail.h"
#include "base/assert.h"
#include "base/str.h"

#define PATH_LEN   128
#define LINE_WIDTH 68 /* as a reader sees it; what is escaped takes a little more */

static const char files_text[] =
    ".SH FILES\n"
    ".TP\n.I " CONFIG_SYSTEM_PATH "\nThe configuration; see\n.BR gearpump.yaml (5).\n"
    ".TP\n.I \\(ti/.config/gearpump/secret\n"
    "What daemons and clients of one cluster prove that they know, unless\n.B "
    "cluster.secret_file\n"
    "names another. Made at the first use.\n"
    ".TP\n.I \\(ti/.local/state/gearpump\n"
    "Records of masters, plugins, logs of executors, unless\n.B data_dir\nnames another folder.\n";

static const char environment_text[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B " CONFIG_PATH_ENV "\nThe configuration file, where no\n.B \\-\\-config\nis given.\n"
    ".TP\n.B " CONFIG_MASTERS_ENV "\nShort for\n.BR GEARPUMP_CLUSTER__MASTERS .\n"
    ".TP\n.BI GEARPUMP_ KEY\nAny key of the configuration, as\n.BR gearpump.yaml (5)\nnames it.\n"
    ".TP\n.B NO_COLOR\nIf it is set, nothing is coloured.\n";

/* ---- text ---- */

static void put_byte(FILE *to, char byte)
{
    switch (byte) {
    case '\\':
        (void)fputs("\\e", to);
        break;
    case '-':
        (void)fputs("\\-", to);
        break;
    case '\'':
        (void)fputs("\\(aq", to);
        break;
    case '`':
        (void)fputs("\\(ga", to);
        break;
    case '^':
        (void)fputs("\\(ha", to);
        break;
    case '~':
        (void)fputs("\\(ti", to);
        break;
    default:
        (void)fputc(byte, to);
    }
}

/* As it is, within a line. */
static void put(FILE *to, const char *text)
{
    for (; *text; text++) {
        put_byte(to, *text);
    }
}

/* Up to the next blank. */
static int word_len(const char *text)
{
    return (int)strcspn(text, " \n");
}

/* Paragraphs that are filled, in lines of bearable length; a final newline is added. */
static void put_prose(FILE *to, const char *text)
{
    bool is_bold = false;
    int column = 0;

    for (const char *at = text; *at; at++) {
        if (at[0] == '\n' && at[1] == '\n') {
            (void)fputs("\n.PP\n", to);
            at++;
            column = 0;
        } else if (at[0] == '\n' || (at[0] == ' ' && column + word_len(at + 1) > LINE_WIDTH)) {
            (void)fputc('\n', to);
            column = 0;
        } else if (at[0] == '`') {
            is_bold = !is_bold;
            (void)fputs(is_bold ? "\\fB" : "\\fR", to);
        } else {
            (void)fputs(column == 0 && at[0] == '.' ? "\\&" : "", to);
            put_byte(to, *at);
            column++;
        }
    }
    (void)fputs(is_bold ? "\\fR\n" : "\n", to);
}

/* Lines kept as they are, but for what they all are indented by. */
static void put_examples(FILE *to, const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str line;

    (void)fputs(".PP\n.EX\n", to);
    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        line = str_starts_with(line, GP_STR("  ")) ? (gp_str){line.ptr + 2, line.len - 2} : line;
        (void)fputs("\\&", to);
        for (size_t i = 0; i < line.len; i++) {
            put_byte(to, line.ptr[i]);
        }
        (void)fputc('\n', to);
    }
    (void)fputs(".EE\n", to);
}

/* .TH takes names in capitals. */
static void put_title(FILE *to, const char *name, const char *section)
{
    (void)fputs(".\\\" Made from the program's own tables; see runtime/app/man.c.\n.TH ", to);
    for (; *name; name++) {
        (void)fputc(toupper((unsigned char)*name), to);
    }
    (void)fprintf(to, " %s \"%s\" \"Gearpump %s\" \"Gearpump\"\n", section, GP_RELEASE_DATE,
                  GP_VERSION);
}

/* ---- pages of programs ---- */

static void put_options(FILE *to, const struct option_spec *table)
{
    for (; table && table->name; table++) {
        (void)fputs(".TP\n\\fB", to);
        if (table->letter) {
            (void)fprintf(to, "\\-%c\\fR, \\fB", table->letter);
        }
        (void)fputs("\\-\\-", to);
        put(to, table->name);
        (void)fputs("\\fR", to);
        if (table->value) {
            (void)fputs(table->kind == OPTION_MAYBE ? "[=\\fI" : " \\fI", to);
            put(to, table->value);
            (void)fputs(table->kind == OPTION_MAYBE ? "\\fR]" : "\\fR", to);
        }
        (void)fputc('\n', to);
        put_prose(to, table->help);
        if (table->kind == OPTION_LIST) {
            (void)fputs("(may be repeated)\n", to);
        }
    }
}

static void put_synopsis(FILE *to, const struct program_spec *program,
                         const struct command_spec *command)
{
    (void)fprintf(to, "\\fB%s ", program->name);
    put(to, command->name);
    (void)fputs("\\fR", to);
    if (command->options && command->options->name) {
        (void)fputs(" [\\fIFLAGS\\fR]", to);
    }
    if (*command->operands) {
        (void)fputs(" \\fI", to);
        put(to, command->operands);
        (void)fputs("\\fR", to);
    }
    (void)fputc('\n', to);
}

static void put_command(FILE *to, const struct program_spec *program,
                        const struct command_spec *command)
{
    (void)fprintf(to, ".SS %s %s\n", program->name, command->name);
    put_synopsis(to, program, command);
    (void)fprintf(to, ".PP\n%c", toupper((unsigned char)command->summary[0]));
    put(to, command->summary + 1);
    (void)fputs(".\n", to);
    if (command->details) {
        (void)fputs(".PP\n", to);
        put_prose(to, command->details);
    }
    put_options(to, command->options);
    if (command->examples) {
        put_examples(to, command->examples);
    }
}

/* Which a program names in brackets: "error[not_found]". */
static void put_errors(FILE *to)
{
    uint32_t count;
    const struct explanation *all = explain_all(&count);

    (void)fputs(".SH ERRORS\n.B gpctl explain\n.I CODE\nsays more of each.\n", to);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(to, ".TP\n.B %s\n", all[i].word);
        put_prose(to, all[i].means);
    }
}

static void put_program(FILE *to, const struct program_spec *program, const char *section)
{
    const struct command_spec *command;

    put_title(to, program->name, section);
    (void)fprintf(to, ".SH NAME\n%s \\- ", program->name);
    put(to, program->summary);
    (void)fprintf(to, "\n.SH SYNOPSIS\n\\fB%s\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR] ...\n",
                  program->name);
    (void)fputs(".SH DESCRIPTION\nFlags may stand before, between and after operands, as\n"
                "\\fB\\-\\-flag value\\fR or \\fB\\-\\-flag=value\\fR;\n.B \\-\\-\nends them.\n"
                ".SH COMMANDS\n",
                to);
    for (command = program->commands; command->name; command++) {
        if (!command->hidden) {
            put_command(to, program, command);
        }
    }
    (void)fputs(".SH OPTIONS\nThese belong to every command.\n", to);
    put_options(to, program->common);
    (void)fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nShow flags and examples of the command.\n",
                to);
    (void)fputs(".SH EXIT STATUS\n", to);
    put_prose(to, exit_status_help());
    put_errors(to);
    (void)fputs(environment_text, to);
    (void)fputs(files_text, to);
    (void)fputs(".SH SEE ALSO\n.BR gpctl (1),\n.BR gearpump.yaml (5),\n.BR gpd (8)\n", to);
}

/* ---- gearpump.yaml(5) ---- */

static void put_key(FILE *to, const struct field *field, const char *path)
{
    char kind[256];
    bool is_text = field->kind == FIELD_KIND_TEXT;
    const char *otherwise = field->otherwise ? field->otherwise : "";

    (void)fprintf(to, ".TP\n.B %s\n", path);
    put_prose(to, field->doc);
    (void)fputs(".br\n", to);
    put(to, field_describe(field, kind, sizeof kind));
    (void)fputs("; default\n\\fB", to);
    put(to, *otherwise ? otherwise : is_text ? "\"\"" : "[]");
    (void)fputs("\\fR; environment\n.B GEARPUMP_", to);
    for (; *path; path++) {
        if (*path == '.') {
            (void)fputs("__", to);
        } else {
            (void)fputc(toupper((unsigned char)*path), to);
        }
    }
    (void)fputc('\n', to);
}

static void put_keys(FILE *to, const struct fields *table, const char *prefix)
{
    char path[PATH_LEN];

    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        bool is_section = field->kind == FIELD_KIND_OBJECT;

        ASSERT(str_format(path, sizeof path, "%s%s%s", prefix, field->name, is_section ? "." : "") >
               0);
        if (!is_section) {
            put_key(to, field, path);
            continue;
        }
        (void)fprintf(to, ".SS %.*s\n", (int)strlen(path) - 1, path);
        put_prose(to, field->doc);
        put_keys(to, field->sub, path);
    }
}

static void put_config(FILE *to)
{
    put_title(to, "gearpump.yaml", "5");
    (void)fputs(".SH NAME\ngearpump.yaml \\- configuration of gpd and gpctl\n"
                ".SH SYNOPSIS\n.I " CONFIG_SYSTEM_PATH "\n"
                ".SH DESCRIPTION\nYAML. The file is the one that\n.B \\-\\-config\nnames, else\n"
                ".BR $" CONFIG_PATH_ENV,
                to);
    (void)fputs(",\nelse\n.IR " CONFIG_SYSTEM_PATH ".\n"
                "Environment variables go before it, flags before both.\n"
                "A name with dots is a key within sections:\n.B log.level\nis written as\n.PP\n"
                ".EX\nlog:\n  level: info\n.EE\n.PP\n"
                "An unknown key is a mistake;\n.B gpd check\\-config\n.I FILE\nfinds them all.\n"
                ".B gpd help config\nprints a file of all defaults.\n"
                ".SH KEYS\n",
                to);
    put_keys(to, &config_fields, "");
    (void)fputs(".SH SEE ALSO\n.BR gpctl (1),\n.BR gpd (8)\n", to);
}

int man_main(const struct program_spec *program, int argc, char *const *argv, FILE *to)
{
    if (argc == 1 && strcmp(argv[0], "config") == 0) {
        put_config(to);
    } else if (argc == 1) {
        put_program(to, program, argv[0]);
    } else {
        return EXIT_STATUS_USAGE;
    }
    return fflush(to) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILED;
}
