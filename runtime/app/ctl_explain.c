/* ctl_explain.c: gpctl explain: what error and exit codes mean. Needs no cluster. */
#include <stdlib.h>

#include "app/ctl.h"
#include "app/explain.h"
#include "app/table.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define EXIT_STATUS_TOP 255

/* ---- one ---- */

static void print_paragraph(const char *title, const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str line;

    (void)printf("\n%s:\n", title);
    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        (void)printf("  %.*s\n", STR_ARG(line));
    }
}

static void print_one(const struct explanation *e)
{
    if (e->code != 0) {
        (void)printf("%s (%s, exit code %d)\n", e->word, error_name(e->code),
                     exit_status_of(e->code));
    } else {
        (void)printf("%s\n", e->word);
    }
    (void)printf("%s\n", e->means);
    print_paragraph("Usual causes", e->causes);
    print_paragraph("What to do", e->remedy);
}

static struct value *tree_of(const struct explanation *e)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "word", e->word);
    tree_text(&t, "code", e->code != 0 ? error_name(e->code) : NULL);
    if (e->code != 0) {
        tree_i64(&t, "exit", exit_status_of(e->code));
    }
    tree_text(&t, "means", e->means);
    tree_text(&t, "causes", e->causes);
    tree_text(&t, "try", e->remedy);
    return tree_end(&t);
}

/* ---- an exit code: which codes end with it ---- */

static struct value *words_of(int status)
{
    struct value *list = value_new_list();
    uint32_t count;
    const struct explanation *all = explain_all(&count);

    for (uint32_t i = 0; i < count; i++) {
        if (all[i].code != 0 && exit_status_of(all[i].code) == status) {
            tree_push_take(&list, value_new_str(gp_str_of(all[i].word)));
        }
    }
    return list;
}

static int show_exit_status(const struct ctl *ctl, int status)
{
    struct value *words = words_of(status);
    struct tree t;

    if (ctl->json) {
        tree_begin(&t);
        tree_i64(&t, "exit", status);
        tree_text(&t, "means", explain_exit_status(status));
        tree_take(&t, "codes", words);
        return ctl_print_take(ctl, tree_end(&t));
    }
    (void)printf("exit code %d\n%s\n", status, explain_exit_status(status));
    for (size_t i = 0; words && i < value_count(words); i++) {
        (void)printf("%s%.*s", i == 0 ? "\nErrors that end with it:\n  " : ", ",
                     STR_ARG(value_as_str(value_at(words, i))));
    }
    (void)fputs(words && value_count(words) > 0 ? "\n" : "", stdout);
    value_free(words);
    return EXIT_STATUS_OK;
}

/* ---- all ---- */

static int print_all(void)
{
    static const struct table_column columns[] = {{"ERROR", TABLE_LEFT},
                                                  {"CODE", TABLE_LEFT},
                                                  {"EXIT", TABLE_RIGHT},
                                                  {"MEANING", TABLE_LEFT}};
    uint32_t count;
    const struct explanation *all = explain_all(&count);
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < count; i++) {
        table_cell(&t, "%s", all[i].word);
        table_cell(&t, "%s", all[i].code != 0 ? error_name(all[i].code) : "");
        if (all[i].code != 0) {
            table_cell(&t, "%d", exit_status_of(all[i].code));
        } else {
            table_cell(&t, "%s", "");
        }
        table_cell(&t, "%s", all[i].means);
    }
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    (void)puts("\nExit codes:");
    for (int status = 0; status <= EXIT_STATUS_TOP; status++) {
        if (explain_exit_status(status)) {
            (void)printf("  %3d  %s\n", status, explain_exit_status(status));
        }
    }
    return rc < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}

static struct value *all_tree(void)
{
    struct value *errors = value_new_list();
    struct value *statuses = value_new_list();
    uint32_t count;
    const struct explanation *all = explain_all(&count);
    struct tree t;

    for (uint32_t i = 0; i < count; i++) {
        tree_push_take(&errors, tree_of(&all[i]));
    }
    for (int status = 0; status <= EXIT_STATUS_TOP; status++) {
        if (explain_exit_status(status)) {
            tree_begin(&t);
            tree_i64(&t, "exit", status);
            tree_text(&t, "means", explain_exit_status(status));
            tree_push_take(&statuses, tree_end(&t));
        }
    }
    tree_begin(&t);
    tree_take(&t, "errors", errors);
    tree_take(&t, "exit_codes", statuses);
    return tree_end(&t);
}

int ctl_explain(const struct command_spec *spec, const struct options *options, void *context)
{
    const struct ctl *ctl = context;
    const struct explanation *e;
    struct gp_error err = {0};
    uint64_t status;

    (void)spec;
    if (options->operand_count == 0) {
        return ctl->json ? ctl_print_take(ctl, all_tree()) : print_all();
    }
    if (str_to_u64(gp_str_of(options->operands[0]), &status) == 0 && status <= EXIT_STATUS_TOP &&
        explain_exit_status((int)status)) {
        return show_exit_status(ctl, (int)status);
    }
    e = explain_find(options->operands[0], &err);
    if (!e) {
        return ctl_fail(ctl, &err, "cannot explain %s", options->operands[0]);
    }
    if (ctl->json) {
        return ctl_print_take(ctl, tree_of(e));
    }
    print_one(e);
    return EXIT_STATUS_OK;
}
