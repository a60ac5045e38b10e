/* fail.c: see fail.h. */
#include "app/fail.h"

#include "app/explain.h"
#include "app/text.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/value.h"

static const struct {
    int code;
    enum exit_status status;
} statuses[] = {
    {GP_EINVAL, EXIT_STATUS_USAGE},           {GP_ENOENT, EXIT_STATUS_NOT_FOUND},
    {GP_EEXIST, EXIT_STATUS_CONFLICT},        {GP_ESTATE, EXIT_STATUS_CONFLICT},
    {GP_ECLOSED, EXIT_STATUS_UNREACHABLE},    {GP_EUNREACH, EXIT_STATUS_UNREACHABLE},
    {GP_ENOTLEADER, EXIT_STATUS_UNREACHABLE}, {GP_EACCES, EXIT_STATUS_NOT_ALLOWED},
    {GP_ETIMEOUT, EXIT_STATUS_TIMEOUT},       {GP_EUSER, EXIT_STATUS_JOB_FAILED},
    {GP_EJOB, EXIT_STATUS_JOB_FAILED},        {GP_ECANCELED, EXIT_STATUS_INTERRUPTED},
};

int exit_status_of(int code)
{
    if (code >= 0) {
        return EXIT_STATUS_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].code == code) {
            return (int)statuses[i].status;
        }
    }
    return EXIT_STATUS_FAILED;
}

const char *exit_status_help(void)
{
    return "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unreachable,\n"
           "  6 not allowed, 7 timeout, 8 the job failed, 9 it finished with losses, 130 "
           "interrupted.\n"
           "The word in error[word] is one that `gpctl explain` knows.\n";
}

static int print_json(FILE *to, const char *what, const struct gp_error *err, const char *hint)
{
    struct value *root = value_new_object();
    struct value *error = value_new_object();
    struct buf text = {0};
    int rc = -1;

    if (root && error &&
        value_set_str(error, GP_STR("code"), gp_str_of(error_name(err->code))) == 0 &&
        value_set_str(error, GP_STR("what"), gp_str_of(what)) == 0 &&
        value_set_str(error, GP_STR("why"), gp_str_of(err->text)) == 0 &&
        value_set_str(error, GP_STR("hint"), gp_str_of(hint ? hint : "")) == 0) {
        rc = value_add_take(root, GP_STR("error"), error);
        error = NULL;
    }
    if (rc == 0 && value_print_json(root, &text, VALUE_COMPACT) == 0) {
        (void)fprintf(to, "%.*s\n", STR_ARG(buf_str(&text)));
    }
    value_free(error);
    value_free(root);
    buf_deinit(&text);
    return rc;
}

#define BOLD_RED "\x1b[1;31m"
#define BOLD     "\x1b[1m"
#define NORMAL   "\x1b[0m"

/* Lines of text, the first behind the label. */
static void print_lines(FILE *to, const char *colour, const char *label, const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str line;

    (void)fprintf(to, "%s%s:%s ", colour, label, *colour ? NORMAL : "");
    for (bool is_first = true; rest.len > 0; is_first = false) {
        (void)str_cut(rest, '\n', &line, &rest);
        (void)fputs(is_first ? "" : "       ", to);
        text_print(to, line);
        (void)fputc('\n', to);
    }
}

int fail_print(FILE *to, enum fail_form form, const char *what, const struct gp_error *err,
               const char *otherwise)
{
    const char *hint = err->hint[0] ? err->hint : otherwise;
    const char *why = err->text[0] ? err->text : error_sentence(err->code);
    const bool is_coloured = form == FAIL_COLOURED;
    char label[64];

    (void)fflush(stdout);
    if (form == FAIL_JSON && print_json(to, what, err, hint) == 0) {
        return exit_status_of(err->code);
    }
    (void)str_format(label, sizeof label, "error[%s]", explain_word(err->code));
    print_lines(to, is_coloured ? BOLD_RED : "", label, what);
    print_lines(to, is_coloured ? BOLD : "", "cause", why);
    if (hint) {
        print_lines(to, is_coloured ? BOLD : "", "hint", hint);
    }
    return exit_status_of(err->code);
}
