/*
 * completion.h: what may come next on a command line, for the TAB of shells.
 *
 * The scripts that shells load (shell/, `gpctl completion SHELL`) know nothing by themselves. At
 * each TAB they run the program that is being typed as
 *
 *     gpctl __complete WORD...
 *
 * with the words after its name up to the cursor; the last one is unfinished and perhaps empty.
 * They read one candidate a line, a tab and what it is; the last line is a colon and what else the
 * shell should offer: nothing, or files, or those that end in a suffix ("files .so"), or folders.
 * A candidate that ends in `=` or `,` wants no blank after it.
 *
 * All comes from the tables that parse and help (options.h): the name of a value or an operand
 * there says what it may be. Only what a cluster or a job's file knows is looked up by the program.
 */
#ifndef APP_COMPLETION_H
#define APP_COMPLETION_H

#include "app/options.h"

#define COMPLETION_WORD "__complete" /* as argv[1] it means all this */

/* What a value may be that the tables do not know. */
enum completion_kind {
    COMPLETION_APP,       /* APP, ID */
    COMPLETION_WORKER,    /* WORKER */
    COMPLETION_MASTER,    /* HOST:PORT */
    COMPLETION_EXECUTOR,  /* EXECUTOR: of the application that operand 0 names */
    COMPLETION_PLUGIN,    /* PLUGIN: those that are installed */
    COMPLETION_PARAMETER, /* KEY=VALUE: of the job whose file operand 0 is */
    COMPLETION_PROCESSOR, /* PROCESSOR=...: of that job */
    COMPLETION_PLACE,     /* PROCESSOR=WHERE: where its tasks may be */
};

struct completion;

/* Offers all of a kind with completion_offer(). options: of the words before, as far as they parse.
 * Nothing may reach stdout or stderr: a person is typing. */
typedef void (*completion_lookup_fn)(struct completion *c, enum completion_kind kind,
                                     const struct options *options);

/* Prints what may stand in place of the last of the words (at least one; they stand in argv, behind
 * one more). lookup may be NULL. */
void completion_answer(const struct program_spec *program, int count, char *const *words,
                       completion_lookup_fn lookup, FILE *to);

/* One candidate and what it is; printed if it goes on from what was typed. One that a shell would
 * read as anything but a plain word is left out. */
void completion_offer(struct completion *c, const char *candidate, const char *what);

/* What a candidate must begin with. */
gp_str completion_typed(const struct completion *c);

/* The lookup of gpctl. */
void ctl_completion_lookup(struct completion *c, enum completion_kind kind,
                           const struct options *options);

/* The script for "bash", "zsh" or "fish"; NULL for others. Static. */
const char *completion_script(const char *shell);

#endif
