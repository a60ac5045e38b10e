/* api_target.c: see api_target.h. */
#include "app/api_target.h"

#include <string.h>

#include "base/str.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: what comes out is never longer. */
static int unescape(char *ptr, size_t len, bool plus_is_blank, gp_str *ret, struct gp_error *err)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        char c = ptr[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(ptr[i + 1]) : -1;

            if (high < 0 || hex_digit(ptr[i + 2]) < 0) {
                return gp_error_set(err, GP_EINVAL, "a %% stands before two hexadecimal digits");
            }
            c = (char)(high << 4 | hex_digit(ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (c == '\0') {
            return gp_error_set(err, GP_EINVAL, "NUL stands in no path and no parameter");
        }
        ptr[out++] = c;
    }
    *ret = (gp_str){ptr, out};
    return str_is_utf8(*ret) ? 0 : gp_error_set(err, GP_EINVAL, "the target is not UTF-8");
}

static int take_path(struct api_target *t, char *ptr, size_t len, struct gp_error *err)
{
    size_t begin = 1;

    if (len == 0 || ptr[0] != '/') {
        return gp_error_set(err, GP_EINVAL, "a path begins with /");
    }
    for (size_t i = 1; len > 1 && i <= len; i++) {
        if (i < len && ptr[i] != '/') {
            continue;
        }
        if (t->part_count == API_PARTS_MAX) {
            return gp_error_set(err, GP_ETOOBIG, "the path has too many parts");
        }
        if (unescape(ptr + begin, i - begin, false, &t->parts[t->part_count], err) < 0) {
            return GP_EINVAL;
        }
        t->part_count++;
        begin = i + 1;
    }
    return 0;
}

static int take_pair(struct api_target *t, char *ptr, size_t len, struct gp_error *err)
{
    char *equals = memchr(ptr, '=', len);
    size_t name_len = equals ? (size_t)(equals - ptr) : len;
    struct api_pair *pair = &t->pairs[t->pair_count];
    int rc;

    if (len == 0) {
        return 0;
    }
    if (t->pair_count == API_PAIRS_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "more than %u parameters", API_PAIRS_MAX);
    }
    rc = unescape(ptr, name_len, true, &pair->name, err);
    pair->value = GP_STR("");
    if (rc == 0 && equals) {
        rc = unescape(equals + 1, len - name_len - 1, true, &pair->value, err);
    }
    t->pair_count += rc == 0;
    return rc;
}

int api_target_parse(gp_str target, struct api_target *ret, struct gp_error *err)
{
    char *text = ret->text;
    char *query;
    size_t path_len;
    int rc;

    ret->part_count = 0;
    ret->pair_count = 0;
    if (target.len > API_TARGET_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "the target has more than %u bytes", API_TARGET_MAX);
    }
    memcpy(text, target.ptr, target.len);
    text[target.len] = '\0';
    query = memchr(text, '?', target.len);
    path_len = query ? (size_t)(query - text) : target.len;
    rc = take_path(ret, text, path_len, err);
    for (size_t begin = path_len + 1; rc == 0 && query && begin < target.len;) {
        char *end = memchr(text + begin, '&', target.len - begin);
        size_t len = end ? (size_t)(end - text) - begin : target.len - begin;

        rc = take_pair(ret, text + begin, len, err);
        begin += len + 1;
    }
    return rc;
}

int api_event_id_parse(gp_str text, uint64_t *ret_term, uint64_t *ret_seq)
{
    uint64_t term;
    uint64_t seq;
    gp_str a;
    gp_str b;

    if (!str_cut(text, '.', &a, &b) || str_to_u64(a, &term) < 0 || str_to_u64(b, &seq) < 0) {
        return GP_EINVAL;
    }
    *ret_term = term;
    *ret_seq = seq;
    return 0;
}
