/*
 * ctl.c: see ctl.h.
 *
 * Everything fails into one gp_error and one exit code. What a connection does is not logged unless
 * --verbose asks for it: a person wants the one reason, which the client gives.
 */
#include "app/ctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/explain.h"
#include "app/logs.h"
#include "base/str.h"
#include "edge/paths.h"

#define LINGER_MS 20 /* all that was asked is answered: a master that is frozen holds nobody up */

void ctl_open(struct ctl *ctl, const struct options *options)
{
    const char *output = options_text(options, "output");

    *ctl = (struct ctl){.options = options};
    ctl->json = output && strcmp(output, "json") == 0;
    ctl->is_quiet = options_has(options, "quiet");
    ctl->has_colours = !ctl->json && ctl_wants_colours(options, STDOUT_FILENO);
}

bool ctl_wants_colours(const struct options *options, int fd)
{
    const char *wish = options_text(options, "color");
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (wish && strcmp(wish, "auto") != 0) {
        return strcmp(wish, "always") == 0;
    }
    return (!no_color || !*no_color) && terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(fd) != 0;
}

void ctl_disconnect(struct ctl *ctl)
{
    client_free(ctl->client);
    edge_signals_free(ctl->signals);
    ctl->client = NULL;
    ctl->signals = NULL;
    if (!ctl->owns_world) {
        ctl->world = NULL;
    }
}

void ctl_close(struct ctl *ctl)
{
    ctl_disconnect(ctl);
    edge_world_free(ctl->world);
    if (ctl->is_configured) {
        config_deinit(&ctl->config);
    }
    *ctl = (struct ctl){0};
}

int ctl_configure(struct ctl *ctl, const struct config_override *overrides, uint32_t count,
                  struct gp_error *err)
{
    const struct config_sources from = {.path = options_text(ctl->options, "config"),
                                        .environment = (const char *const *)environ,
                                        .overrides = overrides,
                                        .override_count = count};
    struct buf mistakes = {0};
    int rc;

    if (ctl->is_configured) {
        config_deinit(&ctl->config);
        ctl->is_configured = false;
    }
    rc = config_load(&from, &ctl->config, &mistakes, err);
    if (rc == GP_EINVAL) {
        rc = gp_error_set(err, rc, "%s", buf_c(&mistakes));
        gp_error_hint(err, "gpd help config");
    }
    ctl->is_configured = rc == 0;
    buf_deinit(&mistakes);
    return rc;
}

int ctl_open_world(struct ctl *ctl, struct gp_error *err)
{
    struct edge_options options = {.log = &ctl->log, .linger_ms = LINGER_MS};

    if (ctl->world) {
        return 0;
    }
    if (options_has(ctl->options, "verbose")) {
        logs_init(&ctl->log, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, "gpctl");
    }
    ctl->owns_world = true;
    return edge_world_new(&options, &ctl->world, err);
}

static int make_client(struct ctl *ctl, const char *const *masters, uint32_t count, gp_bytes secret,
                       struct gp_error *err)
{
    struct client_options options = {
        .port = edge_port(ctl->world), .masters = masters, .master_count = count, .secret = secret};

    client_free(ctl->client);
    ctl->client = NULL;
    return client_new(&options, &ctl->client, err);
}

int ctl_connect_to(struct ctl *ctl, const char *master, gp_bytes secret, struct gp_error *err)
{
    return make_client(ctl, &master, 1, secret, err);
}

int ctl_connect(struct ctl *ctl, struct gp_error *err)
{
    const char *masters = options_text(ctl->options, "master");
    const struct config_override override = {"cluster.masters", masters, "--master"};
    struct edge_secret secret;
    int rc = ctl_configure(ctl, &override, masters ? 1 : 0, err);

    if (rc == 0) {
        rc = ctl_open_world(ctl, err);
    }
    if (rc == 0) {
        rc = config_read_secret(&ctl->config, &secret, err);
    }
    if (rc == 0) {
        rc = make_client(ctl, (const char *const *)ctl->config.cluster.masters,
                         ctl->config.cluster.masters_count, gp_bytes_of(secret.text, secret.len),
                         err);
        explicit_bzero(&secret, sizeof secret);
    }
    return rc;
}

static void on_stop(void *user, int signal, int count)
{
    struct ctl *ctl = user;

    if (count > 1) {
        _exit(128 + signal); /* a person will not wait */
    }
    ctl->interrupts = count;
    ctl->stop_signal = signal;
}

int ctl_watch_interrupts(struct ctl *ctl, struct gp_error *err)
{
    if (ctl->signals) {
        return 0;
    }
    return edge_signals_new(ctl->world, on_stop, ctl, &ctl->signals, err);
}

/* ---- asking ---- */

struct question {
    ctl_answer_fn fn;
    void *user;
    struct gp_error *err;
    bool is_answered;
    int code;
};

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct question *q = user;

    q->is_answered = true;
    q->code = code;
    if (code < 0) {
        *q->err = *err;
    } else if (q->fn) {
        q->code = q->fn(q->user, msg);
        if (q->code < 0 && q->err->code == 0) {
            (void)gp_error_set(q->err, q->code, "%s", error_sentence(q->code));
        }
    }
}

int ctl_run_until(struct ctl *ctl, const bool *done)
{
    while (!*done && ctl->interrupts == ctl->interrupts_told) {
        edge_step(ctl->world, true);
    }
    if (*done) {
        return 0; /* an interrupt that came in the same step ends the next wait */
    }
    ctl->interrupts_told = ctl->interrupts;
    return GP_ECANCELED;
}

/* An interrupted ask is still open: nothing may be asked after it, and ctl_close() drops it. The
 * question must live until then. rc: of asking. */
static int wait_for(struct ctl *ctl, struct question *q, int rc)
{
    if (rc < 0) {
        return gp_error_set(q->err, rc, "%s", error_sentence(rc));
    }
    if (ctl_run_until(ctl, &q->is_answered) < 0) {
        client_free(ctl->client);
        ctl->client = NULL;
        return gp_error_set(q->err, GP_ECANCELED, "interrupted");
    }
    return q->code;
}

int ctl_ask_for(struct ctl *ctl, uint16_t type, const void *msg, int64_t timeout_ns,
                ctl_answer_fn fn, void *user, struct gp_error *err)
{
    struct question q = {.fn = fn, .user = user, .err = err};

    return wait_for(ctl, &q, client_ask_for(ctl->client, type, msg, timeout_ns, on_answer, &q));
}

int ctl_ask_at(struct ctl *ctl, const char *address, uint16_t type, const void *msg,
               ctl_answer_fn fn, void *user, struct gp_error *err)
{
    struct question q = {.fn = fn, .user = user, .err = err};

    return wait_for(
        ctl, &q, client_ask_at(ctl->client, address, type, msg, CTL_ASK_TIMEOUT_NS, on_answer, &q));
}

int ctl_ask(struct ctl *ctl, uint16_t type, const void *msg, ctl_answer_fn fn, void *user,
            struct gp_error *err)
{
    return ctl_ask_for(ctl, type, msg, CTL_ASK_TIMEOUT_NS, fn, user, err);
}

int ctl_app_ref(const struct options *options, struct msg_app_ref *ret, struct gp_error *err)
{
    size_t len = strlen(options->operands[0]);

    if (len == 0 || len > MSG_APP_NAME_MAX) {
        return gp_error_set(err, GP_EINVAL, "a name has 1 to %u bytes, this one %zu",
                            MSG_APP_NAME_MAX, len);
    }
    ret->app = (char *)(uintptr_t)options->operands[0];
    return 0;
}

int ctl_request_id(const struct options *options, const char **ret, struct gp_error *err)
{
    const char *text = options_text(options, "request-id");

    if (text && (!*text || strlen(text) > MSG_REQUEST_ID_MAX)) {
        return gp_error_set(err, GP_EINVAL, "--request-id: 1 to %u bytes are needed",
                            MSG_REQUEST_ID_MAX);
    }
    *ret = text;
    return 0;
}

/* ---- printing ---- */

#define HINT_BYTES 64

/* What to try when the error itself does not say, perhaps in text. */
static const char *usual_hint(const struct ctl *ctl, int code, char text[static HINT_BYTES])
{
    const struct command_spec *command = ctl->options ? ctl->options->command : NULL;
    const bool is_usage = code == GP_EINVAL || code == GP_ENOENT;

    switch (code) {
    case GP_EUNREACH:
    case GP_ECLOSED:
        return "`gpd local` starts a cluster here; --master HOST:PORT names another";
    case GP_EACCES:
        if (ctl->client) { /* else it is a file */
            return "daemons and gpctl must have the same cluster.secret_file";
        }
        break;
    case GP_ETIMEOUT:
    case GP_ENOTLEADER:
        return "gpctl masters";
    default:
        break;
    }
    if (code == GP_ENOENT && ctl->client) {
        return "gpctl list -a";
    }
    if (is_usage && !command) {
        return "gpctl help";
    }
    if (is_usage) {
        (void)str_format(text, HINT_BYTES, "gpctl %s --help", command->name);
    } else {
        (void)str_format(text, HINT_BYTES, "gpctl explain %s", explain_word(code));
    }
    return text;
}

static enum fail_form form_of(const struct ctl *ctl)
{
    return ctl->json                                        ? FAIL_JSON
           : ctl_wants_colours(ctl->options, STDERR_FILENO) ? FAIL_COLOURED
                                                            : FAIL_PLAIN;
}

int ctl_fail(const struct ctl *ctl, const struct gp_error *err, const char *what, ...)
{
    char hint[HINT_BYTES];
    char text[256];
    va_list args;
    int status;

    va_start(args, what);
    (void)str_vformat(text, sizeof text, what, args);
    va_end(args);
    if (err->code == GP_ECANCELED && ctl->is_watched) {
        return EXIT_STATUS_INTERRUPTED;
    }
    status = fail_print(stderr, form_of(ctl), text, err, usual_hint(ctl, err->code, hint));
    return err->code == GP_ECANCELED && ctl->stop_signal == SIGTERM ? EXIT_STATUS_TERMINATED
                                                                    : status;
}

int ctl_print_take(const struct ctl *ctl, struct value *tree)
{
    struct gp_error err = {0};
    struct buf text = {0};
    int rc = tree ? value_print_json(tree, &text, VALUE_PRETTY) : GP_ENOMEM;

    if (rc == 0) {
        (void)printf("%.*s\n", STR_ARG(buf_str(&text)));
    }
    value_free(tree);
    buf_deinit(&text);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "%s", error_sentence(rc));
        return ctl_fail(ctl, &err, "cannot print the answer");
    }
    return EXIT_STATUS_OK;
}

void ctl_say(const struct ctl *ctl, const char *fmt, ...)
{
    va_list args;

    if (!ctl->json && !ctl->is_quiet) {
        va_start(args, fmt);
        (void)vfprintf(stderr, fmt, args);
        va_end(args);
        (void)fputc('\n', stderr);
    }
}
