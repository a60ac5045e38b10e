/* log_line.c: see log_line.h. Nothing is trusted: user code may write lines that look like ours. */
#include "app/log_line.h"

#include <time.h>

#include "base/assert.h"
#include "base/str.h"
#include "edge/crash.h"

#define HEAD_MAX 64 /* bytes of a line among which time and level are */

/* ---- time ---- */

/* A number of so many digits at the front of *rest. */
static bool take_number(gp_str *rest, size_t digits, int *ret)
{
    int number = 0;

    if (rest->len < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = (gp_str){rest->ptr + digits, rest->len - digits};
    *ret = number;
    return true;
}

static bool take_char(gp_str *rest, char a, char b)
{
    if (rest->len == 0 || (rest->ptr[0] != a && rest->ptr[0] != b)) {
        return false;
    }
    *rest = (gp_str){rest->ptr + 1, rest->len - 1};
    return true;
}

/* ".123456" as milliseconds. */
static int take_fraction_ms(gp_str *rest)
{
    int ms = 0;
    int digit;

    if (!take_char(rest, '.', '.')) {
        return 0;
    }
    for (int weight = 100; take_number(rest, 1, &digit); weight /= 10) {
        ms += digit * weight;
    }
    return ms;
}

int log_time_parse(gp_str text, int64_t *ret_ms)
{
    struct tm tm = {.tm_isdst = -1};
    time_t seconds;
    int ms = 0;

    if (!take_number(&text, 4, &tm.tm_year) || !take_char(&text, '-', '-') ||
        !take_number(&text, 2, &tm.tm_mon) || !take_char(&text, '-', '-') ||
        !take_number(&text, 2, &tm.tm_mday) || !take_char(&text, 'T', ' ') ||
        !take_number(&text, 2, &tm.tm_hour) || !take_char(&text, ':', ':') ||
        !take_number(&text, 2, &tm.tm_min)) {
        return GP_EINVAL;
    }
    if (take_char(&text, ':', ':')) {
        if (!take_number(&text, 2, &tm.tm_sec)) {
            return GP_EINVAL;
        }
        ms = take_fraction_ms(&text);
    }
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60) {
        return GP_EINVAL;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    seconds = take_char(&text, 'Z', 'z') ? timegm(&tm) : mktime(&tm);
    if (text.len > 0) {
        return GP_EINVAL;
    }
    *ret_ms = (int64_t)seconds * 1000 + ms;
    return 0;
}

/* ---- lines ---- */

static bool is_level(gp_str word, enum log_level *ret)
{
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
        if (str_eq_nocase(word, gp_str_of(log_level_name((enum log_level)level)))) {
            *ret = (enum log_level)level;
            return true;
        }
    }
    return false;
}

/* `key"` ... `"` within the head of a line. */
static gp_str member(gp_str line, gp_str key)
{
    gp_str value = {0};
    gp_str rest;

    line.len = line.len < 2 * HEAD_MAX ? line.len : 2 * HEAD_MAX;
    for (; line.len > key.len; line = (gp_str){line.ptr + 1, line.len - 1}) {
        if (str_starts_with(line, key)) {
            (void)str_cut((gp_str){line.ptr + key.len, line.len - key.len}, '"', &value, &rest);
            return value;
        }
    }
    return value;
}

/* False: it says nothing of itself. */
static bool read_head(gp_str line, struct log_state *ret)
{
    gp_str time;
    gp_str level;
    gp_str rest;

    if (str_starts_with(line, GP_STR("{\""))) {
        time = member(line, GP_STR("\"time\":\""));
        level = member(line, GP_STR("\"level\":\""));
    } else {
        (void)str_cut(line, ' ', &time, &rest);
        (void)str_cut(rest, ' ', &level, &rest);
    }
    return is_level(level, &ret->level) && str_ends_with(time, GP_STR("Z")) &&
           log_time_parse(time, &ret->time_ms) == 0;
}

bool log_line_passes(const struct log_filter *filter, struct log_state *state, gp_str line)
{
    struct log_state own = {0};

    if (read_head(line, &own)) {
        *state = own;
    } else if (str_starts_with(line, GP_STR(EDGE_CRASH_PREFIX))) {
        state->level = LOG_LEVEL_ERROR;
    } else if (line.len == 0 || (line.ptr[0] != ' ' && line.ptr[0] != '\t')) {
        state->level = LOG_LEVEL_INFO;
    }
    return state->level >= filter->level && state->time_ms >= filter->since_ms;
}
