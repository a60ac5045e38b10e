/*
 * disk.h: the files of one simulated host: a tree in memory that outlives every process.
 *
 * Paths are absolute; empty components and "." are skipped, ".." is refused. An open file lives on
 * after its name is gone. Names are kept in the order in which they came.
 *
 * What a crash of the host leaves: each file knows the writes since it was last synced, with what
 * they covered, so that they can be undone whole or in parts; each folder knows the names that were
 * removed and the folders that were made since it was last synced, for the ones may come back and
 * the others be gone. Everything else is durable at once.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rng.h"
#include "port/fs.h"

enum sim_inode_kind {
    SIM_INODE_FILE,
    SIM_INODE_FOLDER,
    SIM_INODE_SOCKET,
};

struct sim_inode {
    /* read-only */
    struct list_node node; /* in parent->children */
    struct sim_inode *parent;
    enum sim_inode_kind kind;
    uint32_t mode;
    uint32_t refs; /* its name and its open handles */
    char *name;
    struct list children;
    uint32_t child_count;
    bool is_fresh; /* a folder whose own folder was not synced since: a crash may take it */
    unsigned char *bytes;
    size_t size;
    size_t capacity;
    void *bound;          /* a socket's listener; NULL: it is gone */
    struct list unsynced; /* of a file: struct sim_unsynced, oldest first */
    struct list removed;  /* of a folder: inodes whose names may come back at a crash */
};

struct sim_disk {
    struct sim_inode *root; /* private to disk.c and disk_crash.c */
};

/* GP_ENOMEM */
int sim_disk_new(struct sim_disk **ret);
void sim_disk_free(struct sim_disk *disk);

/* 0, GP_ENOENT, GP_EINVAL (".." or not absolute, or a file where a folder should be). */
int sim_disk_find(struct sim_disk *disk, const char *path, struct sim_inode **ret);

/* Makes a file, folder or socket in a folder that exists. Also GP_EEXIST, GP_ENOMEM. */
int sim_disk_make(struct sim_disk *disk, const char *path, enum sim_inode_kind kind, uint32_t mode,
                  struct sim_inode **ret);

/* Folders, as far as they are missing. GP_EEXIST: a file is in the way. */
int sim_disk_make_folders(struct sim_disk *disk, const char *path, uint32_t mode);

/* Takes the name away; a folder must be empty (GP_EEXIST). */
int sim_disk_unlink(struct sim_disk *disk, struct sim_inode *inode);
/* The same for a file, whose name may come back at a crash until its folder is synced. */
void sim_disk_unlink_unsynced(struct sim_inode *inode);
/* The names in it are final. */
void sim_folder_sync(struct sim_inode *folder);
void sim_disk_unlink_tree(struct sim_disk *disk, struct sim_inode *inode);

/* GP_ENOENT, GP_EEXIST (a folder that is not empty is there), GP_EINVAL (a folder into itself). */
int sim_disk_rename(struct sim_disk *disk, const char *from, const char *to);

struct sim_inode *sim_inode_ref(struct sim_inode *inode);
void sim_inode_unref(struct sim_inode *inode);

/* Beyond the end the gap is zeroes. GP_ENOSPC, GP_ENOMEM. */
int sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *ptr, size_t len);
size_t sim_inode_read(const struct sim_inode *inode, uint64_t offset, void *ptr, size_t len);
void sim_inode_truncate(struct sim_inode *inode);

/* What was written so far will outlive a crash. */
void sim_inode_sync(struct sim_inode *inode);

/* ---- crashes (disk_crash.c) ---- */

struct sim_disk_damage {
    uint32_t torn;     /* files that lost bytes */
    uint32_t returned; /* names that came back */
    uint32_t lost;     /* folders, with all in them */
};

/*
 * The power of the host is cut: what was not synced is kept, lost or torn into sectors, drawn for
 * each file.
 */
void sim_disk_crash(struct sim_disk *disk, struct rng *rng, struct sim_disk_damage *ret);

/* Flips that many bits of the file, or of one that is drawn among those below a folder; ret: the
 * path of it. GP_ENOENT: there is none with a byte in it. */
int sim_disk_flip(struct sim_disk *disk, const char *path, uint32_t bits, struct rng *rng,
                  struct sim_inode **ret);

/* The child of that name; NULL: there is none. */
struct sim_inode *sim_inode_child(const struct sim_inode *folder, gp_str name);
/* Gives it its name there. */
void sim_inode_attach(struct sim_inode *folder, struct sim_inode *inode);

/* Appends the path of an inode. */
int sim_inode_path(const struct sim_inode *inode, struct buf *out);

/* A write since the last sync and what it covered. */
struct sim_unsynced {
    struct list_node node;
    size_t offset;
    size_t len; /* 0: the file was cut off at 0 */
    size_t size_before;
    size_t old_len; /* of the bytes that were there, at offset */
    unsigned char old[];
};

/* ---- sockets ---- */

/* GP_EADDRINUSE while another listener is bound there or it is no socket. */
int sim_disk_bind(struct sim_disk *disk, const char *path, void *listener);
/* is_kept: the file stays, bound to nobody. */
void sim_disk_unbind(struct sim_disk *disk, const char *path, const void *listener, int is_kept);
/* GP_ENOENT: no such file; GP_EUNREACH: nobody is bound to it. */
int sim_disk_find_bound(struct sim_disk *disk, const char *path, void **ret_listener);

#endif
