/*
 * journal_model.h: what a journal should hold, told without a disk, and random lives of journals.
 *
 * A model is a value: it is copied to tell "before" and "after" of an act. Contents of entries and
 * snapshots are made from a salt, so the model keeps numbers only.
 */
#ifndef TESTS_RAFT_JOURNAL_MODEL_H
#define TESTS_RAFT_JOURNAL_MODEL_H

#include "frail.h"
#include "raft/journal.h"

#define MODEL_FOLDER      "/data/raft"
#define MODEL_ENTRIES_MAX 512u
#define MODEL_BATCH_MAX   4u
#define MODEL_FILE_BYTES  600u

struct model_entry {
    uint64_t term;
    uint64_t salt;
    uint32_t len;
    uint16_t type;
};

struct model {
    uint64_t member; /* 0: none */
    uint64_t term;
    uint64_t vote;
    uint64_t first;
    uint32_t count;
    struct model_entry entries[MODEL_ENTRIES_MAX];
    uint64_t snapshot; /* 0: none */
    struct model_entry snapshot_data;
};

enum act_kind {
    ACT_MEMBER,
    ACT_VOTE,
    ACT_APPEND,
    ACT_TRUNCATE,
    ACT_SNAPSHOT,
    ACT_INSTALL,
    ACT_REOPEN,
    ACT_KINDS,
};

struct act {
    enum act_kind kind;
    uint64_t index; /* truncation, snapshot, install */
    uint64_t term;  /* vote, install */
    uint64_t vote;
    uint64_t trailing;
    uint32_t count; /* of an append */
    struct model_entry entries[MODEL_BATCH_MAX];
};

void model_init(struct model *m);

/* An act that is possible now. The first is ACT_MEMBER. */
struct act model_draw(const struct model *m, struct rng *rng);
void model_apply(struct model *m, const struct act *act);

/* Does it; with ACT_REOPEN *j is NULL after a failure, else it stays. Answers what the call did. */
int act_run(const struct act *act, const struct model *before, struct frail *f, struct journal **j,
            struct gp_error *err);

int model_open(struct frail *f, struct journal **ret, struct gp_error *err);

/* NULL, or in words how the journal differs from the model. Reads everything. */
const char *model_differs(const struct model *m, struct journal *j);

/*
 * The journal holds what was before the act or after it, or, of an append, a beginning of it: sets
 * *m (before) to what it is. NULL or how it differs.
 */
const char *model_settle(struct model *m, const struct act *act, struct journal *j);

#endif
