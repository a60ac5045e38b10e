/*
 * Codes to names and sentences, and the text of a gp_error.
 *
 * Invariant: text and hint are always terminated. Nothing here can fail; what does not fit is cut.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

struct error_entry {
    int code;
    const char *name;
    const char *sentence;
};

static const struct error_entry entries[] = {
#define ERROR_ENTRY(name, value, sentence) {(value), #name, (sentence)},
    ERROR_LIST(ERROR_ENTRY)
#undef ERROR_ENTRY
};

static const struct error_entry *error_find(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        if (entries[i].code == code) {
            return &entries[i];
        }
    }
    return NULL;
}

int gp_error_set(struct gp_error *err, int code, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;

    ASSERT(code < 0);
    if (err == NULL) {
        return code;
    }
    /* Formatted aside first, because the arguments may point into err. */
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cutting is wanted */
    va_end(args);
    err->code = code;
    memcpy(err->text, text, strlen(text) + 1);
    err->hint[0] = '\0';
    return code;
}

void gp_error_prefix(struct gp_error *err, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    size_t used;
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cutting is wanted */
    va_end(args);
    used = strlen(text);
    (void)snprintf(text + used, sizeof(text) - used, ": %s", err->text);
    memcpy(err->text, text, strlen(text) + 1);
}

void gp_error_hint(struct gp_error *err, const char *fmt, ...)
{
    char hint[ERROR_HINT_MAX];
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(hint, sizeof(hint), fmt, args); /* cutting is wanted */
    va_end(args);
    memcpy(err->hint, hint, strlen(hint) + 1);
}

void gp_error_clear(struct gp_error *err)
{
    if (err != NULL) {
        err->code = 0;
        err->text[0] = '\0';
        err->hint[0] = '\0';
    }
}

const char *error_name(int code)
{
    const struct error_entry *entry = error_find(code);

    if (code >= 0) {
        return "GP_OK";
    }
    return entry != NULL ? entry->name : "GP_EUNKNOWN";
}

const char *error_sentence(int code)
{
    const struct error_entry *entry = error_find(code);

    if (code >= 0) {
        return "success";
    }
    return entry != NULL ? entry->sentence : "unknown error";
}

int error_from_errno(int errno_value)
{
    static const struct {
        int from;
        int to;
    } table[] = {
        {EINVAL, GP_EINVAL},
        {ENAMETOOLONG, GP_EINVAL},
        {ENOTDIR, GP_EINVAL},
        {EISDIR, GP_EINVAL},
        {ENOMEM, GP_ENOMEM},
        {ENOENT, GP_ENOENT},
        {ESRCH, GP_ENOENT},
        {EEXIST, GP_EEXIST},
        {ENOTEMPTY, GP_EEXIST},
        {EAGAIN, GP_EAGAIN},
        {EINTR, GP_EAGAIN},
        {EBUSY, GP_EAGAIN},
        {EPIPE, GP_ECLOSED},
        {ECONNRESET, GP_ECLOSED},
        {ECONNABORTED, GP_ECLOSED},
        {ENOTCONN, GP_ECLOSED},
        {EBADF, GP_ECLOSED},
        {ETIMEDOUT, GP_ETIMEOUT},
        {EPROTO, GP_EPROTO},
        {EBADMSG, GP_EPROTO},
        {E2BIG, GP_ETOOBIG},
        {EFBIG, GP_ETOOBIG},
        {EMSGSIZE, GP_ETOOBIG},
        {EOVERFLOW, GP_ETOOBIG},
        {EACCES, GP_EACCES},
        {EPERM, GP_EACCES},
        {EROFS, GP_EACCES},
        {ECONNREFUSED, GP_EUNREACH},
        {EHOSTUNREACH, GP_EUNREACH},
        {ENETUNREACH, GP_EUNREACH},
        {ENETDOWN, GP_EUNREACH},
        {EHOSTDOWN, GP_EUNREACH},
        {ENOSPC, GP_ENOSPC},
        {EDQUOT, GP_ENOSPC},
        {ECANCELED, GP_ECANCELED},
        {ESTALE, GP_ESTALE},
        {EOPNOTSUPP, GP_EUNSUPPORTED},
        {ENOSYS, GP_EUNSUPPORTED},
        {EAFNOSUPPORT, GP_EUNSUPPORTED},
        {EMFILE, GP_EFULL},
        {ENFILE, GP_EFULL},
        {EADDRINUSE, GP_EADDRINUSE},
        {EADDRNOTAVAIL, GP_EINVAL},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].from == errno_value) {
            return table[i].to;
        }
    }
    return GP_EIO;
}
