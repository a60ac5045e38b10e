/*
 * service.h: the services a task's code may call: gp_task_service and gp_io_service.
 */
#ifndef DATA_SERVICE_H
#define DATA_SERVICE_H

#include <gearpump/host.h>

struct lane;
struct task;

extern const struct gp_task_service service_task;
extern const struct gp_io_service service_io;

/* gp_host.service of executors. */
const void *service_find(const struct gp_host *host, const char *id);

/* Tasks whose wakers rang since the last call get their token. */
void service_take_wakes(struct lane *lane);

/* The task waits: its descriptor may wake it again. */
void service_rearm(struct task *t);

/* The task is closed: its descriptor is watched no more. Its waker lives on until
 * service_free(). */
void service_release(struct task *t);
void service_free(struct task *t);

#endif
