/*
 * forked.h: a function in a child process of its own, so that code which crashes, exits or does not
 * return is a finding and nothing else.
 *
 * The child says two kinds of lines: records, which the function writes to the descriptor it is
 * given, and words, which are its standard output and standard error, last words of a crash
 * (edge/crash.h) among them. It moves a counter that both share; when that stands still for stuck_s
 * of real time, the child is made to crash where it is, and killed if that does not help.
 *
 * Blocking, for programs of one thread that have no loop. The child dies with its parent.
 */
#ifndef EDGE_FORKED_H
#define EDGE_FORKED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"

struct edge_forked {
    /* In the child: its exit code. */
    int (*run)(void *user, int records_fd, _Atomic uint64_t *counter);
    /* In the parent: one line, without its end; borrowed. */
    void (*on_record)(void *user, gp_str line);
    void (*on_word)(void *user, gp_str line);
    void *user;
    int stuck_s;
    /* It may do no harm: memory, files and core dumps are bounded; it reads nothing from
     * standard input, and what it leaves behind is killed. */
    bool is_contained;
};

/* How it ended. */
struct edge_forked_end {
    int32_t exit_code; /* -1: by a signal */
    int32_t signal;
    bool is_stuck; /* it was ended because its counter stood still */
};

/* Runs it to its end. Negative: no child could be made. */
int edge_forked_run(const struct edge_forked *spec, struct edge_forked_end *ret,
                    struct gp_error *err);

#endif
