/*
 * Errors: one list of codes, and a bounded text for the places where a person reads the cause.
 *
 * A function that can fail returns 0 or a count on success and one of these negative codes on
 * failure. Where the reader is a person it also takes `struct gp_error *err` as its last parameter
 * (NULL is allowed: the caller does not want the text). The deepest layer sets the text, each layer
 * above may prefix what it was doing, and one may add a hint: what to try next.
 *
 * The numbers travel in frames and stand in files: never renumber, only append.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdint.h>

/* X(name, value, sentence) */
#define ERROR_LIST(X)                                                                              \
    X(GP_EINVAL, -1, "an argument is not valid")                                                   \
    X(GP_ENOMEM, -2, "out of memory")                                                              \
    X(GP_ENOENT, -3, "not found")                                                                  \
    X(GP_EEXIST, -4, "it exists already")                                                          \
    X(GP_EAGAIN, -5, "not now, try again")                                                         \
    X(GP_ECLOSED, -6, "closed")                                                                    \
    X(GP_ETIMEOUT, -7, "no answer in time")                                                        \
    X(GP_EPROTO, -8, "malformed data")                                                             \
    X(GP_ETOOBIG, -9, "larger than its limit")                                                     \
    X(GP_EACCES, -10, "not allowed")                                                               \
    X(GP_EUNREACH, -11, "cannot be reached")                                                       \
    X(GP_EIO, -12, "input or output failed")                                                       \
    X(GP_ENOSPC, -13, "no space left")                                                             \
    X(GP_ECANCELED, -14, "canceled")                                                               \
    X(GP_EUSER, -15, "user code failed")                                                           \
    X(GP_EABI, -16, "built for another ABI")                                                       \
    X(GP_ECHECKSUM, -17, "checksum does not match")                                                \
    X(GP_ESTALE, -18, "from an earlier life")                                                      \
    X(GP_ESTATE, -19, "not possible in this state")                                                \
    X(GP_EUNSUPPORTED, -20, "not supported")                                                       \
    X(GP_EFULL, -21, "full")                                                                       \
    X(GP_EJOB, -22, "the job failed")                                                              \
    X(GP_EINTERNAL, -23, "internal error")                                                         \
    X(GP_EADDRINUSE, -24, "address in use")                                                        \
    X(GP_ENOTLEADER, -25, "not the leader")                                                        \
    X(GP_EVERSION, -26, "no common protocol version")

enum error_code {
#define ERROR_ENUM(name, value, sentence) name = (value),
    ERROR_LIST(ERROR_ENUM)
#undef ERROR_ENUM
};

#define ERROR_TEXT_MAX 1024 /* bytes, with the terminating zero */
#define ERROR_HINT_MAX 256  /* bytes, with the terminating zero */

/* A zeroed gp_error means "no error". Text that does not fit is cut. */
struct gp_error {
    int32_t code;
    char text[ERROR_TEXT_MAX];
    char hint[ERROR_HINT_MAX];
};

/*
 * Sets code and text (printf style) and clears the hint. Returns code, so that a failure is one
 * line: return gp_error_set(err, GP_ENOENT, "no plugin named %s", name);
 * err may be NULL. code must be negative. Arguments may point into err itself.
 */
int gp_error_set(struct gp_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " in front of the text: what the caller was doing. Keeps code and hint. */
void gp_error_prefix(struct gp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets the hint: what a person can do about it. */
void gp_error_hint(struct gp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Back to "no error". NULL is allowed. */
void gp_error_clear(struct gp_error *err);

/* "GP_ENOENT" for GP_ENOENT, "GP_OK" for 0 and above, "GP_EUNKNOWN" for other numbers. Static. */
const char *error_name(int code);

/* "not found" for GP_ENOENT; "success" for 0 and above; "unknown error" for the rest. Static. */
const char *error_sentence(int code);

/* The code nearest to a (positive) errno value; GP_EIO for those without a better one. */
int error_from_errno(int errno_value);

#endif
