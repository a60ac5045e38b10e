/*
 * job_log.c: see job_log.h.
 *
 * The log makes JSON in both formats; for people it is taken apart again here, which is simpler and
 * safer than guessing at the text format. Lines are few: the data plane limits them.
 */
#include "app/job_log.h"

#include <unistd.h>

#include "app/logs.h"
#include "app/tree.h"
#include "base/str.h"
#include "base/value.h"
#include "edge/json.h"

/* What tasks say (data/service.c, data/task_call.c): always shown. */
static bool is_of_user(gp_str event)
{
    return str_eq(event, GP_STR("task.logged")) || str_eq(event, GP_STR("row.rejected"));
}

static bool is_in_front(gp_str name)
{
    return str_eq(name, GP_STR("time")) || str_eq(name, GP_STR("level")) ||
           str_eq(name, GP_STR("node")) || str_eq(name, GP_STR("event")) ||
           str_eq(name, GP_STR("processor")) || str_eq(name, GP_STR("task"));
}

/* "event key=value ..." without what stands in front. */
static void append_event(const struct value *v, gp_str event, struct buf *out)
{
    int rc = buf_append_str(out, event);

    for (size_t i = 0; rc == 0 && i < value_count(v); i++) {
        if (!is_in_front(value_name_at(v, i))) {
            rc = buf_append_fmt(out, " %.*s=", STR_ARG(value_name_at(v, i)));
            rc = rc == 0 ? value_print_json(value_at(v, i), out, VALUE_COMPACT) : rc;
        }
    }
}

bool job_log_render(enum log_level level, enum log_level shown, gp_str json, struct buf *out)
{
    struct value *v = NULL;
    gp_str event;
    gp_str processor;
    const struct value *task;

    if (edge_json_parse(str_trim(json), &v, NULL) < 0) {
        return buf_append_str(out, json) == 0; /* cut short, perhaps: better than nothing */
    }
    event = tree_text_of(v, "event");
    if (level < shown && !is_of_user(event)) {
        value_free(v);
        return false;
    }
    if (level != LOG_LEVEL_INFO) {
        (void)buf_append_fmt(out, "%s: ", log_level_name(level));
    }
    processor = tree_text_of(v, "processor");
    task = value_get(v, GP_STR("task"));
    if (processor.len > 0 && task && value_kind(task) == VALUE_I64) {
        (void)buf_append_fmt(out, "%.*s[%lld]: ", STR_ARG(processor),
                             (long long)value_as_i64(task));
    }
    if (str_eq(event, GP_STR("task.logged"))) {
        (void)buf_append_str(out, tree_text_of(v, "text"));
    } else {
        append_event(v, event, out);
    }
    value_free(v);
    return buf_append(out, "\n", 1) == 0;
}

static bool is_shown(enum log_level level, enum log_level shown, gp_str json)
{
    struct buf ignored = {0};
    bool yes = job_log_render(level, shown, json, &ignored);

    buf_deinit(&ignored);
    return yes;
}

static void write_out(gp_str text)
{
    if (write(STDERR_FILENO, text.ptr, text.len) < 0) {
        return; /* nobody listens */
    }
}

static void sink_json(void *ctx, enum log_level level, gp_str line)
{
    if (is_shown(level, (enum log_level)(uintptr_t)ctx, line)) {
        write_out(line);
    }
}

static void sink_text(void *ctx, enum log_level level, gp_str line)
{
    struct buf out = {0};

    if (job_log_render(level, (enum log_level)(uintptr_t)ctx, line, &out)) {
        write_out(buf_str(&out));
    }
    buf_deinit(&out);
}

void job_log_init(struct log *log, enum log_level level, enum log_format format)
{
    logs_init(log, level < LOG_LEVEL_INFO ? level : LOG_LEVEL_INFO, LOG_FORMAT_JSON, "");
    log->sink = format == LOG_FORMAT_JSON ? sink_json : sink_text;
    log->sink_ctx = (void *)(uintptr_t)level;
}
