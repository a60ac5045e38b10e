/*
 * journal.c: a journal as a whole: opening, breaking, closing, who it belongs to. Votes and the
 * state files are in journal_state.c, entries in journal_entries.c, journal_log.c and
 * journal_replay.c, snapshots in journal_snapshot.c; what a crash may leave is told in
 * journal_internal.h.
 *
 * Open:     state files -> snapshot -> log files -> sweep what no state names.
 * Failures: of reading: open fails, with the file's name. Of writing: the journal is broken.
 */
#include "raft/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"
#include "raft/journal_internal.h"

#define FILE_BYTES_DEFAULT (4u << 20)
#define SWEEP_NAMES_MAX    65536u /* bytes of names removed at a time */

/* ---- what the files of a journal share ---- */

void journal_path(const struct journal *j, const char *name, uint64_t number,
                  char path[JOURNAL_PATH_MAX])
{
    int rc = str_format(path, JOURNAL_PATH_MAX, "%s/%s-%" PRIu64, j->folder, name, number);

    ASSERT(rc >= 0);
}

struct gp_error *journal_err(struct journal *j, struct gp_error *err)
{
    return err != NULL ? err : &j->why;
}

int journal_break(struct journal *j, int rc, struct gp_error *err)
{
    ASSERT(rc < 0 && err != NULL && err->code < 0);
    if (j->broken == 0) {
        j->broken = rc == GP_ENOSPC ? GP_ENOSPC : GP_EIO;
        LOG_WARN(j->port->log, "journal.broken", KV_STR("folder", j->folder), KV_CODE("code", rc),
                 KV_STR("text", err->text));
    }
    err->code = j->broken;
    j->why = *err;
    return j->broken;
}

int journal_ready(const struct journal *j, struct gp_error *err)
{
    if (j->broken < 0) {
        return gp_error_set(err, j->broken, "%s: an earlier write failed: %s", j->folder,
                            j->why.text);
    }
    if (j->state.member == 0) {
        return gp_error_set(err, GP_ESTATE, "%s: belongs to no member yet", j->folder);
    }
    return 0;
}

int journal_write(const struct journal *j, struct file *file, const char *path, uint64_t offset,
                  gp_bytes bytes, struct gp_error *err)
{
    const struct port *port = j->port;
    int rc =
        bytes.len > 0 ? port->fs->write_at(port->world, file, offset, bytes.ptr, bytes.len) : 0;

    if (rc < 0) {
        return gp_error_set(err, rc, "%s: cannot write: %s", path, error_sentence(rc));
    }
    rc = port->fs->sync(port->world, file);
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: cannot sync: %s", path, error_sentence(rc));
    }
    return 0;
}

void journal_close_file(const struct journal *j, struct file **file)
{
    if (*file != NULL) {
        j->port->fs->close(j->port->world, *file);
        *file = NULL;
    }
}

/* ---- sweeping ---- */

struct sweep {
    const struct journal *j;
    struct buf names; /* each with its zero */
};

static bool has_number(gp_str name, gp_str prefix, uint64_t *ret_number)
{
    return str_starts_with(name, prefix) &&
           str_to_u64((gp_str){name.ptr + prefix.len, name.len - prefix.len}, ret_number) == 0;
}

static int on_name(void *user, const char *text, int is_dir)
{
    struct sweep *sweep = user;
    const struct state_file *state = &sweep->j->state;
    gp_str name = gp_str_of(text);
    uint64_t number;
    bool is_litter = str_eq(name, GP_STR("snapshot.new"));

    if (has_number(name, GP_STR("log-"), &number)) {
        is_litter = number < state->log_begin || number > state->log_end;
    } else if (has_number(name, GP_STR("snapshot-"), &number)) {
        is_litter = number != state->snapshot;
    }
    return is_litter && !is_dir ? buf_append(&sweep->names, text, name.len + 1) : 0;
}

void journal_sweep(struct journal *j)
{
    const struct port *port = j->port;
    struct sweep sweep = {.j = j};
    gp_str names;
    gp_str name;

    buf_init(&sweep.names, SWEEP_NAMES_MAX);
    /* Nothing depends on it: what is left over is tried again at the next snapshot or open. */
    (void)port->fs->list(port->world, j->folder, on_name, &sweep, NULL);
    names = buf_str(&sweep.names);
    while (str_cut(names, '\0', &name, &names)) {
        char path[JOURNAL_PATH_MAX];

        if (str_format(path, sizeof path, "%s/%.*s", j->folder, STR_ARG(name)) >= 0) {
            (void)port->fs->remove(port->world, path, NULL);
        }
    }
    buf_deinit(&sweep.names);
}

/* ---- life ---- */

static int load(struct journal *j, struct gp_error *err)
{
    int rc = j->port->fs->make_dirs(j->port->world, j->folder, 0700, err);

    if (rc >= 0) {
        rc = state_load(j, err);
    }
    if (rc < 0 || j->state.member == 0) {
        return rc;
    }
    rc = snapshot_check(j, err);
    if (rc >= 0) {
        rc = log_replay(j, err);
    }
    if (rc < 0) {
        return rc;
    }
    journal_sweep(j);
    LOG_INFO(j->port->log, "journal.opened", KV_STR("folder", j->folder),
             KV_U64("member", j->state.member), KV_U64("term", j->state.term),
             KV_U64("first", j->first), KV_U64("last", log_next(j) - 1),
             KV_U64("snapshot", j->state.snapshot));
    return 0;
}

int journal_open(const struct journal_options *options, struct journal **ret, struct gp_error *err)
{
    struct journal *j = calloc(1, sizeof(*j));
    int rc;

    if (j == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", options->folder);
    }
    j->port = options->port;
    j->file_bytes = options->file_bytes != 0 ? options->file_bytes : FILE_BYTES_DEFAULT;
    j->state = (struct state_file){.first = 1, .log_begin = 1};
    j->first = 1;
    buf_init(&j->scratch, LOG_FILE_MAX);
    if (options->folder[0] != '/' || j->file_bytes > JOURNAL_FILE_MAX ||
        str_format(j->folder, sizeof j->folder, "%s", options->folder) < 0) {
        rc = gp_error_set(err, GP_EINVAL, "%s: not a folder for a journal", options->folder);
    } else {
        rc = load(j, journal_err(j, err));
    }
    if (rc == GP_ECHECKSUM || rc == GP_EPROTO || rc == GP_ESTATE) {
        gp_error_hint(err,
                      "if other masters are alive, move %.100s away, start this one again and "
                      "give it its place back: gpctl masters add ADDRESS",
                      j->folder);
    }
    if (rc < 0) {
        journal_close(j);
        return rc;
    }
    *ret = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j == NULL) {
        return;
    }
    journal_close_file(j, &j->state_files[0]);
    journal_close_file(j, &j->state_files[1]);
    journal_close_file(j, &j->log);
    journal_close_file(j, &j->reading);
    buf_deinit(&j->scratch);
    free(j->places);
    free(j);
}

int journal_broken(const struct journal *j)
{
    return j->broken;
}

/* ---- who ---- */

uint64_t journal_member(const struct journal *j)
{
    return j->state.member;
}

const char *journal_group(const struct journal *j)
{
    return j->state.group;
}

/* The folder's own name may be new as well, and those of the folders above it. */
static int sync_parent(const struct journal *j, struct gp_error *err)
{
    char parent[JOURNAL_PATH_MAX];
    char *slash;

    fs_sync_above(j->port->fs, j->port->world, j->folder);
    memcpy(parent, j->folder, sizeof j->folder);
    slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    return j->port->fs->sync_folder(j->port->world, parent, err);
}

int journal_set_member(struct journal *j, uint64_t member, const char *group, struct gp_error *err)
{
    struct state_file next = j->state;
    int rc;

    err = journal_err(j, err);
    if (j->broken < 0) {
        return journal_ready(j, err);
    }
    if (j->state.member != 0) {
        return gp_error_set(err, GP_ESTATE, "%s: belongs to member %" PRIu64 " of group %s",
                            j->folder, j->state.member, j->state.group);
    }
    if (member == 0 || str_format(next.group, sizeof next.group, "%s", group) < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: not a member or group to belong to", j->folder);
    }
    rc = sync_parent(j, err);
    if (rc < 0) {
        return journal_break(j, rc, err);
    }
    next.member = member;
    return state_store(j, &next, err);
}
