/*
 * children.c: processes of this worker: their start, output and end.
 *
 *     child_start ─▶ running ─(TERM, later KILL)─▶ ended: its log is kept ─▶ forgotten
 *
 * Output goes to the child's log as it comes; beside that, lines are looked at for the crash line
 * (crash.h). The end is told to the master and, for executors, to their appmaster. Of ended
 * children the LOGS_KEPT_MAX last are kept; a forgotten one's files are removed. A disk that
 * refuses costs the log and nothing else.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/launch.h"
#include "control/worker/internal.h"
#include "wire/elf.h"

#define SIGNAL_TERM 15
#define SIGNAL_KILL 9

#define TOKEN_ENV_SIZE (sizeof LAUNCH_TOKEN_ENV "=" + LEDGER_TOKEN_SIZE)

struct child *child_find(const struct worker *w, uint32_t app, uint32_t executor)
{
    for (uint32_t i = w->child_count; i > 0; i--) {
        struct child *child = w->children[i - 1];
        if (child->app == app && child->executor == executor) {
            return child;
        }
    }
    return NULL;
}

uint32_t children_slots(const struct worker *w, uint32_t app)
{
    uint32_t slots = 0;

    for (uint32_t i = 0; i < w->child_count; i++) {
        const struct child *child = w->children[i];
        slots += child->app == app && child->proc && !child->is_killed ? child->slots : 0;
    }
    return slots;
}

static void child_free(struct child *child)
{
    const struct port *port = child->worker->port;

    timer_free(child->kill_timer);
    proc_free(port, child->proc);
    joblog_close(&child->log);
    free(child);
}

/* ---- what is kept after the end ---- */

static void remove_log(struct child *child)
{
    const struct port *port = child->worker->port;
    char path[JOBLOG_PATH_MAX];

    (void)str_format(path, sizeof path, "%s", child->log.path);
    joblog_close(&child->log);
    (void)port->fs->remove(port->world, path,
                           NULL); /* what stays is overwritten or cleared later */
    (void)str_format(path + strlen(path), sizeof path - strlen(path), ".old");
    (void)port->fs->remove(port->world, path, NULL);
}

static void forget(struct worker *w, uint32_t index)
{
    struct child *child = w->children[index];

    ASSERT(!child->proc);
    logs_forget(w, child);
    if (child->has_log) {
        remove_log(child);
    }
    memmove(&w->children[index], &w->children[index + 1],
            (w->child_count - index - 1) * sizeof(struct child *));
    w->child_count--;
    child_free(child);
}

/* Makes room: the oldest of those that ended goes once there are too many. */
static void forget_oldest(struct worker *w)
{
    for (uint32_t i = 0; w->child_count - w->live_count > LOGS_KEPT_MAX; i++) {
        if (!w->children[i]->proc) {
            forget(w, i);
            return;
        }
    }
}

/* ---- output ---- */

static void take_line(struct child *child)
{
    struct crash crash;

    if (crash_parse((gp_str){child->line, child->line_len}, &crash)) {
        child->crash = crash;
    }
    child->line_len = 0;
}

static void look_at_lines(struct child *child, const char *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] == '\n') {
            take_line(child);
        } else if (child->line_len < sizeof child->line) {
            child->line[child->line_len++] = ptr[i];
        }
    }
}

static void on_output(void *user, const char *ptr, size_t len)
{
    struct child *child = user;

    look_at_lines(child, ptr, len);
    if (child->has_log) {
        (void)joblog_append(&child->log, ptr, len); /* a full disk loses log, nothing else */
        logs_notify(child->worker, child);
    }
}

/* ---- the end ---- */

/* Names the function that crashed, if the object is one of our artefacts. */
static void find_symbol(struct worker *w, struct crash *crash)
{
    char path[ARTEFACT_PATH_MAX];
    gp_str folder;
    gp_str sha;
    gp_str name;
    struct buf file;

    (void)str_cut_last(gp_str_of(crash->object), '/', &folder, &sha);
    if (!artefacts_find(&w->artefacts, sha, path, sizeof path)) {
        return;
    }
    buf_init(&file, (size_t)w->artefacts.size_max);
    if (w->port->fs->read_file(w->port->world, path, buf_size_max(&file), &file, NULL) >= 0 &&
        elf_symbol_at(buf_bytes(&file), crash->offset, &name, NULL) >= 0) {
        (void)str_escape(name, crash->symbol, sizeof crash->symbol);
    }
    buf_deinit(&file);
}

/* What a signal is called, when the process itself could not say. */
static const char *signal_name(int32_t signal, char text[16])
{
    static const char *const names[] = {
        [4] = "SIGILL",  [6] = "SIGABRT",  [7] = "SIGBUS",   [8] = "SIGFPE",
        [9] = "SIGKILL", [11] = "SIGSEGV", [13] = "SIGPIPE", [15] = "SIGTERM"};

    if (signal > 0 && (size_t)signal < ARRAY_LEN(names) && names[signal]) {
        return names[signal];
    }
    (void)str_format(text, 16, "signal %d", signal);
    return text;
}

static void exit_message(const struct child *child, struct msg_process_exited *ret)
{
    *ret = (struct msg_process_exited){.app = child->app,
                                       .executor = child->executor,
                                       .epoch = child->epoch,
                                       .code = child->end.code,
                                       .signal = (uint32_t)child->end.signal,
                                       .crash = (char *)(uintptr_t)child->crash_text};
}

/* The appmaster sees the connection close too, but not why. */
static void tell_appmaster(const struct child *child)
{
    struct worker *w = child->worker;
    const struct ledger_grant *grant = ledger_find(&w->ledger, child->app);
    struct peer *appmaster =
        grant && grant->appmaster ? endpoint_peer(w->ep, grant->appmaster) : NULL;
    struct msg_process_exited exited;

    if (child->executor == 0 || !appmaster) {
        return;
    }
    exit_message(child, &exited);
    (void)peer_tell(appmaster, MSG_PROCESS_EXITED,
                    &exited); /* lost: it hears when it comes again */
}

static void tell_exit(struct child *child)
{
    struct worker *w = child->worker;
    struct msg_process_exited exited;

    if (w->registered) {
        exit_message(child, &exited);
        (void)peer_tell(w->master, MSG_PROCESS_EXITED, &exited); /* else the next report shows it */
    }
    tell_appmaster(child);
}

void children_tell(struct worker *w, uint32_t app)
{
    for (uint32_t i = 0; i < w->child_count; i++) {
        const struct child *child = w->children[i];
        if (child->app == app && !child->proc) {
            tell_appmaster(child);
        }
    }
}

static void on_exited(void *user, const struct proc_exit *borrowed)
{
    struct child *child = user;
    const struct proc_exit *how = &child->end;
    struct worker *w = child->worker;
    char name[16];

    child->end = *borrowed; /* which may go with proc_free() */
    take_line(child);
    if (child->has_log) {
        joblog_rest(&child->log); /* it may be kept for long */
    }
    if (how->signal != 0 && child->crash.found) {
        find_symbol(w, &child->crash);
        crash_text(&child->crash, child->crash_text, sizeof child->crash_text);
        LOG_WARN(worker_log(w), "process.crashed", KV_U64("app", child->app),
                 KV_U64("executor", child->executor), KV_I64("pid", child->pid),
                 KV_STR("crash", child->crash_text));
    } else if (how->signal != 0) {
        (void)str_format(child->crash_text, sizeof child->crash_text, "%s",
                         signal_name(how->signal, name));
    }
    LOG_INFO(worker_log(w), "process.exited", KV_U64("app", child->app),
             KV_U64("executor", child->executor), KV_I64("pid", child->pid),
             KV_I64("exit_code", how->code), KV_I64("signal", how->signal));
    timer_free(child->kill_timer);
    child->kill_timer = NULL;
    proc_free(w->port, child->proc);
    child->proc = NULL;
    w->live_count--;
    tell_exit(child);
    worker_give_back(w, child->app);
    worker_changed(w);
    if (child->executor == 0) {
        launches_go_on(w, child->app); /* which forgets this one */
    }
    forget_oldest(w);
}

static void on_kill_timer(void *user)
{
    struct child *child = user;

    LOG_WARN(worker_log(child->worker), "process.killed", KV_U64("app", child->app),
             KV_U64("executor", child->executor), KV_I64("pid", child->pid));
    child->is_killed = true;
    proc_kill(child->worker->port, child->proc, SIGNAL_KILL);
}

static void child_stop(struct child *child, bool at_once)
{
    const struct port *port = child->worker->port;

    if (at_once) {
        on_kill_timer(child);
    } else if (child->kill_timer) {
        return; /* asked already */
    } else if (timer_new(port->loop, on_kill_timer, child, &child->kill_timer) >= 0) {
        timer_start(child->kill_timer, STOP_TIMEOUT_NS);
        proc_kill(port, child->proc, SIGNAL_TERM);
    } else {
        child->kill_timer = NULL;
        proc_kill(port, child->proc, SIGNAL_KILL);
    }
}

uint32_t children_stop(struct worker *w, uint32_t app, uint32_t executor, bool at_once)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < w->child_count; i++) {
        struct child *child = w->children[i];
        bool is_meant = executor == EXECUTOR_ANY || child->executor == executor;
        if (child->proc && child->app == app && is_meant) {
            child_stop(child, at_once);
            count++;
        }
    }
    return count;
}

void children_deinit(struct worker *w)
{
    while (w->child_count > 0) {
        child_free(w->children[--w->child_count]);
    }
    w->live_count = 0;
}

/* ---- the start ---- */

/* Without a log when the disk refuses. */
static void open_log(struct child *child)
{
    struct worker *w = child->worker;
    const struct port *port = w->port;
    char path[JOBLOG_PATH_MAX];
    struct gp_error err = {0};
    int rc = str_format(path, sizeof path, "%s/logs/app-%u", w->data_dir, child->app);

    if (rc >= 0) {
        rc = port->fs->make_dirs(port->world, path, 0700, &err);
    }
    if (rc >= 0) {
        rc = str_format(path, sizeof path, "%s/logs/app-%u/executor-%u", w->data_dir, child->app,
                        child->executor);
    }
    if (rc >= 0) {
        rc = joblog_open(&child->log, port, path, JOBLOG_FILE_MAX_BYTES, &err);
    }
    child->has_log = rc >= 0;
    if (rc < 0) {
        LOG_WARN(worker_log(w), "process.log_failed", KV_U64("app", child->app),
                 KV_U64("executor", child->executor), KV_STR("error", err.text));
    }
}

static int spawn(struct child *child, const struct child_spec *spec, struct gp_error *err)
{
    char token[TOKEN_ENV_SIZE];
    const char *args[] = {spec->role, spec->arg, NULL};
    const char *env[] = {token, NULL};
    struct proc_spec proc = {
        .args = args, .env = env, .on_output = on_output, .on_exit = on_exited, .user = child};
    int rc;

    (void)str_format(token, sizeof token, "%s=%s", LAUNCH_TOKEN_ENV, spec->token);
    rc = port_spawn(child->worker->port, &proc, &child->proc, err);
    secret_wipe(token, sizeof token);
    return rc;
}

int child_start(struct worker *w, const struct child_spec *spec, struct child **ret,
                struct gp_error *err)
{
    struct child *child;
    int rc;

    for (uint32_t i = w->child_count; i > 0; i--) { /* its log makes place for the new one's */
        const struct child *old = w->children[i - 1];
        if (old->app == spec->app && old->executor == spec->executor && !old->proc) {
            forget(w, i - 1);
        }
    }
    if (w->live_count == CHILDREN_MAX) {
        return gp_error_set(err, GP_EFULL, "%u processes run here already", CHILDREN_MAX);
    }
    child = calloc(1, sizeof *child);
    if (!child) {
        return gp_error_set(err, GP_ENOMEM, "starting a process");
    }
    *child = (struct child){.worker = w,
                            .app = spec->app,
                            .executor = spec->executor,
                            .epoch = spec->epoch,
                            .slots = spec->slots};
    open_log(child);
    rc = spawn(child, spec, err);
    if (rc < 0) {
        child_free(child);
        return rc;
    }
    child->pid = proc_pid(w->port, child->proc);
    w->children[w->child_count++] = child;
    w->live_count++;
    if (spec->executor == 0) {
        LOG_INFO(worker_log(w), "appmaster.launched", KV_U64("app", spec->app),
                 KV_U64("epoch", spec->epoch), KV_I64("pid", child->pid));
    } else {
        LOG_INFO(worker_log(w), "executor.launched", KV_U64("app", spec->app),
                 KV_U64("executor", spec->executor), KV_I64("pid", child->pid));
    }
    *ret = child;
    return 0;
}
