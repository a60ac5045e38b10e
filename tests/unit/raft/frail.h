/*
 * frail.h: a disk in memory that forgets what was not synced, stops in the middle of any call, and
 * fails on demand; behind port/fs.h, for one folder of one journal at a time.
 *
 * What it keeps to is what port/fs.h promises and no more. At a power failure:
 *   - of bytes written since the last sync of their file, each piece of 64 is there, is not there, or
 *     is rubbish; bytes that were not written since are as they were;
 *   - a file truncated at open and not synced since is short, or not;
 *   - a file removed is gone, or back, unless its folder was synced (by making or renaming one, too).
 * A sync that fails drops what it should have written: it is still read, and gone at the next power
 * failure, whatever is synced later (as Linux does it).
 * A call that is interrupted has done all, nothing or a part of what it does.
 */
#ifndef TESTS_RAFT_FRAIL_H
#define TESTS_RAFT_FRAIL_H

#include <stdbool.h>

#include "base/rng.h"
#include "port/port.h"

#define FRAIL_FILES_MAX 128u
#define FRAIL_NAME_MAX  128u
#define FRAIL_CRASH     0

struct frail_node;

struct frail_name {
    char path[FRAIL_NAME_MAX]; /* "" is free */
    struct frail_node *node;
};

struct frail {
    struct port port; /* fs and world only */
    struct rng rng;
    struct frail_name now[FRAIL_FILES_MAX];  /* as it looks */
    struct frail_name safe[FRAIL_FILES_MAX]; /* as on the disk */
    uint64_t calls;
    uint64_t fail_at; /* the call of this number; 0: none */
    int fail_code;    /* FRAIL_CRASH: the process is dead from then on */
    bool is_sticky;   /* every call that changes something after it fails, too */
    bool has_failed;
    uint64_t syncs;
    uint32_t open_files;
    uint32_t inside; /* a call is being served: for who counts allocations */
};

void frail_init(struct frail *f, uint64_t seed);
void frail_deinit(struct frail *f); /* checks that every file was closed */

/* The nth call from now fails with code (or the process dies in it). */
void frail_arm(struct frail *f, uint64_t nth, int code, bool is_sticky);

/* The next process begins, the disk is well again. With power_lost, on what is safe. */
void frail_restart(struct frail *f, bool power_lost);

/* dst is initialized; it gets the files as they look, all safe. */
void frail_copy(struct frail *dst, const struct frail *src);

/* From outside: the content of a file, borrowed, {NULL, 0} without it; replacing (NULL:
 * removing). */
gp_bytes frail_get(const struct frail *f, const char *path);
void frail_put(struct frail *f, const char *path, gp_bytes bytes);
void frail_remove(struct frail *f, const char *path);

#endif
