/*
 * boss.h: what the puppets of a master and of an appmaster have a worker do, and where tests of a
 * worker begin. Orders answer the code that came back.
 */
#ifndef TESTS_CONTROL_BOSS_H
#define TESTS_CONTROL_BOSS_H

#include "stage.h"

#define BOSS_CONTENT "a shared object, or so the worker believes"

static inline char *text(const char *s)
{
    return (char *)(uintptr_t)s; /* messages are not changed by those who send them */
}

/* Room for an application; with the term that the master claims. */
int boss_offer(struct puppet *boss, uint32_t app, uint32_t epoch, uint32_t slots);
int boss_offer_of(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch, uint32_t slots);

/* Its appmaster, of epoch 1 where none is named. */
int boss_launch(struct puppet *boss, uint32_t app, const char *sha256);
int boss_launch_of(struct puppet *boss, uint64_t term, uint32_t app, const char *sha256);
int boss_launch_epoch(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch,
                      const char *sha256);

/* An executor of application 7, without plugins or with one; borrows it. */
struct msg_executor_launch executor_launch(uint32_t id, uint32_t slots,
                                           struct msg_plugin_file *plugin);
int appmaster_launch(struct puppet *appmaster, uint32_t id, uint32_t slots);

/* A master and a worker that knows it; answers the master. */
struct puppet *worker_begin(struct stage *s, uint64_t seed);
/* And application 7 with six slots, whose appmaster has come in and is answered. */
struct puppet *worker_begin_app(struct stage *s, uint64_t seed);

struct sim_proc *puppet_process(struct puppet *p);

#endif
