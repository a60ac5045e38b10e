/*
 * proc_launch.c: arguments, environment and descriptors of a child.
 *
 * Every descriptor is close-on-exec; the child gets 0 (null), 1 and 2 (the output pipe) and 3 (the
 * lifeline, child.h), nothing else. It starts in a session of its own, with default signals (libuv
 * resets them). Failures: no memory, no descriptors, no such program.
 */
#include "edge/proc_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "edge/child.h"

#define SELF_PATH "/proc/self/exe" /* also right when the file was replaced by a newer one */

static void init_args(struct edge_launch *la, const char *program, const struct proc_spec *spec)
{
    size_t count = 0;

    la->program = program;
    la->args[0] = program;
    if (program == NULL) {
        ssize_t len = readlink(SELF_PATH, la->self, sizeof(la->self) - 1);

        la->self[len > 0 ? len : 0] = '\0';
        la->program = SELF_PATH;
        la->args[0] = la->self; /* what ps shows */
    }
    while (spec->args[count] != NULL) {
        ASSERT(count < PROC_ARGS_MAX);
        la->args[count + 1] = spec->args[count];
        count++;
    }
    la->args[count + 1] = NULL;
}

/* 0 or GP_ENOMEM. */
static int hand(struct edge_launch *la, const char *entry)
{
    size_t size = sizeof(EDGE_CHILD_ENV_PREFIX) + strlen(entry);
    char *handed = malloc(size);

    ASSERT(la->handed_count < EDGE_CHILD_ENV_MAX && strchr(entry, '=') != NULL);
    if (handed == NULL) {
        return GP_ENOMEM;
    }
    (void)snprintf(handed, size, EDGE_CHILD_ENV_PREFIX "%s", entry);
    la->handed[la->handed_count++] = handed;
    return 0;
}

static int init_env(struct edge_launch *la, const char *const *env)
{
    size_t count = 0;

    for (; env != NULL && *env != NULL; env++) {
        int rc = hand(la, *env);

        if (rc < 0) {
            return rc;
        }
    }
    while (environ[count] != NULL) {
        count++;
    }
    la->env = calloc(1 + la->handed_count + count + 1, sizeof(*la->env));
    if (la->env == NULL) {
        return GP_ENOMEM;
    }
    /* Ours first: of two with one name the first counts. */
    (void)snprintf(la->parent, sizeof(la->parent), EDGE_CHILD_PARENT_ENV "=%ld", (long)getpid());
    la->env[0] = la->parent;
    memcpy(la->env + 1, la->handed, la->handed_count * sizeof(*la->env));
    memcpy(la->env + 1 + la->handed_count, environ, count * sizeof(*la->env));
    return 0;
}

int edge_launch_init(struct edge_launch *la, const char *program, const struct proc_spec *spec)
{
    memset(la, 0, sizeof(*la));
    memset(la->output, -1, sizeof(la->output));
    memset(la->lifeline, -1, sizeof(la->lifeline));
    init_args(la, program, spec);
    if (pipe2(la->output, O_CLOEXEC) < 0 || pipe2(la->lifeline, O_CLOEXEC) < 0) {
        return error_from_errno(errno);
    }
    return init_env(la, spec->env);
}

static void close_ends(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
    }
}

void edge_launch_deinit(struct edge_launch *la)
{
    close_ends(la->output);
    close_ends(la->lifeline);
    for (size_t i = 0; i < la->handed_count; i++) {
        explicit_bzero(la->handed[i], strlen(la->handed[i]));
        free(la->handed[i]);
    }
    free(la->env);
}

static uv_stdio_container_t inherit(int fd)
{
    return (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
}

int edge_launch_spawn(struct edge_launch *la, uv_loop_t *uv, uv_process_t *process,
                      uv_exit_cb on_exit_seen)
{
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        inherit(la->output[1]),
        inherit(la->output[1]),
        inherit(la->lifeline[0]),
    };
    const uv_process_options_t options = {
        .exit_cb = on_exit_seen,
        .file = la->program,
        .args = (char **)(uintptr_t)la->args, /* uv only reads them */
        .env = la->env,
        .flags = UV_PROCESS_DETACHED, /* Ctrl-C is for the parent */
        .stdio_count = ARRAY_LEN(stdio),
        .stdio = stdio,
    };

    return uv_spawn(uv, process, &options);
}
