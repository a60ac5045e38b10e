/*
 * A tree of inodes. Folders here hold few names, so they are lists.
 *
 * Invariants: an inode with a parent has a name there and one reference for it; the root has
 * neither parent nor name. refs 0: freed.
 */
#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "sim/limits.h"

/* ---- inodes ---- */

static struct sim_inode *inode_new(enum sim_inode_kind kind, gp_str name, uint32_t mode)
{
    struct sim_inode *inode = calloc(1, sizeof(*inode));

    if (inode == NULL) {
        return NULL;
    }
    inode->name = str_dup(name);
    if (inode->name == NULL) {
        free(inode);
        return NULL;
    }
    inode->kind = kind;
    inode->mode = mode;
    inode->refs = 1;
    list_node_init(&inode->node);
    list_init(&inode->children);
    list_init(&inode->unsynced);
    list_init(&inode->removed);
    return inode;
}

struct sim_inode *sim_inode_ref(struct sim_inode *inode)
{
    inode->refs++;
    return inode;
}

void sim_inode_unref(struct sim_inode *inode)
{
    if (inode == NULL || --inode->refs > 0) {
        return;
    }
    ASSERT(list_is_empty(&inode->children));
    sim_inode_sync(inode);
    sim_folder_sync(inode);
    free(inode->bytes);
    free(inode->name);
    free(inode);
}

void sim_inode_attach(struct sim_inode *folder, struct sim_inode *inode)
{
    inode->parent = folder;
    list_push_back(&folder->children, &inode->node);
    folder->child_count++;
}

static void detach(struct sim_inode *inode)
{
    list_remove(&inode->node);
    inode->parent->child_count--;
    inode->parent = NULL;
}

void sim_inode_sync(struct sim_inode *inode)
{
    struct list_node *node;

    while ((node = list_pop_front(&inode->unsynced)) != NULL) {
        free(LIST_ENTRY(node, struct sim_unsynced, node));
    }
}

void sim_folder_sync(struct sim_inode *folder)
{
    struct list_node *node;

    while ((node = list_pop_front(&folder->removed)) != NULL) {
        sim_inode_unref(LIST_ENTRY(node, struct sim_inode, node));
    }
    LIST_FOREACH (child, &folder->children) {
        LIST_ENTRY(child, struct sim_inode, node)->is_fresh = false;
    }
}

/* Notes what the bytes at offset are about to cover; one append after the other is one note. */
static int note_unsynced(struct sim_inode *inode, size_t offset, size_t len, size_t old_len)
{
    struct list_node *node = list_last(&inode->unsynced);
    struct sim_unsynced *last = node != NULL ? LIST_ENTRY(node, struct sim_unsynced, node) : NULL;
    struct sim_unsynced *u;

    if (last != NULL && last->len > 0 && last->offset + last->len == offset && old_len == 0) {
        last->len += len;
        return 0;
    }
    u = malloc(sizeof(*u) + old_len);
    if (u == NULL) {
        return GP_ENOMEM;
    }
    *u = (struct sim_unsynced){
        .offset = offset, .len = len, .size_before = inode->size, .old_len = old_len};
    if (old_len > 0) {
        memcpy(u->old, inode->bytes + offset, old_len);
    }
    list_node_init(&u->node);
    list_push_back(&inode->unsynced, &u->node);
    return 0;
}

int sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *ptr, size_t len)
{
    size_t old_len;
    size_t end;

    if (offset > SIM_FILE_MAX_BYTES || len > SIM_FILE_MAX_BYTES - offset) {
        return GP_ENOSPC;
    }
    end = (size_t)offset + len;
    if (end > inode->capacity) {
        size_t capacity = end > inode->capacity * 2 ? end : inode->capacity * 2;
        unsigned char *bytes = realloc(inode->bytes, capacity);

        if (bytes == NULL) {
            return GP_ENOMEM;
        }
        inode->bytes = bytes;
        inode->capacity = capacity;
    }
    if (len == 0) {
        return 0;
    }
    old_len = offset >= inode->size ? 0 : inode->size < end ? inode->size - (size_t)offset : len;
    if (note_unsynced(inode, (size_t)offset, len, old_len) < 0) {
        return GP_ENOMEM;
    }
    if (offset > inode->size) {
        memset(inode->bytes + inode->size, 0, (size_t)offset - inode->size);
    }
    memcpy(inode->bytes + offset, ptr, len);
    inode->size = end > inode->size ? end : inode->size;
    return 0;
}

size_t sim_inode_read(const struct sim_inode *inode, uint64_t offset, void *ptr, size_t len)
{
    if (offset >= inode->size) {
        return 0;
    }
    len = len < inode->size - (size_t)offset ? len : inode->size - (size_t)offset;
    memcpy(ptr, inode->bytes + offset, len);
    return len;
}

void sim_inode_truncate(struct sim_inode *inode)
{
    if (inode->size > 0) {
        ASSERT(note_unsynced(inode, 0, 0, inode->size) == 0);
        inode->size = 0;
    }
}

/* ---- paths ---- */

/* Cuts the next component off; false at the end. */
static bool next_name(gp_str *path, gp_str *ret_name)
{
    while (path->len > 0) {
        (void)str_cut(*path, '/', ret_name, path);
        if (ret_name->len > 0 && !str_eq(*ret_name, GP_STR("."))) {
            return true;
        }
    }
    return false;
}

struct sim_inode *sim_inode_child(const struct sim_inode *folder, gp_str name)
{
    LIST_FOREACH (node, &folder->children) {
        struct sim_inode *inode = LIST_ENTRY(node, struct sim_inode, node);

        if (str_eq(gp_str_of(inode->name), name)) {
            return inode;
        }
    }
    return NULL;
}

/*
 * Walks to the last component: *ret_folder is the folder it stands or would stand in, *ret_name its
 * name, empty for the root itself.
 */
static int walk(struct sim_disk *disk, const char *path, struct sim_inode **ret_folder,
                gp_str *ret_name)
{
    gp_str rest = gp_str_of(path);
    struct sim_inode *folder = disk->root;
    gp_str name = {0};
    gp_str next;

    if (path[0] != '/' || rest.len >= SIM_PATH_MAX) {
        return GP_EINVAL;
    }
    while (next_name(&rest, &next)) {
        if (str_eq(next, GP_STR(".."))) {
            return GP_EINVAL;
        }
        if (name.len > 0) {
            folder = sim_inode_child(folder, name);
            if (folder == NULL) {
                return GP_ENOENT;
            }
            if (folder->kind != SIM_INODE_FOLDER) {
                return GP_EINVAL;
            }
        }
        name = next;
    }
    *ret_folder = folder;
    *ret_name = name;
    return 0;
}

int sim_disk_find(struct sim_disk *disk, const char *path, struct sim_inode **ret)
{
    struct sim_inode *folder;
    struct sim_inode *inode;
    gp_str name;
    int rc = walk(disk, path, &folder, &name);

    if (rc < 0) {
        return rc;
    }
    inode = name.len > 0 ? sim_inode_child(folder, name) : folder;
    if (inode == NULL) {
        return GP_ENOENT;
    }
    *ret = inode;
    return 0;
}

int sim_disk_make(struct sim_disk *disk, const char *path, enum sim_inode_kind kind, uint32_t mode,
                  struct sim_inode **ret)
{
    struct sim_inode *folder;
    struct sim_inode *inode;
    gp_str name;
    int rc = walk(disk, path, &folder, &name);

    if (rc < 0) {
        return rc;
    }
    if (name.len == 0 || sim_inode_child(folder, name) != NULL) {
        return GP_EEXIST;
    }
    inode = inode_new(kind, name, mode);
    if (inode == NULL) {
        return GP_ENOMEM;
    }
    sim_inode_attach(folder, inode);
    *ret = inode;
    return 0;
}

int sim_disk_make_folders(struct sim_disk *disk, const char *path, uint32_t mode)
{
    gp_str rest = gp_str_of(path);
    struct sim_inode *folder = disk->root;
    gp_str name;

    if (path[0] != '/' || rest.len >= SIM_PATH_MAX) {
        return GP_EINVAL;
    }
    while (next_name(&rest, &name)) {
        struct sim_inode *child = sim_inode_child(folder, name);

        if (str_eq(name, GP_STR(".."))) {
            return GP_EINVAL;
        }
        if (child == NULL) {
            child = inode_new(SIM_INODE_FOLDER, name, mode);
            if (child == NULL) {
                return GP_ENOMEM;
            }
            child->is_fresh = true;
            sim_inode_attach(folder, child);
        }
        if (child->kind != SIM_INODE_FOLDER) {
            return GP_EEXIST;
        }
        folder = child;
    }
    return 0;
}

int sim_disk_unlink(struct sim_disk *disk, struct sim_inode *inode)
{
    if (inode == disk->root || !list_is_empty(&inode->children)) {
        return GP_EEXIST;
    }
    detach(inode);
    sim_inode_unref(inode);
    return 0;
}

void sim_disk_unlink_unsynced(struct sim_inode *inode)
{
    struct sim_inode *folder = inode->parent;

    detach(inode);
    list_push_back(&folder->removed, &inode->node); /* with the reference of its name */
}

void sim_disk_unlink_tree(struct sim_disk *disk, struct sim_inode *inode)
{
    struct list_node *node;

    while ((node = list_first(&inode->children)) != NULL) {
        sim_disk_unlink_tree(disk, LIST_ENTRY(node, struct sim_inode, node));
    }
    if (inode != disk->root) {
        detach(inode);
        sim_inode_unref(inode);
    }
}

static bool is_below(const struct sim_inode *inode, const struct sim_inode *above)
{
    while (inode != NULL && inode != above) {
        inode = inode->parent;
    }
    return inode == above;
}

int sim_disk_rename(struct sim_disk *disk, const char *from, const char *to)
{
    struct sim_inode *inode;
    struct sim_inode *folder;
    struct sim_inode *old;
    gp_str name;
    char *dup;
    int rc = sim_disk_find(disk, from, &inode);

    if (rc == 0) {
        rc = walk(disk, to, &folder, &name);
    }
    if (rc < 0) {
        return rc;
    }
    if (name.len == 0 || inode == disk->root || is_below(folder, inode)) {
        return GP_EINVAL;
    }
    old = sim_inode_child(folder, name);
    if (old == inode) {
        return 0;
    }
    if (old != NULL && (old->kind == SIM_INODE_FOLDER) != (inode->kind == SIM_INODE_FOLDER)) {
        return GP_EINVAL;
    }
    dup = str_dup(name);
    if (dup == NULL) {
        return GP_ENOMEM;
    }
    rc = old != NULL ? sim_disk_unlink(disk, old) : 0;
    if (rc < 0) {
        free(dup);
        return rc;
    }
    free(inode->name);
    inode->name = dup;
    sim_folder_sync(folder);
    sim_folder_sync(inode->parent);
    detach(inode);
    sim_inode_attach(folder, inode);
    return 0;
}

/* ---- sockets ---- */

int sim_disk_bind(struct sim_disk *disk, const char *path, void *listener)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(disk, path, &inode);

    if (rc == GP_ENOENT) {
        rc = sim_disk_make(disk, path, SIM_INODE_SOCKET, 0600, &inode);
    } else if (rc == 0 && (inode->kind != SIM_INODE_SOCKET || inode->bound != NULL)) {
        return GP_EADDRINUSE;
    }
    if (rc < 0) {
        return rc;
    }
    inode->bound = listener;
    return 0;
}

void sim_disk_unbind(struct sim_disk *disk, const char *path, const void *listener, int is_kept)
{
    struct sim_inode *inode;

    if (sim_disk_find(disk, path, &inode) < 0 || inode->kind != SIM_INODE_SOCKET ||
        inode->bound != listener) {
        return; /* removed or renamed meanwhile */
    }
    inode->bound = NULL;
    if (!is_kept) {
        (void)sim_disk_unlink(disk, inode); /* a socket has no children */
    }
}

int sim_disk_find_bound(struct sim_disk *disk, const char *path, void **ret_listener)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(disk, path, &inode);

    if (rc < 0) {
        return rc;
    }
    if (inode->kind != SIM_INODE_SOCKET || inode->bound == NULL) {
        return GP_EUNREACH;
    }
    *ret_listener = inode->bound;
    return 0;
}

/* ---- life ---- */

int sim_disk_new(struct sim_disk **ret)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));

    if (disk == NULL) {
        return GP_ENOMEM;
    }
    disk->root = inode_new(SIM_INODE_FOLDER, GP_STR(""), 0755);
    if (disk->root == NULL) {
        free(disk);
        return GP_ENOMEM;
    }
    *ret = disk;
    return 0;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    sim_disk_unlink_tree(disk, disk->root);
    sim_inode_unref(disk->root);
    free(disk);
}
