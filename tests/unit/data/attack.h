/*
 * attack.h: a random job that things happen to, and the proof that every row of it went right or is
 * counted. test_attack_faults.c draws it, attack_code.c is its tasks, attack_faults.c is what
 * happens to it, attack_end.c what must be true then.
 */
#ifndef TESTS_DATA_ATTACK_H
#define TESTS_DATA_ATTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "rig.h"

#define STAGES    3u
#define TASKS_MAX 12u
#define EDGES     3u
#define MILLI     INT64_C(1000000)

enum status {
    STAYS,
    LEAVES,  /* it was asked to */
    LEFT,    /* its state is here */
    LATE,    /* the same, when nobody expected it any more: it goes back */
    ARRIVES, /* it is placed, and has not said that it runs */
};

struct place {
    uint32_t executor; /* index */
    uint32_t lane;
    uint64_t session;
    uint64_t since;
    uint64_t asked; /* the generation since which it is to leave */
    enum status status;
    uint8_t *state;
    size_t state_len;
    uint32_t life;
    bool ended;
    bool fail;   /* at the next row */
    bool failed; /* told, and waits for its next session */
};

/* What is counted, so that a test can say what it was about. */
enum happening {
    KILLED,
    CUT,
    FAILED,
    RESTARTED,
    LOST,
    STALE,
    DOUBTED,
    MOVED,
    RESUMED,
    REFUSED,
    CANCELLED,
    BEREAVED, /* states that died with who had got them */
    ADOPTED,  /* states that came with the assignment of an executor */
    HAPPENINGS,
};

struct self;

struct run {
    struct rig rig;
    struct rng rng;
    uint64_t seed;
    struct place places[STAGES][TASKS_MAX];
    uint64_t sent[EDGES];
    uint64_t received[EDGES];
    uint64_t generation;
    uint64_t moves;
    bool moves_changed; /* since that one */
    bool alive[RIG_EXECUTORS_MAX];
    bool known[RIG_EXECUTORS_MAX]; /* announced */
    bool is_opening;               /* the first tasks of an executor */
    uint32_t faults;
    bool cuts;
    bool kills;
    bool fails;
    bool has_moves;
    uint64_t happened[HAPPENINGS];
    uint64_t rows; /* of each source task */
    uint32_t large_every;
    struct self *selves;
    bool broken;
    char text[200];
};

/* Something is not as it must be; the first one counts. */
void attack_broke(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The user code. rig_processor.user is the run. */
extern const struct gp_processor attack_source;
extern const struct gp_processor attack_sink;
void attack_free_selves(struct run *run);

/* For the rig. */
void attack_disturb(struct rig *rig, void *world);
void attack_on_failed(struct rig *rig, const struct lane_failure *failure);
void attack_on_moved(struct rig *rig, const struct lane_moved *m);
bool attack_has_ended(struct rig *rig);
void attack_check_end(struct rig *rig);

/* When all has ended. */
void attack_check_counts(struct run *run);

#endif
