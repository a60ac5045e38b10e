/*
 * history.h: what the leader remembers of app.metrics: the latest of each application, and the past
 * of its processors, its executors and of itself (track.h), within a bound of memory.
 *
 * It is soft: another leader begins with an empty one. An application that has ended keeps its past
 * until others need the room, the oldest first; when nothing has ended, what is new has none, and
 * that is logged. One owner, the master's loop.
 */
#ifndef CONTROL_MASTER_HISTORY_H
#define CONTROL_MASTER_HISTORY_H

#include "base/log.h"
#include "wire/messages_metrics.h"

#define HISTORY_REPLY_MAX (800u << 10) /* bytes of series in one answer */

struct history;

/* memory_max bounds all of it but the latest message of each live application, which is bounded by
 * the size of a message; 0: nothing of the past. GP_ENOMEM. */
int history_new(size_t memory_max, const struct log *log, struct history **ret);
void history_free(struct history *h); /* NULL is fine */

/* Takes what it keeps of msg. now_ns: monotonic. Without memory it keeps less. */
void history_add_take(struct history *h, struct msg_app_metrics *msg, int64_t wall_ms,
                      int64_t now_ns);
void history_ended(struct history *h, uint32_t app);
void history_clear(struct history *h);

/* The latest message; NULL: none was told. Borrowed until the next call that is not const. */
const struct msg_app_metrics *history_latest(const struct history *h, uint32_t app);

/*
 * Answers metrics.read, but for its state. `latest` in it is borrowed and only there for
 * METRICS_LATEST, whose series say how it is now, made of the two latest messages; of an
 * application that has ended there is no now. Else the series are the past, as many as
 * HISTORY_REPLY_MAX has room for. history_read_deinit() frees. GP_ENOENT: nothing is known;
 * GP_ENOMEM.
 */
int history_read(const struct history *h, uint32_t app, const struct msg_metrics_read *read,
                 struct msg_metrics_history *ret);
void history_read_deinit(struct msg_metrics_history *reply);
/* The answer is too large for a message: leaves out the slowest tasks, which is told. */
void history_read_cut(struct msg_metrics_history *reply);

size_t history_bytes(const struct history *h);

#endif
