/*
 * explain.h: what each error code means, why it usually comes, and what to do: one table for
 * `gpctl explain`, for the word in `error[not_found]: ...` and for documents.
 *
 * A code has a name in code and JSON (GP_ENOENT), a word for people (not_found), and many share an
 * exit code (3). HTTP answers have words of their own where several codes share a status.
 */
#ifndef APP_EXPLAIN_H
#define APP_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"

struct explanation {
    int code;         /* GP_E...; 0: none of its own, an exit code or a status of HTTP */
    const char *word; /* "not_found" */
    const char *means;
    const char *causes; /* lines */
    const char *remedy; /* lines */
};

/* All of the table, GP_E... first. */
const struct explanation *explain_all(uint32_t *ret_count);

/* "not_found" for GP_ENOENT; "unknown" for what is no code. Static. */
const char *explain_word(int code);

/*
 * By word (not_found), name (GP_ENOENT, ENOENT, in any case) or number (-3), also within brackets
 * as errors print it. NULL: unknown; err says so, and what was meant, perhaps.
 */
const struct explanation *explain_find(const char *text, struct gp_error *err);

/* What an exit code stands for: "not found". NULL: never ended with. */
const char *explain_exit_status(int status);

#endif
