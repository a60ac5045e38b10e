/*
 * child.h: a child process with its three pipes, none of which blocks.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_REASON_BYTES 128u

struct child {
    pid_t pid; /* also of its process group; 0: none */
    int in;    /* its stdin, ours to write; -1: closed */
    int out;   /* its stdout */
    int err;   /* its stderr */
};

/* `sh -c command` in a process group of its own, which dies with the calling thread. 0, or -1 and
 * errno. */
int child_start(struct child *c, const char *command);

void child_close_in(struct child *c);

/* Whether it has ended; then *ret_status is as of waitpid(). Never waits. */
bool child_has_ended(struct child *c, int *ret_status);

/* Kills what is left of its group, waits for it (it has been killed: at once), closes everything.
 * Zeroed or ended is fine. */
void child_end(struct child *c);

/* "exited with 3", "was killed by signal 9 (Killed)". */
const char *child_reason(int status, char text[CHILD_REASON_BYTES]);

#endif
