/*
 * fail.h: how a command ends: three lines of error on stderr and an exit code that scripts rely on.
 *
 *     error[exists]: cannot submit wordcount.so
 *     cause: an application named wordcount is running (id 7)
 *     hint: gpctl kill wordcount
 *
 * The word in brackets is what `gpctl explain` knows (app/explain.h).
 */
#ifndef APP_FAIL_H
#define APP_FAIL_H

#include <stdio.h>

#include "base/error.h"

/* What a command answers to the shell. Never renumber. */
enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_FAILED = 1,
    EXIT_STATUS_USAGE = 2,
    EXIT_STATUS_NOT_FOUND = 3,
    EXIT_STATUS_CONFLICT = 4,
    EXIT_STATUS_UNREACHABLE = 5,
    EXIT_STATUS_NOT_ALLOWED = 6,
    EXIT_STATUS_TIMEOUT = 7,
    EXIT_STATUS_JOB_FAILED = 8,
    EXIT_STATUS_LOSSES = 9, /* the job finished, but messages or state were lost, or may be */
    EXIT_STATUS_INTERRUPTED = 130, /* as shells say it: 128 + SIGINT */
    EXIT_STATUS_TERMINATED = 143,  /* 128 + SIGTERM */
};

enum fail_form {
    FAIL_PLAIN,
    FAIL_JSON,
    FAIL_COLOURED, /* for a terminal */
};

/* The exit code for an error code; 0 and above is success. */
int exit_status_of(int code);

/* "0 ok, 1 failed, ...": for the foot of --help. Static. */
const char *exit_status_help(void);

/*
 * Prints what could not be done, why, and what to try; as one JSON object if asked:
 * {"error":{"code":"GP_ENOENT","what":...,"why":...,"hint":...}}. A cause of several lines is
 * indented. Without a hint in err `otherwise` stands there; NULL: no third line.
 * Returns exit_status_of(err->code).
 */
int fail_print(FILE *to, enum fail_form form, const char *what, const struct gp_error *err,
               const char *otherwise);

#endif
