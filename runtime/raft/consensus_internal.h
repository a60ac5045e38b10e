/*
 * consensus_internal.h: what the files of consensus share.
 *
 * How anything happens. The loop, or a message, enters (life_enter), calls libraft, and leaves
 * (life_leave). What libraft asks its raft_io for is done at once, but the callbacks it expects
 * wait in a ring until its call has returned; life_leave then runs them, one after the other, until
 * nothing is owed. So libraft is never entered from inside itself, and between two turns of the
 * loop no append, snapshot or send of it is outstanding - which closes many of its races.
 *
 *     receive, tick, pump ──▶ life_enter ──▶ libraft ──▶ consensus_io (disk, messages) ─┐
 *                                 ▲                                                     ▼
 *                             life_leave ◀──────────── ring of callbacks ◀──────────────┘
 *
 * Sealing. When the disk fails, or libraft is about to do what it must not, the instance of libraft
 * is sealed: from that moment nothing it says leaves this member, nothing reaches it, and no
 * callback of an append is run. libraft never sees an error of the disk (it would truncate its log
 * while leading, and worse). life_leave then closes it and goes on with a fresh one, read from
 * disk: at once (SEAL_RESTART), or when the disk works again (SEAL_BROKEN).
 *
 * All calls of the owner's functions and of proposals' ends come from the pump, a timer of no
 * delay, save for send, apply, snapshot and restore, which libraft's calls lead to.
 */
#ifndef RAFT_CONSENSUS_INTERNAL_H
#define RAFT_CONSENSUS_INTERNAL_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <raft.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "raft/consensus.h"
#include "raft/consensus_heap.h"
#include "raft/journal.h"
#include "wire/raft.h"

#define ELECTION_TIMEOUT_NS_DEFAULT INT64_C(300000000)
#define SNAPSHOT_TIMEOUT_NS_DEFAULT INT64_C(5000000000)
#define SNAPSHOT_THRESHOLD_DEFAULT  1024u
#define SNAPSHOT_TRAILING_DEFAULT   256u
#define SNAPSHOT_BYTES_DEFAULT      (UINT64_C(1) << 19)
#define TRAILING_PART               4u /* of those bytes: what is kept before a snapshot */

#define DOUBT_PART 3u /* of the election timeout: until those who lost their leader ask around */

#define OWED_MAX         256u       /* callbacks libraft waits for; one call of it makes a few */
#define BATCH_COUNT_MAX  64u        /* proposals written with one fsync */
#define BATCH_BYTES_MAX  (1u << 20) /* or one of more */
#define APPEND_BYTES_MAX (4u << 20) /* of entries in a message, or one of more */

#define PARCEL_WINDOW   (4u * RAFT_FRAME_FRAGMENT_MAX)
#define PARCEL_RETRY_NS INT64_C(200000000)
#define PARCEL_LATE     1000u /* numbers below that of the newest parcel */
#define PEERS_MAX       (CONSENSUS_MEMBERS_MAX + 3u)
#define TERM_LEAP_MAX   (UINT64_C(1) << 32) /* from one message to the next */
#define STRANGER_TERMS  1000u /* how far ahead the term of a candidate may be that is no member */

#define MEND_DELAY_MIN_NS INT64_C(250000000)
#define MEND_DELAY_MAX_NS INT64_C(30000000000)
#define MEND_HEALTHY_NS   INT64_C(60000000000) /* then the delay begins anew */
#define MEMORY_SPARE      ((size_t)256 << 10)
#define MEMORY_RETRY_NS   INT64_C(20000000)
#define ALONE_TICK_NS     INT64_C(1000000000)

_Static_assert(RAFT_FRAME_MAX == CONSENSUS_FRAME_MAX, "one frame is one send");
_Static_assert(RAFT_FRAME_DATA_MAX == JOURNAL_SNAPSHOT_MAX, "what is stored can be sent");
_Static_assert(RAFT_FRAME_ENTRY_MAX == JOURNAL_ENTRY_MAX, "what is stored can be sent");
_Static_assert(APPEND_BYTES_MAX + RAFT_FRAME_ENTRY_MAX <= JOURNAL_APPEND_MAX, "one append");
_Static_assert(CONSENSUS_COMMAND_MAX <= JOURNAL_ENTRY_MAX, "what is proposed can be stored");

enum seal {
    SEAL_NONE,
    SEAL_RESTART, /* read the disk again at once */
    SEAL_BROKEN,  /* and only when it works again */
};

/* ---- callbacks that libraft waits for ---- */

enum owed_kind { OWED_APPEND, OWED_SEND, OWED_SNAPSHOT_PUT, OWED_SNAPSHOT_GET };

struct owed {
    enum owed_kind kind;
    int status; /* of a send */
    void *request;
    struct raft_buffer
        *installed; /* of a snapshot that came; libraft forgets it when it is closed */
    union {
        raft_io_append_cb append;
        raft_io_send_cb send;
        raft_io_snapshot_put_cb put;
        raft_io_snapshot_get_cb get;
    } fn;
};

/* ---- lists of members, as of places in the log ---- */

struct members_entry {
    uint64_t index;
    struct buf bytes; /* in libraft's encoding */
};

/* Rising by index. The first may be older than the log. */
struct members_log {
    struct members_entry *entries;
    uint32_t count;
    uint32_t capacity;
};

/* ---- other members ---- */

/* A message on its way in fragments. */
struct parcel {
    struct buf bytes;
    bool is_busy;
    uint64_t number;
    uint64_t term;
    size_t sent;
    size_t acked;
    int64_t moved_ns;        /* when acked last grew */
    uint64_t snapshot_index; /* of an install; 0: entries */
};

struct peer {
    uint64_t id; /* 0: free */
    int64_t heard_ns;
    bool is_heard; /* ever */
    struct parcel parcel;
};

/* The one message that is arriving in fragments. */
struct assembly {
    uint64_t from; /* 0: none */
    uint64_t number;
    uint64_t term;
    size_t total;
    bool is_done; /* delivered; its end is told again when asked */
    struct buf bytes;
};

/* ---- proposals and changes ---- */

struct proposal {
    struct list_node node; /* in queued, sent or ended */
    bool is_barrier;
    uint64_t index;
    uint64_t term;
    struct raft_buffer command; /* raft_malloc'd; base NULL: handed over */
    int code;                   /* when ended */
    consensus_fn fn;
    void *user;
};

enum change_step { CHANGE_NONE, CHANGE_SETTLE, CHANGE_ADD, CHANGE_CATCH_UP, CHANGE_REMOVE };

struct change {
    enum change_step step;
    bool is_removal;
    bool is_done; /* libraft has said how the step ended */
    int status;
    struct raft_change request;
    uint64_t id;
    char address[CONSENSUS_ADDRESS_MAX];
    consensus_fn fn;
    void *user;
};

enum transfer_step { TRANSFER_NONE, TRANSFER_ASKED, TRANSFER_STARTED, TRANSFER_DONE };

struct transfer {
    enum transfer_step step;
    bool is_removal; /* of this member, which goes on at the new leader */
    struct raft_transfer request;
    uint64_t to;
    consensus_fn fn;
    void *user;
};

/* ---- the member ---- */

struct seen {
    enum consensus_role role;
    uint64_t term;
    uint64_t leader;
    uint64_t members; /* a sum over them */
};

struct consensus {
    const struct port *port;
    const struct consensus_events *events;
    void *user;
    char *folder;
    struct consensus_options options; /* with defaults filled in */
    struct journal *journal;          /* NULL while broken */
    uint64_t id;                      /* 0: unformed */
    char *group;
    uint64_t group_sum;

    struct timer *tick;
    struct timer *pump;
    struct timer *mend;
    int64_t tick_ns; /* as armed; 0: not */
    int64_t last_ms; /* libraft's time never goes back */

    uint32_t depth; /* of life_enter */
    bool is_closed;
    bool is_pumping; /* armed */

    /* The instance of libraft. */
    bool is_live;
    bool is_starting;
    int start_code;
    enum seal seal;
    int seal_code;
    uint64_t truncate_from; /* before the restart; 0: nothing */
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft_tracer tracer;
    raft_io_tick_cb on_tick;
    raft_io_recv_cb on_recv;
    struct owed owed[OWED_MAX]; /* ring */
    uint32_t owed_first;
    uint32_t owed_count;
    struct members_log members;
    uint64_t bytes_since_snapshot; /* of entries behind it */
    uint64_t snapshot_bytes;       /* of it */

    uint64_t leader_term; /* in which the leader that libraft names was heard */
    int64_t leader_heard_ns;

    /* The message libraft is handling; from 0: none. */
    uint64_t answering;
    char answering_address[CONSENSUS_ADDRESS_MAX];
    uint64_t answering_last; /* entries it has proven to hold with it */

    /* Leading. */
    uint64_t lead_term; /* 0: not */
    bool is_ready;
    struct raft_barrier lead_barrier;
    struct list queued; /* proposals not given to libraft */
    struct list sent;
    struct list ended;
    uint32_t proposal_count; /* queued and sent */
    size_t proposal_bytes;   /* of these */
    struct change change;
    struct transfer transfer;

    struct peer peers[PEERS_MAX];
    uint64_t parcel_number;
    struct assembly assembly;
    struct buf out;

    /* Broken. */
    int broken;
    int64_t mend_delay_ns;
    int64_t mended_ns;
    uint64_t last_term; /* while no instance lives */
    uint64_t heir;

    struct seen seen;
    uint64_t malformed;
    uint64_t strangers;
};

/* ---- consensus_life.c: instances of libraft, their ends and successors ---- */

void life_enter(struct consensus *c);
void life_leave(struct consensus *c); /* may free c */

/* Nothing leaves or reaches the instance any more; a later seal never weakens one. */
void life_seal(struct consensus *c, enum seal seal, int code);

/* Begins an instance from the journal. */
int life_start(struct consensus *c, struct gp_error *err);

/* Closes it; what it is owed is settled. */
void life_stop(struct consensus *c);

/* Whether libraft may be called: it frees twice, and reads what it has freed, when it gets no
 * memory in the middle of something. Asks for more than one call of it takes, and gives it back. */
bool life_has_memory(size_t bytes);

/* Has the pump run soon. */
void life_kick(struct consensus *c);

int64_t life_now_ns(const struct consensus *c);
bool life_is_up(const struct consensus *c); /* an instance that is not sealed */
enum consensus_role life_role(const struct consensus *c);
uint64_t life_leader(const struct consensus *c);
/* Bytes of entries after which another snapshot is due, when one has so many: it is worth its
 * size. */
uint64_t life_log_bytes(const struct consensus *c, uint64_t snapshot_bytes);

void life_on_tick(void *user);
void life_on_pump(void *user);
void life_on_mend(void *user);

/* ---- consensus_io.c: libraft's world ---- */

void io_init(struct consensus *c);
void io_drain(struct consensus *c); /* runs what is owed, unless sealed */

/* ---- consensus_disk.c: what the journal has, for libraft ---- */

int disk_snapshot(struct consensus *c, struct raft_snapshot **ret, struct gp_error *err);
int disk_load(struct consensus *c, struct raft_snapshot **ret_snapshot, raft_index *ret_first,
              struct raft_entry **ret_entries, size_t *ret_count, struct gp_error *err);

/* ---- consensus_log.c: looking into libraft's log ---- */

/* 0: there is no such entry. */
uint64_t log_term(const struct raft_log *log, uint64_t index);
uint64_t log_last(const struct raft_log *log);
/* How many entries up to index, one at least, have no more than so many bytes together. */
uint32_t log_count_within(const struct raft_log *log, uint64_t index, uint64_t bytes);

/* ---- consensus_members.c ---- */

/* GP_EPROTO unless bytes are a list of members as libraft writes it and may read it. */
int members_check(gp_bytes bytes);

/* ret is closed with raft_configuration_close() by the caller, also on failure. */
int members_decode(gp_bytes bytes, struct raft_configuration *ret);

/* The list in libraft's encoding, appended. */
int members_encode(const struct raft_configuration *members, struct buf *out);

/* Libraft leaves the bytes behind its encoding unset: clears them. */
void members_tidy(void *ptr, size_t len);

const struct raft_server *members_find(const struct raft_configuration *members, uint64_t id);
uint32_t members_voters(const struct raft_configuration *members);

int members_log_add(struct members_log *log, uint64_t index, gp_bytes bytes);
/* The newest at or before index; NULL: none. */
const struct members_entry *members_log_at(const struct members_log *log, uint64_t index);
uint64_t members_log_last(const struct members_log *log);     /* index; 0: none */
void members_log_cut(struct members_log *log, uint64_t from); /* forgets from on */
void members_log_trim(struct members_log *log,
                      uint64_t index); /* forgets what index does not need */
void members_log_clear(struct members_log *log);

/* ---- consensus_state.c: the owner's state ---- */

void state_init(struct consensus *c);
/* Proposals that are barriers end when all before them is applied. */
void state_end_barriers(struct consensus *c);

/* ---- consensus_lead.c: leading, and proposals ---- */

/* Follows what libraft has become. */
void lead_follow(struct consensus *c);
void lead_submit(struct consensus *c);
void lead_end(struct consensus *c, struct proposal *p, int code);
/* Ends what was sent with one code, what was not with another. */
void lead_end_all(struct consensus *c, int sent_code, int queued_code);
/* Calls the ends. */
void lead_tell(struct consensus *c);
/* GP_ENOTLEADER, or why it is broken; 0: leading. */
int lead_check(const struct consensus *c);
/* What proposers are told of it. */
int lead_code(int broken);

/* ---- consensus_change.c: members come and go, the lead is given away ---- */

void change_step(struct consensus *c);
void change_end(struct consensus *c, int code);
void transfer_end(struct consensus *c, int code);

/* ---- consensus_send.c, consensus_parcel.c, consensus_receive.c ---- */

/* What libraft wants sent. 0, or a code of libraft. */
int send_message(struct consensus *c, const struct raft_message *message);

/* Asks the best follower to take over from a leader whose disk failed. */
void send_farewell(struct consensus *c);

/* Hands the bytes of c->out to the member, in fragments if need be. */
void send_out(struct consensus *c, uint64_t to, const char *address, uint64_t snapshot_index);
struct raft_frame send_frame(const struct consensus *c, enum raft_kind kind, uint64_t to);

/* NULL when there is no place for another. */
struct peer *peer_of(struct consensus *c, uint64_t id);
bool peer_is_heard(const struct consensus *c, uint64_t id);

bool parcel_is_busy(struct consensus *c, uint64_t to);
/* Makes room for a snapshot; false: one is on its way. */
bool parcel_give_way(struct consensus *c, uint64_t to);
void parcel_begin(struct consensus *c, uint64_t to, uint64_t snapshot_index); /* takes c->out */
void parcel_on_ack(struct consensus *c, const struct raft_frame *frame);
void parcel_on_tick(struct consensus *c);
void parcels_drop(struct consensus *c); /* of those sent */
void assembly_deinit(struct assembly *a);
/* True when the whole is there: bytes of c->assembly. */
bool assembly_add(struct consensus *c, const struct raft_frame *frame, const char *address);

/* ---- consensus_vote.c ---- */

/* Whether libraft would not vote because its own list gives us no vote. */
bool vote_is_ours(const struct consensus *c);
void vote_answer(struct consensus *c, const struct raft_frame *frame);
/* Whether the log of a candidate is no older than ours. */
bool vote_is_for_newer(const struct consensus *c, const struct raft_frame *frame);

void receive(struct consensus *c, uint64_t from, const char *address, gp_bytes bytes);

#endif
