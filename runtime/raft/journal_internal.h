/*
 * journal_internal.h: what the files of a journal share. Private to raft.
 *
 * What a crash may leave, and why all that was acknowledged is found again:
 *
 * 1. The state files are the commit point. Both are written and synced, one after the other, with
 *    each vote, snapshot and new log file. A crash tears at most one of them; the other is whole and
 *    says the state before or after. A file that they do not name (a log file with another number, a
 *    snapshot with another index) does not count and is swept away.
 * 2. A log file is made with its header synced before a state names it. Records are only appended to
 *    it, and only by the life of the process (more exactly: of the struct journal) that made it: a
 *    later life makes the next file at its first append. No file is ever cut.
 * 3. An append is one write and one sync, then a mark is written, which is not synced. Each record
 *    says how many bytes of its file were durable before it (`synced`), so any record tells that all
 *    before that was acknowledged. The end of the newest file is read like this:
 *
 *        | header | records ... | records ... | torn ...      |
 *                               ^ S           ^ E
 *        S  the largest `synced` that a state file or a record tells: acknowledged
 *        E  the first record that does not hold. E < S: damage, refused
 *
 *    What lies between S and E was written but may not be on the disk (the page cache may show what
 *    a power failure or a failed sync takes away): it is copied into the next file, whose header says
 *    that S bytes of this one count. What lies behind E never was acknowledged.
 * 4. A truncation is a record, too. So entries are overwritten in time, never in place.
 * 5. A snapshot is written aside, synced, and renamed; then a state names it; then what it replaces
 *    is removed, in any order. With `install` the same state names a new and empty log.
 * 6. Open makes sure that the state is durable before it believes it, and that both files have it.
 */
#ifndef RAFT_JOURNAL_INTERNAL_H
#define RAFT_JOURNAL_INTERNAL_H

#include "raft/journal_format.h"

#define JOURNAL_PATH_MAX 1024u
#define JOURNAL_NAME_MAX 64u /* bytes of a slash, a file's name and the zero */
#define LOG_FILE_MAX     (JOURNAL_FILE_MAX + JOURNAL_APPEND_MAX + (1u << 20)) /* bytes */

/* Where an entry lies, or what is known of it without reading. */
struct entry_place {
    uint64_t file;   /* number */
    uint64_t offset; /* of the record */
    uint64_t term;
    uint32_t length;
    uint32_t data_crc;
    uint16_t type;
};

struct journal {
    const struct port *port;
    char folder[JOURNAL_PATH_MAX - JOURNAL_NAME_MAX];
    uint64_t file_bytes;
    int broken;          /* 0, GP_EIO or GP_ENOSPC */
    struct gp_error why; /* it broke; before, for a caller who does not want to know */

    struct state_file state; /* as on the disk; member 0: there is none */
    struct file *state_files[2];

    /* Entries first .. first + count - 1. state.first <= first: the same once open is through. */
    uint64_t first;
    struct entry_place *places;
    size_t count;
    size_t capacity;

    /* The newest log file, state.log_end. */
    struct file *log;    /* NULL: not of this life; the next append makes another */
    uint32_t log_seed;   /* with log */
    uint64_t log_end;    /* bytes written; with log */
    uint64_t log_synced; /* bytes that count */

    struct file *reading; /* an older log file, kept open for the next read */
    uint64_t reading_number;
    struct buf scratch; /* what is written next; empty between calls */
};

/* ---- journal.c ---- */

/* Writes FOLDER/name-number to path. */
void journal_path(const struct journal *j, const char *name, uint64_t number,
                  char path[JOURNAL_PATH_MAX]);

/* err, or a place that is as good: what breaks a journal is told in the log. */
struct gp_error *journal_err(struct journal *j, struct gp_error *err);

/* A write went wrong with rc: the journal is broken. Returns the code of it; err, from
 * journal_err(), was set. */
int journal_break(struct journal *j, int rc, struct gp_error *err);

/* 0, or why no call can be served: broken, or no member. */
int journal_ready(const struct journal *j, struct gp_error *err);

/* Writes at offset and syncs. err says the path. */
int journal_write(const struct journal *j, struct file *file, const char *path, uint64_t offset,
                  gp_bytes bytes, struct gp_error *err);
void journal_close_file(const struct journal *j, struct file **file);

/* Removes what the state does not name. Best effort. */
void journal_sweep(struct journal *j);

/* ---- journal_state.c ---- */

/* What is known, with how much of the log is durable now: to be changed and stored. */
struct state_file state_next(const struct journal *j);

/* Both files; then it is j->state. An error breaks the journal. */
int state_store(struct journal *j, const struct state_file *next, struct gp_error *err);

/* Reads the state files and mends them. Without any, j->state.member stays 0. */
int state_load(struct journal *j, struct gp_error *err);

/* ---- journal_entries.c ---- */

static inline uint64_t log_next(const struct journal *j)
{
    return j->first + j->count;
}

/* GP_ENOMEM. */
int log_reserve(struct journal *j, size_t count);

/* Whether a record may stand where *next is the index of the entry that would come; moves *next. 0
 * or GP_EPROTO. */
int log_follow(const struct record *record, uint64_t *next);

/* What a record of a file means for the entries. GP_EPROTO: it does not follow. GP_ENOMEM. */
int log_apply(struct journal *j, uint64_t file, const struct record *record);

/* Forgets entries before index (which is at most log_next). */
void log_drop_before(struct journal *j, uint64_t index);

/* Forgets entries from index on, which is at most log_next. */
void log_forget_from(struct journal *j, uint64_t index);

/* ---- journal_log.c ---- */

/*
 * Makes the log file that follows the newest, with a header (of which next and before are given)
 * and records (whose places are set), and then a state that names it: next, of which log_end and
 * log_bytes are set here. What the records mean is the caller's care. Errors break the journal, but
 * GP_ENOMEM.
 */
int log_begin_file(struct journal *j, struct log_header *header, struct record *records,
                   size_t count, struct state_file *next, struct gp_error *err);

/* ---- journal_replay.c ---- */

/* Reads all log files that the state names. */
int log_replay(struct journal *j, struct gp_error *err);

/* ---- journal_snapshot.c ---- */

/* Reads and checks the one that the state names. */
int snapshot_check(struct journal *j, struct gp_error *err);

#endif
