/*
 * Structured log events, one line each:
 *
 *     2026-01-31T09:30:00.123456Z INFO worker/3 task.started task=7 host="a b"
 *     {"time":"2026-01-31T09:30:00.123456Z","level":"info","node":"worker/3","event":"task.started",...}
 *
 *     LOG_INFO(log, "task.started", KV_U64("task", id), KV_STR("host", host));
 *
 * Event names are literals: stable, dotted, past tense. Keys are snake_case literals with units
 * last. A line is made on the stack, at most LOG_LINE_MAX bytes; what does not fit is cut and
 * marked ("..." or "cut":true), never split. There is no global log: whoever logs was given one.
 * Thread: as the sink and clock allow; this file keeps no state.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"

#define LOG_LINE_MAX 2048 /* bytes, with the newline */
#define LOG_NODE_MAX 64   /* bytes, with the zero */

enum log_level {
    LOG_LEVEL_DEBUG, /* moves of state machines */
    LOG_LEVEL_INFO,  /* life cycle */
    LOG_LEVEL_WARN,  /* survived */
    LOG_LEVEL_ERROR, /* a person must act */
    LOG_LEVEL_OFF,
};

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
};

/* Writes one line, newline included; line is borrowed until return. Must not log itself. */
typedef void log_sink_fn(void *ctx, enum log_level level, gp_str line);

/* Wall clock: nanoseconds since 1970-01-01 UTC. */
typedef int64_t log_clock_fn(void *ctx);

/* Filled by the owner; read-only for those who log. A zeroed log has no sink and drops everything.
 */
struct log {
    enum log_level level; /* events below are dropped */
    enum log_format format;
    log_sink_fn *sink;
    void *sink_ctx;
    log_clock_fn *clock; /* NULL: no time is printed */
    void *clock_ctx;
    char node[LOG_NODE_MAX]; /* who speaks: "master", "worker/3"; may be empty */
};

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_U64,
    LOG_KIND_I64,
    LOG_KIND_HEX,
    LOG_KIND_DOUBLE,
    LOG_KIND_BOOL,
    LOG_KIND_STR,
    LOG_KIND_CODE,
};

struct log_kv {
    const char *key;
    enum log_kind kind;
    union {
        uint64_t u64;
        int64_t i64;
        double d;
        gp_str str;
    } v;
};

struct log_kv log_kv_u64(const char *key, uint64_t v);
struct log_kv log_kv_i64(const char *key, int64_t v);
struct log_kv log_kv_hex(const char *key, uint64_t v);
struct log_kv log_kv_double(const char *key, double v);
struct log_kv log_kv_bool(const char *key, bool v);
struct log_kv log_kv_str(const char *key, gp_str v);
struct log_kv log_kv_c(const char *key, const char *v);
struct log_kv log_kv_code(const char *key, int code);

#define KV_U64(key, v)    log_kv_u64(key, v)
#define KV_I64(key, v)    log_kv_i64(key, v)
#define KV_HEX(key, v)    log_kv_hex(key, v)
#define KV_DOUBLE(key, v) log_kv_double(key, v)
#define KV_BOOL(key, v)   log_kv_bool(key, v)
/* v is a C string (NULL shows as "") or a gp_str. Quoted and escaped as needed. */
#define KV_STR(key, v)                                                                             \
    _Generic((v), gp_str : log_kv_str, char * : log_kv_c, const char * : log_kv_c)(key, v)
/* An error code by its name: code=GP_ENOENT. */
#define KV_CODE(key, code) log_kv_code(key, code)

/* Whether an event of this level would be written: to spare the work of gathering its values. */
static inline bool log_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && log->sink != NULL && level >= log->level;
}

/* Writes one event; kvs ends with LOG_KIND_END. log may be NULL. Use the macros below. */
void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_kv *kvs);

#define LOG_AT(to, level, event, ...)                                                              \
    do {                                                                                           \
        const struct log *log_to_ = (to);                                                          \
        if (log_enabled(log_to_, level)) {                                                         \
            log_write(log_to_, level, event, (const struct log_kv[]){__VA_ARGS__});                \
        }                                                                                          \
    } while (0)
#define LOG_KV_END ((struct log_kv){.kind = LOG_KIND_END})

/* LOG_x(log, event, key-values ...); the parameter is `to` because `log` is the struct's name. */
#define LOG_DEBUG(to, ...) LOG_AT(to, LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_KV_END)
#define LOG_INFO(to, ...)  LOG_AT(to, LOG_LEVEL_INFO, __VA_ARGS__, LOG_KV_END)
#define LOG_WARN(to, ...)  LOG_AT(to, LOG_LEVEL_WARN, __VA_ARGS__, LOG_KV_END)
#define LOG_ERROR(to, ...) LOG_AT(to, LOG_LEVEL_ERROR, __VA_ARGS__, LOG_KV_END)

/*
 * A brake for a warning that may repeat: lets `burst` through per interval and counts the rest.
 *     uint64_t held_back;
 *     if (log_limit_pass(&l->limit, now_ns, &held_back)) {
 *         LOG_WARN(log, "frame.dropped", ..., KV_U64("held_back", held_back));
 *     }
 */
struct log_limit {
    int64_t interval_ns;
    uint32_t burst; /* 0 stands for 1 */
    /* private */
    uint32_t passed; /* in this interval */
    int64_t next_ns;
    uint64_t held_back;
    bool used;
};

/* now_ns from any clock that does not jump. *ret_held_back: refused since the last one let through.
 */
bool log_limit_pass(struct log_limit *limit, int64_t now_ns, uint64_t *ret_held_back);

/* "debug", "info", "warn", "error", "off". Static. */
const char *log_level_name(enum log_level level);

/* The reverse, lower case. Returns 0 or GP_EINVAL. */
int log_level_parse(gp_str name, enum log_level *ret_level);

#endif
