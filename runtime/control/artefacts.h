/*
 * artefacts.h: the store of plugin files, named by what they contain.
 *
 * DIR/sha256/ab/<64 hex digits> holds a file; DIR/incoming/ holds what is being received. A file is
 * written under a temporary name while its hash is computed, and gets its own name only once size
 * and hash are right and it is on disk: a name never stands for half a file. What an earlier life
 * left in incoming/ is removed at open. Master and worker each have one.
 */
#ifndef CONTROL_ARTEFACTS_H
#define CONTROL_ARTEFACTS_H

#include <stdint.h>

#include <gearpump/plugin.h>

#include "base/list.h"
#include "base/sha256.h"
#include "port/port.h"

#define ARTEFACT_SHA_LEN        64u
#define ARTEFACT_PATH_MAX       4096u
#define ARTEFACTS_INCOMING_MAX  16u
#define ARTEFACT_SIZE_MAX_BYTES (256u << 20)

struct artefacts {
    const struct port *port;
    char dir[ARTEFACT_PATH_MAX - 128];
    uint64_t size_max;
    uint32_t incoming; /* being received now */
    uint64_t serial;   /* of temporary names */
    struct list checks;
    struct timer *turn; /* the next slice of a check */
};

/* One file being received. */
struct artefact_in {
    struct artefacts *store;
    struct file *file; /* NULL: not in use */
    char path[ARTEFACT_PATH_MAX];
    char sha256[ARTEFACT_SHA_LEN + 1];
    uint64_t size;
    uint64_t received;
    struct sha256 hash;
};

/* Makes the folders and clears incoming/. size_max: of one file. dir is copied. */
int artefacts_open(struct artefacts *store, const struct port *port, const char *dir,
                   uint64_t size_max, struct gp_error *err);

/* Ends the checks. Zeroed ones are fine. */
void artefacts_close(struct artefacts *store);

/* Whether sha is 64 lower-case hex digits; anything else never becomes a path. */
bool artefact_sha_is_valid(gp_str sha);

/* Where the store in dir keeps a file, there or not. GP_EINVAL: not a hash; GP_ETOOBIG. */
int artefact_path_format(const char *dir, gp_str sha, char *path, size_t cap);

/* 1 and the path when the store has it, 0 when not. */
int artefacts_find(const struct artefacts *store, gp_str sha, char *path, size_t cap);

/* 0, or why not: GP_ENOENT, GP_ECHECKSUM, GP_EFULL, ... */
typedef void (*artefact_checked_fn)(void *user, int code, const struct gp_error *err);

/* Whether the store has the file, and it is what its name says. One that is not is removed, so that
 * it can be fetched again. fn comes once, from inside if the file is small, unless the store is
 * closed before. */
void artefacts_check(struct artefacts *store, gp_str sha, artefact_checked_fn fn, void *user);

/* The note of a file, as elf_read() gets it, without reading much else of it. */
int artefact_note_of(const struct port *port, const char *path, struct gp_note *ret,
                     struct gp_error *err);
/* The same of an artefact that is here. */
int artefacts_note(const struct artefacts *store, gp_str sha, struct gp_note *ret,
                   struct gp_error *err);

/* Begins to receive. GP_ETOOBIG, GP_EFULL (too many at once), GP_EINVAL (not a hash), GP_EIO... */
int artefact_begin(struct artefacts *store, gp_str sha, uint64_t size, struct artefact_in *ret,
                   struct gp_error *err);

/* The next bytes; offset must be what was received so far. After an error the artefact must be
 * dropped. */
int artefact_write(struct artefact_in *in, uint64_t offset, gp_bytes bytes, struct gp_error *err);

/* All received: checks, syncs, names. Ends `in` in any case. GP_ECHECKSUM, GP_EIO... */
int artefact_commit(struct artefact_in *in, struct gp_error *err);

/* Forgets what came in. Zeroed and ended ones are fine. */
void artefact_drop(struct artefact_in *in);

/* Copies a file of this host into the store, giving its hash (cap > 64). */
int artefacts_add_file(struct artefacts *store, const char *path, char *ret_sha, size_t cap,
                       uint64_t *ret_size, struct gp_error *err);

#endif
