/*
 * show.h: parts of answers as JSON and as words, the same in every command.
 *
 * A tree that could not be made is NULL (no memory) and may be handed on as it is: the takers of
 * base/value.h answer GP_ENOMEM for it.
 */
#ifndef APP_SHOW_H
#define APP_SHOW_H

#include "base/value.h"
#include "wire/messages.h"

#define SHOW_TIME_MAX 32

/* "2026-11-22 10:42:35" in local time; "" for 0. Returns out. */
const char *show_time(int64_t wall_ms, char out[SHOW_TIME_MAX]);

/* How long it has run, or ran; 0 before it started. now_ms: wall clock. */
int64_t show_run_ns(const struct msg_app_summary *app, int64_t now_ms);
int64_t show_now_ms(void);

const char *show_state(uint32_t app_state);
const char *show_priority(uint32_t app_priority);
const char *show_worker_state(uint32_t worker_state);

/* As fields_encode(), but with numbers of 64 bits as numbers. */
struct value *show_fields(const struct fields *table, const void *from);
struct value *show_app(const struct msg_app_summary *app);
struct value *show_worker(const struct msg_worker_info *worker);
struct value *show_master(const struct msg_master_info *master);
const char *show_master_role(uint32_t role);

/* What kill answers. */
struct value *show_killed(const struct msg_app_summary *app);
/* moving: as of now; the rest as it was first answered. */
struct value *show_rebalanced(const char *app, const struct msg_app_rebalanced *first,
                              uint32_t moving);
struct value *show_drained(const struct msg_worker_drained *worker);
struct value *show_submitted(uint32_t id, const char *name);
struct value *show_restarted(uint32_t id);
struct value *show_version(void);
/* How long it was can be seen from "executor": 0 is the appmaster. */
struct value *show_log_line(uint32_t executor, gp_str line);

/* {"workers": list}. Consumes list. */
struct value *show_under_take(const char *name, struct value *list);

#endif
