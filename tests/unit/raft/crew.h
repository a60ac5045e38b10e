/*
 * crew.h: a consensus group in a simulated world, and what must always be true of it.
 *
 * Every member is a process of its own on a host of its own (10.0.0.1 ...), with the real journal
 * on a simulated disk. Messages go through a carrier that loses, delays, doubles and reorders them,
 * and keeps to cuts, all drawn from the seed. The owner's state is a chain of hashes over the
 * commands.
 *
 * Checked at every step, for all members that ever lived: the same command at the same index; each
 * state is the one that belongs to its index; no index skipped backwards in a life; one leader in a
 * term. Checked at the end: what was acknowledged is in the log once, what was refused is not.
 */
#ifndef TESTS_RAFT_CREW_H
#define TESTS_RAFT_CREW_H

#include "base/rng.h"
#include "raft/consensus.h"
#include "sim/sim.h"

#define CREW_MAX          6u
#define CREW_COMMANDS_MAX 20000u
#define CREW_INDEXES_MAX  65536u
#define CREW_TERMS_MAX    65536u

#define MS INT64_C(1000000)

struct crew;

struct crew_letter {
    struct crew_letter *next; /* by time */
    int64_t due_ns;
    uint32_t from;
    size_t len;
    unsigned char bytes[];
};

struct crew_member {
    struct crew *crew;
    uint32_t number; /* 0 .. */
    uint64_t id;     /* as it presents itself */
    char address[24];
    struct sim_host *host;
    struct sim_proc *proc; /* the last life */
    const struct port *port;
    struct consensus *c; /* NULL: dead */
    bool is_retired;     /* lost its disk or was removed: not started again under this id */

    /* the state */
    uint64_t index;
    uint64_t chain;
    uint32_t lives;
    bool has_begun;
    bool refuses_snapshots;
    uint32_t padding; /* bytes in a snapshot beside the state */

    /* the carrier's end */
    struct timer *timer;
    struct doorbell *bell;
    struct crew_letter *letters;
};

enum crew_fate { CREW_OPEN, CREW_ACKNOWLEDGED, CREW_REFUSED, CREW_UNKNOWN };

struct crew_command {
    struct crew *crew;
    uint64_t number;
    enum crew_fate fate;
    int code;
    uint64_t index; /* 0: nobody applied it */
};

/* Chances, 0 to 1, for every message. */
struct crew_carrier {
    double lost;
    double doubled;
    double late; /* by up to 300 ms, others overtake it */
};

struct crew_counts {
    uint64_t elections, proposed, acknowledged, refused, unknown;
    uint64_t lost, doubled, late, cut, large;
    uint64_t kills, power, restarts, pauses, partitions, oneway, full, broken, slow;
    uint64_t installs, snapshots, famines, seals_broken, mended, transfers, added, removed,
        barriers, doubts;
};

struct crew {
    struct sim *sim;
    struct rng rng;
    uint64_t seed;
    uint32_t count;
    struct crew_member members[CREW_MAX];
    struct crew_carrier carrier;
    bool cuts[CREW_MAX][CREW_MAX];    /* from, to */
    struct consensus_options options; /* the times and thresholds of every member */
    bool logs;
    void (*spy)(struct crew *crew, uint64_t to, gp_bytes bytes); /* sees all that is sent */
    void *spy_ctx;

    struct crew_command *commands;
    uint64_t command_count;
    uint64_t open_count; /* of those without an end */
    /* what each index turned out to be: number of the command + 1, and the chain after it */
    uint64_t *truth;
    uint64_t *chains;
    uint64_t truth_last;
    uint64_t acknowledged_last; /* index */
    uint64_t *leaders;          /* of each term: id */
    struct crew_counts counts;
    const char *broken_rule; /* the first one; NULL: none */
    uint64_t broken_at;
};

/* A world with `count` hosts; nobody lives there. */
void crew_init(struct crew *crew, uint64_t seed, uint32_t count);
void crew_deinit(struct crew *crew);

/* Starts a member on its disk, or again. Whether it could be opened. */
bool crew_start(struct crew *crew, uint32_t number);

/* The first `count` members form a group. */
void crew_form(struct crew *crew, uint32_t count);

/* Steps of the world; rules are checked after each. */
void crew_run(struct crew *crew, int64_t span_ns);

/* Until done or span; whether it was done. */
bool crew_wait(struct crew *crew, bool (*done)(struct crew *crew), int64_t span_ns);

/* A command to this member, of so many bytes. What propose said. */
int crew_propose(struct crew *crew, uint32_t number, size_t len);

/* Who leads and is ready, or NULL; the newest if there are several. */
struct crew_member *crew_leader(struct crew *crew);
bool crew_has_leader(struct crew *crew);

/* All that live have applied all that is known, and there is a leader; waits and checks it. */
bool crew_agrees(struct crew *crew);

void crew_kill(struct crew *crew, uint32_t number);
void crew_cut(struct crew *crew, uint32_t from, uint32_t to); /* one way */
void crew_heal(struct crew *crew);

/* Its connection to whom it follows breaks, as it sees it. */
void crew_doubt(struct crew *crew, uint32_t number);

/* While it lasts libraft gets no memory, in any member. */
void crew_famine(struct crew *crew, bool lasts);

/* Every proposal has ended. */
bool crew_is_answered(struct crew *crew);

/* Members of the group as its leader has them. */
uint32_t crew_voters(struct crew *crew);

/* The rules of the end; says what is broken, or NULL. */
const char *crew_judge(struct crew *crew);

/* To stderr: how each member is. */
void crew_describe(struct crew *crew);

/* Notes a broken rule. */
void crew_break(struct crew *crew, const char *rule, uint64_t at);

#endif
