/*
 * json.c: JSON text to a tree of values, by cJSON.
 *
 * cJSON recurses, takes more than JSON is (leading zeros, control characters, a byte order mark),
 * and cuts text at \u0000. So a scan without recursion goes first and refuses all that, and bounds
 * depth and number of values before any memory is spent. What cJSON then makes is turned into
 * values, which refuse duplicate names.
 *
 * Happy path: scan, parse, nothing left over, convert. Failures: malformed text with its place, a
 * bound, no memory.
 */
#include "edge/json.h"

#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/str.h"
#include "edge/limits.h"
#include "edge/source.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: above, not every integer is a double */

struct scan {
    gp_str text;
    size_t at;
    uint32_t depth;
    uint32_t values; /* an upper bound: commas and opening brackets */
    struct gp_error *err;
};

static int refuse(const struct scan *s, int code, const char *what)
{
    return edge_source_error(s->text, s->at, code, what, s->err);
}

/* ---- the scan ---- */

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static int scan_string(struct scan *s)
{
    const char *p = s->text.ptr;
    size_t len = s->text.len;
    size_t begin = s->at;

    for (s->at++; s->at < len && p[s->at] != '"'; s->at++) {
        if ((unsigned char)p[s->at] < ' ') {
            return refuse(s, GP_EPROTO, "control character in text: write it as \\u00XX");
        }
        if (p[s->at] != '\\') {
            continue;
        }
        if (len - s->at >= 6 && memcmp(p + s->at, "\\u0000", 6) == 0) {
            return refuse(s, GP_EPROTO, "\\u0000 is not allowed in text");
        }
        s->at++; /* whatever is escaped; cJSON checks it */
    }
    if (s->at >= len) {
        return edge_source_error(s->text, begin, GP_EPROTO, "text is not closed", s->err);
    }
    s->at++;
    return 0;
}

static int scan_number(struct scan *s)
{
    gp_str number = {.ptr = s->text.ptr + s->at, .len = 0};
    gp_str digits;
    double value;

    while (s->at + number.len < s->text.len &&
           is_one_of(number.ptr[number.len], "+-.0123456789Ee")) {
        number.len++;
    }
    digits = number;
    if (digits.ptr[0] == '-') {
        digits.ptr++;
        digits.len--;
    }
    if ((digits.len >= 2 && digits.ptr[0] == '0' && digits.ptr[1] >= '0' && digits.ptr[1] <= '9') ||
        str_to_double(number, &value) < 0) {
        return refuse(s, GP_EPROTO, "not a number that JSON knows");
    }
    s->at += number.len;
    return 0;
}

static int scan_open(struct scan *s)
{
    if (++s->depth > VALUE_DEPTH_MAX) {
        return refuse(s, GP_ETOOBIG, "nested too deep");
    }
    s->values++;
    s->at++;
    return 0;
}

static int scan_token(struct scan *s)
{
    char c = s->text.ptr[s->at];

    if (c == '"') {
        return scan_string(s);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return scan_number(s);
    }
    if (c == '[' || c == '{') {
        return scan_open(s);
    }
    /* The order of tokens is cJSON's affair; which characters there are is ours. */
    if (!is_one_of(c, " \t\r\n,:]}aeflnrstu")) {
        return refuse(s, GP_EPROTO, "unexpected character");
    }
    s->depth -= (c == ']' || c == '}') && s->depth > 0 ? 1 : 0;
    s->values += c == ',' ? 1 : 0;
    s->at++;
    return 0;
}

static int scan(gp_str text, struct gp_error *err)
{
    struct scan s = {.text = text, .err = err};

    if (!str_is_utf8(text)) {
        return gp_error_set(err, GP_EPROTO, "not valid UTF-8");
    }
    while (s.at < text.len) {
        int rc = scan_token(&s);

        if (rc < 0) {
            return rc;
        }
        if (s.values > EDGE_TEXT_VALUES_MAX) {
            return refuse(&s, GP_ETOOBIG, "too many values");
        }
    }
    return 0;
}

/* ---- conversion; its recursion is bounded by the scan ---- */

static struct value *convert(const cJSON *item, struct gp_error *err);

static struct value *convert_number(double number)
{
    if (fabs(number) <= EXACT_MAX && floor(number) == number) {
        return value_new_i64((int64_t)number);
    }
    return value_new_double(number);
}

static struct value *convert_children(const cJSON *item, struct value *parent, struct gp_error *err)
{
    bool is_object = cJSON_IsObject(item) != 0;

    for (const cJSON *child = item->child; parent != NULL && child != NULL; child = child->next) {
        struct value *v = convert(child, err);
        int rc = GP_ENOMEM;

        if (v != NULL) {
            rc = is_object ? value_add_take(parent, gp_str_of(child->string), v)
                           : value_append_take(parent, v);
        }
        if (rc == GP_EEXIST) {
            char name[128];

            (void)str_escape(gp_str_of(child->string), name, sizeof(name));
            gp_error_set(err, GP_EPROTO, "the name '%s' stands twice in one object", name);
        } else if (rc < 0 && v != NULL) {
            gp_error_set(err, rc, "%s", error_sentence(rc));
        }
        if (rc < 0) {
            value_free(parent);
            return NULL;
        }
    }
    return parent;
}

/* NULL on failure; err tells which, and stays as it is without memory. */
static struct value *convert(const cJSON *item, struct gp_error *err)
{
    if (cJSON_IsObject(item)) {
        return convert_children(item, value_new_object(), err);
    }
    if (cJSON_IsArray(item)) {
        return convert_children(item, value_new_list(), err);
    }
    if (cJSON_IsString(item)) {
        return value_new_str(gp_str_of(item->valuestring));
    }
    if (cJSON_IsNumber(item)) {
        return convert_number(item->valuedouble);
    }
    return cJSON_IsBool(item) ? value_new_bool(cJSON_IsTrue(item) != 0) : value_new_null();
}

int edge_json_parse(gp_str text, struct value **ret, struct gp_error *err)
{
    struct gp_error cause = {.code = GP_ENOMEM, .text = "out of memory"};
    const char *end = text.ptr;
    struct value *v;
    cJSON *item;
    int rc = scan(text, err);

    if (rc < 0) {
        return rc;
    }
    item = text.len > 0 ? cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, 0) : NULL;
    if (item == NULL) {
        return edge_source_error(text, (size_t)(end - text.ptr), GP_EPROTO,
                                 text.len > 0 ? "not JSON" : "no value", err);
    }
    while (end < text.ptr + text.len && (unsigned char)*end <= ' ') {
        end++;
    }
    if (end < text.ptr + text.len) {
        cJSON_Delete(item);
        return edge_source_error(text, (size_t)(end - text.ptr), GP_EPROTO, "more after the end",
                                 err);
    }
    v = convert(item, &cause);
    cJSON_Delete(item);
    if (v == NULL) {
        return gp_error_set(err, cause.code, "%s", cause.text);
    }
    *ret = v;
    return 0;
}
