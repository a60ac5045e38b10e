/*
 * One event to one line, on the stack, in text or JSON.
 *
 * Invariants: a line is never longer than LOG_LINE_MAX, always ends with a newline and contains no
 * other; in JSON it is always a whole object. A text value longer than VALUE_MAX is cut and ends in
 * "..."; a key with its value that does not fit any more is left out whole, and the line ends in
 * cut=true. Nothing can fail: a sink that cannot write is the sink's matter.
 */
#include "base/log.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

#define VALUE_MAX 1024 /* bytes of one text value that are shown, before escaping */
#define TAIL_SIZE 16   /* bytes kept free for ,"cut":true} and the newline */

struct line {
    enum log_format format;
    bool overflow; /* the last put did not fit; len is then meaningless until it is set back */
    size_t len;
    char text[LOG_LINE_MAX];
};

static void put(struct line *line, const char *ptr, size_t len)
{
    if (len > sizeof(line->text) - TAIL_SIZE - line->len) {
        line->overflow = true;
        return;
    }
    memcpy(line->text + line->len, ptr, len);
    line->len += len;
}

static void put_c(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Escaped for the format, at most VALUE_MAX bytes of it. */
static void put_escaped(struct line *line, gp_str s)
{
    size_t keep = s.len > VALUE_MAX ? s.len - VALUE_MAX : 0;

    while (s.len > keep && !line->overflow) {
        char shown[STR_SHOWN_MAX];
        size_t len =
            line->format == LOG_FORMAT_JSON ? str_json_next(&s, shown) : str_show_next(&s, shown);

        put(line, shown, len);
    }
    put_c(line, keep > 0 ? "..." : "");
}

/* Whether a text needs quotes in a text line, to be read as one value. */
static bool needs_quotes(gp_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return true;
        }
    }
    return s.len == 0;
}

static void put_str(struct line *line, gp_str s)
{
    const char *quote = line->format == LOG_FORMAT_JSON || needs_quotes(s) ? "\"" : "";

    put_c(line, quote);
    put_escaped(line, s);
    put_c(line, quote);
}

static void put_double(struct line *line, double d)
{
    char text[STR_DOUBLE_MAX];

    if (isfinite(d)) {
        put_c(line, str_put_double(d, text));
    } else {
        put_c(line, line->format == LOG_FORMAT_JSON ? "null" : isnan(d) ? "nan" : "inf");
    }
}

static void put_hex(struct line *line, uint64_t v)
{
    char text[24];

    (void)str_format(text, sizeof(text), "0x%" PRIx64, v); /* 18 digits at most */
    put_str(line, gp_str_of(text));
}

static void put_number(struct line *line, const struct log_kv *kv)
{
    char text[24];
    int rc = kv->kind == LOG_KIND_I64 ? str_format(text, sizeof(text), "%" PRId64, kv->v.i64)
                                      : str_format(text, sizeof(text), "%" PRIu64, kv->v.u64);

    ASSERT(rc > 0);
    put_c(line, text);
}

static void put_value(struct line *line, const struct log_kv *kv)
{
    switch (kv->kind) {
    case LOG_KIND_U64:
    case LOG_KIND_I64:
        put_number(line, kv);
        return;
    case LOG_KIND_HEX:
        put_hex(line, kv->v.u64);
        return;
    case LOG_KIND_DOUBLE:
        put_double(line, kv->v.d);
        return;
    case LOG_KIND_BOOL:
        put_c(line, kv->v.u64 != 0 ? "true" : "false");
        return;
    case LOG_KIND_STR:
        put_str(line, kv->v.str);
        return;
    case LOG_KIND_CODE:
        put_str(line, gp_str_of(error_name((int)kv->v.i64)));
        return;
    case LOG_KIND_END:
        break;
    }
    UNREACHABLE();
}

/* The separator, the key, and what stands between key and value. */
static void put_key(struct line *line, const char *key)
{
    bool is_json = line->format == LOG_FORMAT_JSON;

    put_c(line, is_json ? (line->len > 1 ? ",\"" : "\"") : " ");
    put_c(line, key);
    put_c(line, is_json ? "\":" : "=");
}

/* Year, month and day of a day counted from 1970-01-01; the calendar repeats every 400 years. */
static void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t shifted = days + 719468; /* from 0000-03-01, so that the leap day ends a year */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;

    *ret_day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *ret_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *ret_year = (int64_t)year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

/* 2026-01-31T09:30:00.123456Z. Not gmtime_r, which takes a lock and reads the environment. */
static void format_time(int64_t ns, char out[40])
{
    int64_t us = ns / 1000 - (ns % 1000 < 0 ? 1 : 0);
    int64_t day_us = us % INT64_C(86400000000);
    int64_t days = us / INT64_C(86400000000);
    int64_t year;
    unsigned month;
    unsigned day;

    if (day_us < 0) {
        day_us += INT64_C(86400000000);
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    (void)str_format(out, 40, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%06uZ", year, month, day,
                     (unsigned)(day_us / INT64_C(3600000000)),
                     (unsigned)(day_us / INT64_C(60000000) % 60), (unsigned)(day_us / 1000000 % 60),
                     (unsigned)(day_us % 1000000));
}

static void put_head_text(struct line *line, const struct log *log, enum log_level level,
                          const char *event)
{
    static const char *const names[] = {"DEBUG ", "INFO ", "WARN ", "ERROR "};
    char time[40];

    if (log->clock != NULL) {
        format_time(log->clock(log->clock_ctx), time);
        put_c(line, time);
        put_c(line, " ");
    }
    put_c(line, names[level]);
    if (log->node[0] != '\0') {
        put_c(line, log->node);
        put_c(line, " ");
    }
    put_c(line, event);
}

static void put_head_json(struct line *line, const struct log *log, enum log_level level,
                          const char *event)
{
    char time[40];

    put_c(line, "{");
    if (log->clock != NULL) {
        format_time(log->clock(log->clock_ctx), time);
        put_key(line, "time");
        put_str(line, gp_str_of(time));
    }
    put_key(line, "level");
    put_str(line, gp_str_of(log_level_name(level)));
    if (log->node[0] != '\0') {
        put_key(line, "node");
        put_str(line, gp_str_of(log->node));
    }
    put_key(line, "event");
    put_str(line, gp_str_of(event));
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_kv *kvs)
{
    struct line line;
    bool is_cut = false;
    bool is_json;

    if (!log_enabled(log, level)) {
        return;
    }
    ASSERT(level < LOG_LEVEL_OFF);
    is_json = log->format == LOG_FORMAT_JSON;
    line.format = log->format;
    line.overflow = false;
    line.len = 0;
    (is_json ? put_head_json : put_head_text)(&line, log, level, event);
    ASSERT(!line.overflow); /* event names are short literals */
    for (; kvs->kind != LOG_KIND_END; kvs++) {
        size_t len_before = line.len;

        put_key(&line, kvs->key);
        put_value(&line, kvs);
        if (line.overflow) {
            line.len = len_before;
            line.overflow = false;
            is_cut = true;
        }
    }
    /* TAIL_SIZE bytes are free for this. */
    if (is_cut) {
        line.len += (size_t)str_format(line.text + line.len, TAIL_SIZE, "%s",
                                       is_json ? ",\"cut\":true" : " cut=true");
    }
    if (is_json) {
        line.text[line.len++] = '}';
    }
    line.text[line.len++] = '\n';
    log->sink(log->sink_ctx, level, (gp_str){.ptr = line.text, .len = line.len});
}

struct log_kv log_kv_u64(const char *key, uint64_t v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_U64, .v.u64 = v};
}

struct log_kv log_kv_i64(const char *key, int64_t v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_I64, .v.i64 = v};
}

struct log_kv log_kv_hex(const char *key, uint64_t v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_HEX, .v.u64 = v};
}

struct log_kv log_kv_double(const char *key, double v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_DOUBLE, .v.d = v};
}

struct log_kv log_kv_bool(const char *key, bool v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_BOOL, .v.u64 = v};
}

struct log_kv log_kv_str(const char *key, gp_str v)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_STR, .v.str = v};
}

struct log_kv log_kv_c(const char *key, const char *v)
{
    return log_kv_str(key, gp_str_of(v));
}

struct log_kv log_kv_code(const char *key, int code)
{
    return (struct log_kv){.key = key, .kind = LOG_KIND_CODE, .v.i64 = code};
}

bool log_limit_pass(struct log_limit *limit, int64_t now_ns, uint64_t *ret_held_back)
{
    if (!limit->used || now_ns >= limit->next_ns) {
        limit->next_ns = now_ns + limit->interval_ns;
        limit->passed = 0;
        limit->used = true;
    }
    if (limit->passed >= (limit->burst > 0 ? limit->burst : 1)) {
        limit->held_back++;
        return false;
    }
    limit->passed++;
    *ret_held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

const char *log_level_name(enum log_level level)
{
    ASSERT((size_t)level < ARRAY_LEN(level_names));
    return level_names[level];
}

int log_level_parse(gp_str name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_eq(name, gp_str_of(level_names[i]))) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return GP_EINVAL;
}
