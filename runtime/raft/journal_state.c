/*
 * journal_state.c: the two state files, and the votes in them.
 *
 * Invariant: between calls both files hold j->state, durably. While one is written the other is
 * whole, so whatever happens to one of them, a crash or a damage, the other tells.
 *
 * Failures: one file that does not hold is written anew from the other (journal.state_mended);
 * both: refused. A write that fails breaks the journal.
 */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "raft/journal_internal.h"

#define STATE_READ_MAX 4096u /* bytes; of what is longer nothing can be believed anyway */

enum state_verdict {
    STATE_UNREAD,
    STATE_MISSING,
    STATE_EMPTY, /* 0 bytes */
    STATE_BAD,
    STATE_GOOD,
};

struct state_found {
    enum state_verdict verdict[2];
    int why[2]; /* code, when bad */
    struct state_file state[2];
};

/* ---- writing ---- */

/* With FS_WRITE, so that the names of all files that a state names are durable, too. */
static int open_one(struct journal *j, int which, const char *path, struct gp_error *err)
{
    const struct port *port = j->port;

    if (j->state_files[which] != NULL) {
        return 0;
    }
    return port->fs->open(port->world, path, FS_WRITE, 0600, &j->state_files[which], err);
}

static int write_one(struct journal *j, int which, const struct state_file *state,
                     struct gp_error *err)
{
    unsigned char bytes[STATE_BYTES];
    char path[JOURNAL_PATH_MAX];
    int rc;

    state_file_encode(state, bytes);
    journal_path(j, "state", (uint64_t)which + 1, path);
    rc = open_one(j, which, path, err);
    return rc < 0 ? rc
                  : journal_write(j, j->state_files[which], path, 0,
                                  gp_bytes_of(bytes, STATE_BYTES), err);
}

static int sync_one(struct journal *j, int which, struct gp_error *err)
{
    char path[JOURNAL_PATH_MAX];
    int rc;

    journal_path(j, "state", (uint64_t)which + 1, path);
    rc = open_one(j, which, path, err);
    return rc < 0 ? rc : journal_write(j, j->state_files[which], path, 0, (gp_bytes){0}, err);
}

struct state_file state_next(const struct journal *j)
{
    struct state_file next = j->state;

    next.log_bytes = j->log_synced;
    return next;
}

int state_store(struct journal *j, const struct state_file *next, struct gp_error *err)
{
    struct state_file state = *next;
    int rc;

    state.serial = j->state.serial + 1;
    rc = write_one(j, 0, &state, err);
    if (rc == 0) {
        rc = write_one(j, 1, &state, err);
    }
    if (rc < 0) {
        return journal_break(j, rc, err);
    }
    j->state = state;
    return 0;
}

/* ---- reading ---- */

/* 0 or an error of reading; what the bytes are worth is in found. */
static int read_one(const struct journal *j, int which, struct state_found *found,
                    struct gp_error *err)
{
    const struct port *port = j->port;
    struct buf buf = {0};
    char path[JOURNAL_PATH_MAX];
    int rc;

    journal_path(j, "state", (uint64_t)which + 1, path);
    rc = port->fs->read_file(port->world, path, STATE_READ_MAX, &buf, err);
    if (rc == 0) {
        found->why[which] = state_file_decode(buf_bytes(&buf), &found->state[which]);
        found->verdict[which] = found->why[which] == 0 ? STATE_GOOD
                                : buf_len(&buf) == 0   ? STATE_EMPTY
                                                       : STATE_BAD;
    } else if (rc == GP_ETOOBIG) {
        found->why[which] = GP_EPROTO;
        found->verdict[which] = STATE_BAD;
    } else if (rc == GP_ENOENT) {
        found->verdict[which] = STATE_MISSING;
    }
    buf_deinit(&buf);
    if (found->verdict[which] != STATE_UNREAD) {
        gp_error_clear(err);
        return 0;
    }
    return rc;
}

static int on_name(void *user, const char *name, int is_dir)
{
    char *found = user;

    (void)is_dir;
    if (str_starts_with(gp_str_of(name), GP_STR("log-")) ||
        str_starts_with(gp_str_of(name), GP_STR("snapshot-"))) {
        (void)str_format(found, JOURNAL_NAME_MAX, "%s", name); /* cut, if foreign and long */
    }
    return 0;
}

/* Neither file tells anything. Fine, if none was ever written to its end. */
static int load_nothing(const struct journal *j, const struct state_found *found,
                        struct gp_error *err)
{
    const struct port *port = j->port;
    char other[JOURNAL_NAME_MAX] = "";
    bool is_first_try = found->verdict[1] == STATE_MISSING; /* state-1 is whole before */
    int rc = port->fs->list(port->world, j->folder, on_name, other, err);

    if (rc < 0) {
        return rc;
    }
    if (other[0] != '\0' && found->verdict[0] == STATE_MISSING && is_first_try) {
        return gp_error_set(err, GP_ESTATE, "%s: state-1 and state-2 are missing beside %s",
                            j->folder, other);
    }
    if (is_first_try && other[0] == '\0') {
        return 0;
    }
    rc = found->verdict[0] == STATE_BAD ? found->why[0] : GP_ESTATE;
    return gp_error_set(err, rc, "%s: neither state-1 nor state-2 holds: %s", j->folder,
                        error_sentence(rc));
}

/* Both are good: do they speak of the same? */
static int compare(const struct journal *j, const struct state_found *found, struct gp_error *err)
{
    const struct state_file *a = &found->state[0];
    const struct state_file *b = &found->state[1];
    unsigned char bytes[2][STATE_BYTES];

    if (a->member != b->member || strcmp(a->group, b->group) != 0) {
        return gp_error_set(err, GP_ESTATE, "%s: state-1 and state-2 are of different members",
                            j->folder);
    }
    state_file_encode(a, bytes[0]);
    state_file_encode(b, bytes[1]);
    if (a->serial == b->serial && memcmp(bytes[0], bytes[1], STATE_BYTES) != 0) {
        return gp_error_set(err, GP_EPROTO, "%s: state-1 and state-2 contradict each other",
                            j->folder);
    }
    return 0;
}

/*
 * Makes both files what the better one is, durably: perhaps only the page cache has it. At no time
 * are both in danger. The better one is written only while the other holds an earlier state; that
 * state then is durable, and all that was acknowledged. Else the better one was synced before the
 * other was touched, so it is the other that may be written.
 */
static int mend(struct journal *j, const struct state_found *found, int best, struct gp_error *err)
{
    const int other = 1 - best;
    const struct state_file *state = &found->state[best];
    const bool holds = found->verdict[other] == STATE_GOOD;
    const bool differs = holds && found->state[other].serial != state->serial;
    int rc = differs ? write_one(j, best, state, err) : sync_one(j, best, err);

    if (rc == 0) {
        rc = holds && !differs ? sync_one(j, other, err) : write_one(j, other, state, err);
    }
    return rc;
}

int state_load(struct journal *j, struct gp_error *err)
{
    struct state_found found = {0};
    bool holds[2];
    int best;
    int rc = read_one(j, 0, &found, err);

    if (rc == 0) {
        rc = read_one(j, 1, &found, err);
    }
    if (rc < 0) {
        return rc;
    }
    holds[0] = found.verdict[0] == STATE_GOOD;
    holds[1] = found.verdict[1] == STATE_GOOD;
    if (!holds[0] && !holds[1]) {
        return load_nothing(j, &found, err);
    }
    rc = holds[0] && holds[1] ? compare(j, &found, err) : 0;
    if (rc < 0) {
        return rc;
    }
    best = holds[0] && (!holds[1] || found.state[0].serial >= found.state[1].serial) ? 0 : 1;
    if (!holds[1 - best]) {
        LOG_WARN(j->port->log, "journal.state_mended", KV_STR("folder", j->folder),
                 KV_STR("file", best == 0 ? "state-2" : "state-1"));
    }
    rc = mend(j, &found, best, err);
    if (rc == 0) {
        j->state = found.state[best];
    }
    return rc;
}

/* ---- term and vote ---- */

uint64_t journal_term(const struct journal *j)
{
    return j->state.term;
}

uint64_t journal_vote(const struct journal *j)
{
    return j->state.vote;
}

int journal_set_vote(struct journal *j, uint64_t term, uint64_t vote, struct gp_error *err)
{
    struct state_file next = state_next(j);
    int rc;

    err = journal_err(j, err);
    rc = journal_ready(j, err);
    if (rc < 0) {
        return rc;
    }
    if (term < j->state.term) {
        return gp_error_set(err, GP_EINVAL, "term %" PRIu64 " is before %" PRIu64, term,
                            j->state.term);
    }
    if (term == j->state.term && vote == j->state.vote) {
        return 0;
    }
    next.term = term;
    next.vote = vote;
    return state_store(j, &next, err);
}
