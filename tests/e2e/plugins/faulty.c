/*
 * faulty: numbers -> worker, a job that goes wrong in the way and at the place it is told.
 *
 * Parameters: `how` (fail, reject, segv, fpe, abort, exit, hang, wait, leave, eat, hoard, yield),
 * `where` (build, open, poll, process, end, close) and `row`, the number at which poll and process
 * do it (500 of 1000). Without `how` it ends well. `wait` waits until there is a file `until`, and
 * goes on. `eat` takes memory until there is none, and fails; `hoard` goes on. `yield`, in
 * process, is called again and again. With FAULTY_INIT it crashes in its init; FAULTY_LOADING is
 * what a constructor of the file calls.
 */
#define GP_PLUGIN_INIT faulty_init
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gearpump/gearpump.h>

#define ROWS 1000

struct task {
    const struct gp_task *task;
    uint64_t rows;
};

static volatile int zero;
static int *volatile nowhere;

static int32_t faulty_init(const struct gp_host *host)
{
    (void)host;
#ifdef FAULTY_INIT
    *nowhere = 1;
#endif
    return GP_OK;
}

#ifdef FAULTY_LOADING
static __attribute__((unused)) void quit(void)
{
    exit(0);
}

static __attribute__((constructor)) void faulty_loading(void)
{
    FAULTY_LOADING();
}
#endif

static int is_set(const struct gp_config *config, const char *key, const char *value)
{
    return strcmp(gp_config_text(config, key, ""), value) == 0;
}

/* A process of its own session, which holds what was open as long as anybody reads of it. */
static void leave_somebody(void)
{
    if (fork() == 0) {
        (void)setsid();
        while (write(STDOUT_FILENO, ".\n", 2) == 2) {
            (void)poll(NULL, 0, 100);
        }
        _exit(0);
    }
}

/* Not inlined: the report of a crash must name the function that crashed. */
static __attribute__((noinline)) void go_wrong(const struct gp_config *config)
{
    if (is_set(config, "how", "segv")) {
        *nowhere = 1;
    } else if (is_set(config, "how", "fpe")) {
        zero = 100 / zero;
    } else if (is_set(config, "how", "abort")) {
        abort();
    } else if (is_set(config, "how", "exit")) {
        _exit(7);
    } else if (is_set(config, "how", "leave")) {
        leave_somebody();
    }
    while (is_set(config, "how", "hang")) {
        pause();
    }
    while (is_set(config, "how", "wait") &&
           access(gp_config_text(config, "until", "/"), F_OK) != 0) {
        (void)poll(NULL, 0, 20);
    }
}

/* Only a limit of the process ends it. */
static int32_t eat(const struct gp_task *task)
{
    const size_t bite = (size_t)16 << 20;
    char *food;

    while ((food = malloc(bite)) != NULL) {
        memset(food, 1, bite);
    }
    return gp_fail(task, "no memory left");
}

/* The same to the last crumb, and on as if nothing were: whoever wants memory next, gets none. */
static int32_t hoard(void)
{
    for (size_t bite = (size_t)16 << 20; bite >= 64;) {
        char *food = malloc(bite);

        if (food) {
            memset(food, 1, bite);
        } else {
            bite /= 2;
        }
    }
    return GP_OK;
}

/* What the callback named `here` answers. */
static int32_t answer(const struct gp_task *task, const char *here)
{
    if (!is_set(task->config, "where", here)) {
        return GP_OK;
    }
    go_wrong(task->config);
    if (is_set(task->config, "how", "reject")) {
        return gp_reject(task, "told to reject");
    }
    if (is_set(task->config, "how", "eat")) {
        return eat(task);
    }
    if (is_set(task->config, "how", "hoard")) {
        return hoard();
    }
    if (is_set(task->config, "how", "yield")) {
        return GP_YIELD;
    }
    return is_set(task->config, "how", "fail") ? gp_fail(task, "told to fail") : GP_OK;
}

static int32_t faulty_open(const struct gp_task *task, void **ret_self)
{
    int32_t rc = strcmp(task->processor, "worker") == 0 ? answer(task, "open") : GP_OK;
    struct task *t;

    if (rc != GP_OK) {
        return rc;
    }
    t = calloc(1, sizeof *t);
    if (!t) {
        return gp_fail(task, "no memory");
    }
    t->task = task;
    *ret_self = t;
    return GP_OK;
}

static int is_the_row(const struct task *t)
{
    uint64_t row = ROWS / 2;

    return gp_config_u64(t->task->config, "row", row, &row) == GP_OK && t->rows == row;
}

static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct task *t = self;
    char text[24];

    for (uint32_t i = 0; i < budget && t->rows < ROWS && !gp_out_full(out); i++) {
        int len = snprintf(text, sizeof text, "%llu", (unsigned long long)t->rows);
        if (is_the_row(t) && answer(t->task, "poll") != GP_OK) {
            return GP_FAIL;
        }
        if (gp_emit_keyed(out, gp_wall_ns(t->task), text, (size_t)len, text, (size_t)len) !=
            GP_OK) {
            return GP_FAIL;
        }
        t->rows++;
    }
    return t->rows < ROWS ? GP_MORE : GP_END;
}

static int32_t worker_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct task *t = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        int32_t rc = is_the_row(t) ? answer(t->task, "process") : GP_OK;
        if (rc == GP_YIELD) {
            return rc;
        }
        t->rows++;
        if (rc != GP_OK) {
            return rc;
        }
    }
    return GP_OK;
}

static int32_t worker_on_end(void *self, struct gp_out *out)
{
    const struct task *t = self;

    (void)out;
    return answer(t->task, "end");
}

static void faulty_close(void *self, uint32_t ended)
{
    struct task *t = self;

    (void)ended;
    if (strcmp(t->task->processor, "worker") == 0) {
        (void)answer(t->task, "close");
    }
    free(t);
}

static const struct gp_processor numbers = {.size = sizeof numbers,
                                            .kind = GP_KIND_PROCESSOR,
                                            .type = "numbers",
                                            .open = faulty_open,
                                            .poll = numbers_poll,
                                            .close = faulty_close};

static const struct gp_processor worker = {.size = sizeof worker,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "worker",
                                           .open = faulty_open,
                                           .process = worker_process,
                                           .on_end = worker_on_end,
                                           .close = faulty_close};

static int32_t build(const struct gp_build *b)
{
    static const char *const keys[] = {"how", "where", "row", "until"};
    gp_node from = gp_add(b, "numbers", &numbers, 1);
    gp_node to = gp_add(b, "worker", &worker, 1);

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = gp_config_text(b->config, keys[i], NULL);
        if (value) {
            gp_set(b, from, keys[i], value);
            gp_set(b, to, keys[i], value);
        }
    }
    gp_connect(b, from, to, GP_HASH);
    if (is_set(b->config, "where", "build")) {
        go_wrong(b->config);
        if (is_set(b->config, "how", "fail")) {
            gp_mistake(b, "told to fail");
            return GP_FAIL;
        }
    }
    return GP_OK;
}

GP_APP("faulty", "1.0.0", build, &numbers, &worker)
