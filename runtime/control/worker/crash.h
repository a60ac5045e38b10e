/*
 * crash.h: the last words of a process that died of a signal.
 *
 * The crash handler of an executor writes one line to its stderr, which its worker captures:
 *
 *   gearpump: crash signal=11 name=SIGSEGV plugin=wordcount processor=split
 *     function=process task=1 object=/a/b.so offset=0x11f0
 *
 * The process that wrote it is broken: nothing in the line is trusted beyond being shown.
 */
#ifndef CONTROL_WORKER_CRASH_H
#define CONTROL_WORKER_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#define CRASH_LINE_PREFIX "gearpump: crash "
#define CRASH_WORD_MAX    64u
#define CRASH_PATH_MAX    1024u
#define CRASH_TEXT_MAX    512u

struct crash {
    bool found;
    uint32_t signal;
    char name[CRASH_WORD_MAX]; /* "SIGSEGV" */
    char plugin[CRASH_WORD_MAX];
    char processor[CRASH_WORD_MAX];
    char function[CRASH_WORD_MAX]; /* of the ABI, as "process" */
    uint32_t task;
    char object[CRASH_PATH_MAX]; /* file that holds the address; "" if not known */
    uint64_t offset;             /* of the address in it */
    char symbol[CRASH_WORD_MAX]; /* function of the program, once looked up; "" if not known */
};

/* Takes a line of output; when it is a crash line, fills *ret and returns true. */
bool crash_parse(gp_str line, struct crash *ret);

/* For people: "SIGSEGV in split_line(), plugin wordcount, processor split, task 1, process()". */
void crash_text(const struct crash *crash, char *text, size_t cap);

#endif
