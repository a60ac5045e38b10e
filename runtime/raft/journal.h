/*
 * journal.h: the disk of a member of a consensus group: who it is, its term and vote, its log, its
 * newest snapshot.
 *
 *     FOLDER/state-1, -2   who, term, vote, and which of the files below count; both say the same
 *     FOLDER/log-NUMBER    entries, records behind each other; numbers grow by one
 *     FOLDER/snapshot-INDEX
 *
 * Every byte is under a CRC32C; the bytes are described in raft/journal_format.h, what a crash may
 * leave and how it is read in raft/journal_internal.h. What was acknowledged (0 returned) is
 * durable: it was fsynced. One damaged state file is mended from the other. A torn end of the
 * newest log file, what a crash in mid-append leaves, is cut off. Anything else that does not hold
 * is refused with the name of the file, never guessed around: a member that forgets what it
 * acknowledged may lose it for the whole group.
 *
 * What cannot be known: when the newest log file has lost its end as a whole, behind what the state
 * files remember of it (they are written with each vote, snapshot and new file), it looks just like
 * an append that a crash interrupted, and is cut.
 *
 * After an error of a write the journal is broken: the state of the disk is not known any more, and
 * every call that can fail answers GP_EIO (or what it was: GP_ENOSPC) until it is closed and opened
 * again. Errors of arguments and of memory change nothing.
 *
 * Calls block. One thread, everything through port. Events logged: journal.opened,
 * journal.tail_cut, journal.state_mended, journal.broken.
 */
#ifndef RAFT_JOURNAL_H
#define RAFT_JOURNAL_H

#include "base/buf.h"
#include "base/error.h"
#include "port/port.h"

#define JOURNAL_ENTRY_MAX    (2u << 20)   /* bytes of one entry */
#define JOURNAL_APPEND_MAX   (64u << 20)  /* bytes of all entries of one append */
#define JOURNAL_SNAPSHOT_MAX (64u << 20)  /* bytes of a snapshot's data */
#define JOURNAL_MEMBERS_MAX  (64u << 10)  /* bytes of a snapshot's configuration */
#define JOURNAL_FILE_MAX     (256u << 20) /* bytes of file_bytes */
#define JOURNAL_GROUP_MAX    128u         /* bytes of a group's name, with the zero */

struct journal;

struct journal_entry {
    uint64_t term;
    uint16_t type;
    gp_bytes bytes;
};

struct journal_snapshot {
    uint64_t index; /* last entry in it */
    uint64_t term;  /* of that entry */
    uint64_t members_index;
    gp_bytes members; /* configuration as of members_index, in libraft's encoding */
    gp_bytes data;
};

struct journal_options {
    const struct port *port; /* borrowed, outlives the journal */
    const char *folder;      /* absolute; made when missing; copied; used by nobody else */
    uint64_t file_bytes;     /* a log file of more gets a successor; 0: 4 MiB */
};

/*
 * Reads and checks all that is there. With the file's name in err: GP_ECHECKSUM, GP_EPROTO: the
 * disk cannot be believed; GP_ESTATE: a part is missing that must be there, or is another member's;
 * GP_EUNSUPPORTED: a later version wrote it. And those of port->fs.
 */
int journal_open(const struct journal_options *options, struct journal **ret, struct gp_error *err);
void journal_close(struct journal *j); /* NULL is fine */

/* ---- who ---- */

/* 0: this disk belongs to no group yet. */
uint64_t journal_member(const struct journal *j);
const char *journal_group(const struct journal *j); /* "" before */

/* Once, and before all that is below. member is not 0. GP_ESTATE: it has one. */
int journal_set_member(struct journal *j, uint64_t member, const char *group, struct gp_error *err);

/* ---- term and vote ---- (GP_ESTATE, here and below: without a member) */

uint64_t journal_term(const struct journal *j);
uint64_t journal_vote(const struct journal *j); /* 0: nobody */
/* GP_EINVAL: term goes back. */
int journal_set_vote(struct journal *j, uint64_t term, uint64_t vote, struct gp_error *err);

/* ---- log ---- */

/* Of what is here; first > last: nothing. Without a snapshot first is 1. */
uint64_t journal_first(const struct journal *j);
uint64_t journal_last(const struct journal *j);

/* Appends the bytes of entry `index` to buf. GP_ENOENT, GP_ECHECKSUM. */
int journal_read(struct journal *j, uint64_t index, uint64_t *ret_term, uint16_t *ret_type,
                 struct buf *buf, struct gp_error *err);

/*
 * At last + 1 and so on: all of them and durable, or an error, after which a later open may find
 * the first of them, any number. GP_ETOOBIG.
 */
int journal_append(struct journal *j, const struct journal_entry *entries, uint32_t count,
                   struct gp_error *err);

/* Forgets entries from index on, durably; the next append goes there. GP_EINVAL: index is in the
 * snapshot or beyond last + 1. */
int journal_truncate(struct journal *j, uint64_t index, struct gp_error *err);

/* ---- snapshot ---- */

/* Index of the newest; 0: none. */
uint64_t journal_snapshot_index(const struct journal *j);

/*
 * Stores one and then forgets entries up to index - trailing (first is the next one). With
 * `install`, it came from another member and replaces the whole log: the next append is index + 1.
 * Atomic. GP_EINVAL: index is not beyond the newest snapshot's or, without install, is not the
 * entry's here; GP_ETOOBIG.
 */
int journal_snapshot_put(struct journal *j, const struct journal_snapshot *snapshot,
                         uint64_t trailing, bool install, struct gp_error *err);

/* The newest; its bytes lie in buf. GP_ENOENT: none. */
int journal_snapshot_get(struct journal *j, struct journal_snapshot *ret, struct buf *buf,
                         struct gp_error *err);

/* 0, or the error that broke it. */
int journal_broken(const struct journal *j);

#endif
