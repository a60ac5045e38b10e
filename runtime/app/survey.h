/*
 * survey.h: how each master is: each is asked by itself, all at once.
 *
 *     every address is asked ─▶ answers name others ─▶ those are asked too ─▶ fn
 *
 * What a master says of itself holds; how far it is behind, the leader knows best. One that leads
 * in an older term than another leads no more.
 */
#ifndef APP_SURVEY_H
#define APP_SURVEY_H

#include "control/client/client.h"

#define SURVEY_ROWS_MAX (2 * MSG_MASTERS_MAX) /* listed, and added since */

struct survey;

struct survey_row {
    struct survey *survey;
    char address[MSG_ADDRESS_MAX + 1];
    bool answered;
    bool is_other; /* another row's address, said differently */
    uint32_t role; /* enum master_role */
    uint64_t term;
    uint64_t lag;
    struct msg_master_info own; /* what it says of itself alone; its address is not there */
    bool leader_knows;          /* the next two */
    uint64_t leader_term;
    uint64_t leader_lag;
    struct gp_error why; /* it did not answer */
};

struct survey {
    /* read-only */
    struct survey_row rows[SURVEY_ROWS_MAX];
    uint32_t count;
    /* private */
    struct client *client;
    uint32_t waiting;
    void (*fn)(void *user);
    void *user;
};

/* Asks; fn comes once, from the loop, unless a negative code is returned. The survey stays where it
 * is until then, or until the client is freed. */
int survey_begin(struct survey *s, struct client *client, const char *const *masters,
                 uint32_t count, void (*fn)(void *user), void *user, struct gp_error *err);

/* After fn: what it comes to. Negative: none answers; err names each with its reason. */
int survey_judge(struct survey *s, struct gp_error *err);

/* {"masters": [...]}, or NULL. */
struct value *survey_tree(const struct survey *s);

#endif
