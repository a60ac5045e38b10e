/*
 * crash.h: the last words of a process.
 *
 * A fatal signal writes one line to standard error and then kills the process as if nobody had
 * listened. The worker finds the line in the output of a dead child; so it is part of what
 * processes say to each other:
 *
 *     gearpump: crash signal=11 name=SIGSEGV plugin=wordcount processor=count function=process
 *     task=3 object=/path/app.so offset=0x1234
 *
 * all on one line, fields in this order, separated by single blanks. The four fields of the note
 * stand only if the thread was inside user code, the last two only if the code address is known;
 * offset is what addr2line takes. Blanks and control characters in values become '_'.
 */
#ifndef EDGE_CRASH_H
#define EDGE_CRASH_H

#include <signal.h>
#include <stdint.h>

#include "port/runner.h"

#define EDGE_CRASH_PREFIX "gearpump: crash "

/* A thread's own stack for the handler: the ordinary one may be what broke. */
struct edge_crash_stack {
    /* private */
    void *memory;
    stack_t before;
};

/* For the whole process: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS. [main thread, once] */
void edge_crash_begin(void);

/*
 * For the calling thread, until edge_crash_thread_end(): its stack, and where it says what user
 * code it is in (may be NULL). Without memory the ordinary stack is used.
 */
void edge_crash_thread_begin(struct edge_crash_stack *stack, const struct crash_note *note);
void edge_crash_thread_end(struct edge_crash_stack *stack);

/* Another note for the calling thread; NULL: none. */
void edge_crash_thread_note(const struct crash_note *note);

/*
 * Which mapped file an address is in, by asking the kernel; safe inside a signal handler. Writes at
 * most cap bytes of path, terminated. 0, or negative when it is in none.
 */
int edge_crash_find_object(uintptr_t address, char *ret_path, size_t cap, uintptr_t *ret_offset);

#endif
