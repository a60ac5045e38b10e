/*
 * consensus.h: one member of a group that agrees on a sequence of commands: libraft's core over
 * journal.h and whatever carries messages.
 *
 *     UNFORMED ─ form() or join() ─▶ FOLLOWER ◀─▶ CANDIDATE ─▶ LEADER
 *                                       ▲   └───────◀───────────┘
 *                                       └─ read again ─ BROKEN ◀─ any, at an error of the disk
 *
 * The owner gives every member's bytes to its messenger (`send`) and what arrives to
 * consensus_receive(); it has proven who sent it. Committed commands come back through `apply`, on
 * every member, in one order.
 *
 * The owner's state has lives. Each begins with one call of `restore`, with the newest snapshot or
 * with no bytes at all (begin with nothing); then every command behind it comes to `apply` exactly
 * once. A life begins when a formed member is opened, formed or joined, when a snapshot came from
 * the leader, and when a broken member has read its disk again. `restore` replaces everything that
 * apply() ever made; there is nothing else to reset.
 *
 * CONSENSUS_LEADER is reported once all that was ever committed is applied here, so who sees itself
 * leading may act on its state at once.
 *
 * A member whose disk failed withholds what it owes (nothing unstored is ever acknowledged), gives
 * away the lead and takes no proposals; it reads its disk afresh, in growing intervals, and returns
 * when that works.
 *
 * Time, randomness and disk through port; one loop, one thread. Calls may be made from callbacks,
 * consensus_close() too. Callbacks come from the loop and from inside consensus_receive(),
 * consensus_form() and consensus_join(); on_change and the ends of proposals and changes only from
 * the loop. Events logged: consensus.opened, consensus.formed, consensus.role, consensus.doubted,
 * consensus.snapshot, consensus.installed, consensus.broken, consensus.mended.
 */
#ifndef RAFT_CONSENSUS_H
#define RAFT_CONSENSUS_H

#include "base/buf.h"
#include "base/error.h"
#include "port/port.h"

#define CONSENSUS_MEMBERS_MAX       9u
#define CONSENSUS_FRAME_MAX         (256u << 10) /* bytes given to send() at once */
#define CONSENSUS_COMMAND_MAX       (1u << 20)   /* bytes of a command */
#define CONSENSUS_PENDING_MAX       1024u        /* proposals without an answer, of at most ... */
#define CONSENSUS_PENDING_BYTES_MAX (16u << 20)
#define CONSENSUS_ADDRESS_MAX       256u

struct consensus;

enum consensus_role {
    CONSENSUS_UNFORMED,
    CONSENSUS_FOLLOWER,
    CONSENSUS_CANDIDATE, /* or elected and not ready yet */
    CONSENSUS_LEADER,
    CONSENSUS_BROKEN,
};

struct consensus_member {
    uint64_t id;
    char address[CONSENSUS_ADDRESS_MAX];
    bool votes;     /* false: it is catching up */
    bool is_heard;  /* by a leader, lately */
    uint64_t match; /* last entry known to be on its disk; known to a leader */
};

struct consensus_status {
    enum consensus_role role;
    uint64_t term;
    uint64_t leader;    /* id; 0: none is known */
    uint64_t heir;      /* while broken: who was asked to lead instead; 0: nobody */
    uint64_t last;      /* last entry here */
    uint64_t committed; /* as known here */
    uint64_t applied;
    int broken;         /* why, while role is CONSENSUS_BROKEN; else 0 */
    uint64_t malformed; /* messages dropped because they do not hold */
    uint64_t strangers; /* messages dropped because of who sent them, or for whom they are */
};

struct consensus_events {
    /* Best effort: what cannot go now may be dropped. bytes are borrowed, of CONSENSUS_FRAME_MAX at
     * most. Not from inside consensus_open(). */
    void (*send)(void *user, uint64_t member, const char *address, gp_bytes bytes);
    /* A committed command. It must come out the same on every member. */
    void (*apply)(void *user, uint64_t index, gp_bytes command);
    /* Appends all that apply() has made so far. Negative: not now. */
    int (*snapshot)(void *user, struct buf *out);
    /* Begins a life of the state, see above; bytes are empty or what a snapshot() made. Negative:
     * they do not hold; the member is broken. */
    int (*restore)(void *user, gp_bytes bytes);
    /* Role, term, leader or members changed. */
    void (*on_change)(void *user);
};

struct consensus_options {
    const struct port *port;     /* borrowed, outlives it, as events */
    const char *folder;          /* of the journal; copied */
    int64_t election_timeout_ns; /* 0: 300 ms */
    int64_t heartbeat_ns;        /* 0: a fifth of that */
    int64_t snapshot_timeout_ns; /* of an install; 0: 5 s */
    /* The log, here and on disk, begins anew with a snapshot after so many entries, or so many
     * bytes or as many as the last snapshot had, whatever is more. Entries before it are kept for
     * members that are a little behind: so many, of a quarter of those bytes. */
    uint32_t snapshot_threshold; /* 0: 1024 */
    uint32_t snapshot_trailing;  /* 0: 256 */
    uint64_t snapshot_bytes;     /* 0: 512 KiB */
    const struct consensus_events *events;
    void *user;
};

/* Reads the disk; a formed member then is a follower (alone in its group: leads), and restore() and
 * apply() may have been called. Errors as journal_open(). */
int consensus_open(const struct consensus_options *options, struct consensus **ret,
                   struct gp_error *err);

/* Ends it: no callback comes after return, open proposals end with GP_ECANCELED from inside. NULL
 * is fine. */
void consensus_close(struct consensus *c);

/* 0 while unformed. Ids are drawn at random for an empty disk by who forms or joins, so that a
 * member whose disk was lost is never taken for the one it was. */
uint64_t consensus_id(const struct consensus *c);
const char *consensus_group(const struct consensus *c);

/*
 * Begins a group. Each of its members calls this once, with the same arguments: `self` is its own
 * id, among members. GP_ESTATE: it belongs to a group. With one member it leads at once.
 */
int consensus_form(struct consensus *c, const char *group, uint64_t self,
                   const struct consensus_member *members, uint32_t count, struct gp_error *err);

/* Becomes a member without a vote or a log, which waits for a leader that was told to add it. */
int consensus_join(struct consensus *c, const char *group, uint64_t self, const char *address,
                   struct gp_error *err);

/* What arrived from another member, whose address is not empty; bytes of any content are fine: bad
 * ones are counted and dropped. */
void consensus_receive(struct consensus *c, uint64_t from, const char *address, gp_bytes bytes);

/*
 * The connection to this member broke. A follower that it led asks the others soon, and not after
 * the time of an election, whether one is due: a pre-vote, which those refuse who still hear it. So
 * a false alarm costs a message. Nothing happens from inside a callback.
 */
void consensus_doubt(struct consensus *c, uint64_t member);

/*
 * How a proposal ended: 0: applied (apply() came before); GP_ENOTLEADER, GP_ENOMEM: it will not be
 * applied; GP_ECANCELED: leadership was lost, it may or may not be; GP_ENOSPC, GP_EIO: the disk of
 * the leader failed, the same.
 */
typedef void (*consensus_fn)(void *user, int code);

/* bytes are copied. fn comes once, from the loop, unless a negative code is returned:
 * GP_EINVAL (empty), GP_ENOTLEADER, GP_EFULL, GP_ETOOBIG, GP_ENOMEM; broken: GP_EIO, GP_ENOSPC. */
int consensus_propose(struct consensus *c, gp_bytes command, consensus_fn fn, void *user);

/* After fn with 0, all that was committed before this call is applied here: reads are linearizable.
 * Codes as above. */
int consensus_barrier(struct consensus *c, consensus_fn fn, void *user);

/*
 * One change at a time (GP_ESTATE). A new member catches up first, then votes: GP_EEXIST: it does,
 * or its address is another's; GP_EFULL; fn with GP_ETIMEOUT: it did not catch up, and stays a
 * member without a vote; add it again, or remove it. remove: GP_ENOENT; GP_EINVAL for the last one
 * with a vote; of the leader itself: it gives away the lead and fn comes with GP_ENOTLEADER, the
 * new leader has to be asked.
 */
int consensus_add(struct consensus *c, uint64_t id, const char *address, consensus_fn fn,
                  void *user);
int consensus_remove(struct consensus *c, uint64_t id, consensus_fn fn, void *user);

/* Gives the lead to an up-to-date member (0: any). For an orderly end. GP_ENOENT: there is none to
 * give it to; GP_ESTATE: it is being given away; fn with GP_ETIMEOUT: still leading. */
int consensus_transfer(struct consensus *c, uint64_t to, consensus_fn fn, void *user);

/* While broken, the members are those of before, of whom nothing is known. */
void consensus_status(const struct consensus *c, struct consensus_status *ret);
uint32_t consensus_members(const struct consensus *c,
                           struct consensus_member ret[CONSENSUS_MEMBERS_MAX]);

#endif
