/*
 * balance.h: shared by balance*.c and by nobody else.
 */
#ifndef CONTROL_APPMASTER_BALANCE_H
#define CONTROL_APPMASTER_BALANCE_H

#include "control/appmaster/internal.h"

/* Who could run tasks. */
struct hosts {
    struct rebalance_host *items;
    uint32_t *slots; /* that it has, or as many tasks as it has */
    uint32_t *now;   /* tasks */
    uint32_t *after; /* how many more there will be, modulo 2^32 */
    uint32_t count;
    uint32_t max;
};

/* ---- balance.c ---- */

/* GP_ENOMEM. */
int balance_hosts(const struct appmaster *am, struct hosts *ret);
void balance_hosts_deinit(struct hosts *h); /* zeroed is fine */
/* What should move. rebalance_deinit() frees. GP_ENOMEM. */
int balance_plan(const struct appmaster *am, const struct hosts *h, uint32_t moves_max,
                 struct rebalance *ret);

/* ---- balance_words.c ---- */

const char *balance_why(enum rebalance_why why);
/* Tasks of this processor of which it is known that they cannot move, and why the last of them
 * cannot. */
uint32_t balance_stays(const struct appmaster *am, uint32_t processor);
const char *balance_why_stays(const struct appmaster *am, uint32_t processor);
/* "2 tasks of 'count' stay: ..."; appends. */
void balance_name_refused(const struct appmaster *am, const struct rebalance *plan, char *text,
                          size_t cap);
/* The event of a goal that is reached. */
void balance_say_what_moved(struct appmaster *am, const struct rebalance *plan);

#endif
