#include "frail.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define PIECE       64u
#define WRITES_MAX  64u
#define SIZE_MAX_MB ((size_t)256 << 20)

struct extent {
    uint64_t offset;
    uint64_t len;
};

struct content {
    unsigned char *bytes;
    uint64_t size;
};

struct frail_node {
    uint32_t refs; /* names and open files */
    struct content now;
    struct content safe;
    bool is_truncated; /* since the last sync */
    struct extent writes[WRITES_MAX];
    uint32_t writes_count;
};

struct file {
    struct frail_node *node;
    uint32_t flags;
};

/* ---- content ---- */

static void content_resize(struct content *c, uint64_t size)
{
    ASSERT(size <= SIZE_MAX_MB);
    if (size > c->size) {
        c->bytes = realloc(c->bytes, size);
        ASSERT(c->bytes != NULL);
        memset(c->bytes + c->size, 0, size - c->size);
    }
    c->size = size;
}

static void content_write(struct content *c, uint64_t offset, const void *ptr, uint64_t len)
{
    if (len == 0) {
        return;
    }
    if (offset + len > c->size) {
        content_resize(c, offset + len);
    }
    memcpy(c->bytes + offset, ptr, len);
}

static void content_set(struct content *c, gp_bytes bytes)
{
    c->size = 0;
    content_resize(c, bytes.len);
    content_write(c, 0, bytes.ptr, bytes.len);
}

static gp_bytes content_get(const struct content *c)
{
    return gp_bytes_of(c->bytes, c->size);
}

static void node_unref(struct frail_node *node)
{
    if (node != NULL && --node->refs == 0) {
        free(node->now.bytes);
        free(node->safe.bytes);
        free(node);
    }
}

static struct frail_node *node_ref(struct frail_node *node)
{
    node->refs++;
    return node;
}

static void node_clean(struct frail_node *node)
{
    node->is_truncated = false;
    node->writes_count = 0;
}

static void node_sync(struct frail_node *node)
{
    content_set(&node->safe, content_get(&node->now));
    node_clean(node);
}

/* Some of a write reaches the disk. mode: 0 nothing, 1 all, 2 a beginning, 3 any pieces. */
static void extent_lose(struct frail_node *node, const struct extent *e, uint64_t mode,
                        struct rng *rng)
{
    const uint64_t stop = rng_below(rng, e->len + 1);

    for (uint64_t at = 0; at < e->len; at += PIECE) {
        uint64_t len = e->len - at < PIECE ? e->len - at : PIECE;
        unsigned char rubbish[PIECE];
        bool lands = mode == 1 || (mode == 2 && at < stop) || (mode == 3 && rng_chance(rng, 0.5));

        if (mode == 2 && at < stop && stop - at < len) {
            len = stop - at;
        }
        if (lands && mode == 3 && rng_chance(rng, 0.2)) {
            rng_fill(rng, rubbish, sizeof rubbish);
            content_write(&node->safe, e->offset + at, rubbish, len);
        } else if (lands) {
            content_write(&node->safe, e->offset + at, node->now.bytes + e->offset + at, len);
        }
    }
}

/* Whatever the disk does with what was not synced. */
static void node_settle(struct frail_node *node, struct rng *rng)
{
    const uint64_t mode = rng_below(rng, 4);

    if (node->is_truncated && rng_chance(rng, 0.5)) {
        node->safe.size = 0;
    }
    for (uint32_t i = 0; i < node->writes_count; i++) {
        extent_lose(node, &node->writes[i], mode, rng);
    }
    node_clean(node);
}

static void node_write(struct frail_node *node, uint64_t offset, const void *ptr, uint64_t len)
{
    content_write(&node->now, offset, ptr, len);
    if (len > 0) {
        ASSERT(node->writes_count < WRITES_MAX);
        node->writes[node->writes_count++] = (struct extent){offset, len};
    }
}

/* ---- names ---- */

static struct frail_name *find(struct frail_name *names, const char *path)
{
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        if (strcmp(names[i].path, path) == 0 && path[0] != '\0') {
            return &names[i];
        }
    }
    return NULL;
}

static void name_clear(struct frail_name *name)
{
    node_unref(name->node);
    *name = (struct frail_name){0};
}

static void name_set(struct frail_name *names, const char *path, struct frail_node *node)
{
    struct frail_name *name = find(names, path);

    (void)node_ref(node);
    if (name != NULL) {
        name_clear(name);
    }
    for (uint32_t i = 0; name == NULL; i++) {
        ASSERT(i < FRAIL_FILES_MAX);
        name = names[i].path[0] == '\0' ? &names[i] : NULL;
    }
    ASSERT(strlen(path) < FRAIL_NAME_MAX);
    strcpy(name->path, path);
    name->node = node;
}

static void names_copy(struct frail_name *to, const struct frail_name *from)
{
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        struct frail_node *old = to[i].node;

        to[i] = from[i];
        if (to[i].node != NULL) {
            (void)node_ref(to[i].node);
        }
        node_unref(old);
    }
}

/* Removed names that were not synced are gone or not. */
static void names_settle(struct frail *f)
{
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        struct frail_name *name = &f->safe[i];

        if (name->path[0] != '\0' && find(f->now, name->path) == NULL && rng_chance(&f->rng, 0.5)) {
            name_clear(name);
        }
    }
}

/* ---- calls ---- */

enum fate {
    FATE_DONE,
    FATE_DEAD,    /* no effect; an earlier call was the last */
    FATE_PARTIAL, /* any effect, and failure */
};

static enum fate begin(struct frail *f, bool changes)
{
    f->inside++;
    f->calls++;
    if (f->has_failed && (f->fail_code == FRAIL_CRASH || (f->is_sticky && changes))) {
        return FATE_DEAD;
    }
    if (f->fail_at != 0 && f->calls == f->fail_at) {
        f->has_failed = true;
        return FATE_PARTIAL;
    }
    return FATE_DONE;
}

static int end(struct frail *f, enum fate fate, const char *path, struct gp_error *err)
{
    int code = f->fail_code == FRAIL_CRASH ? GP_EIO : f->fail_code;

    f->inside--;
    return fate == FATE_DONE ? 0 : gp_error_set(err, code, "%s: made to fail", path);
}

static bool half(struct frail *f)
{
    return rng_chance(&f->rng, 0.5);
}

static int frail_open(void *world, const char *path, uint32_t flags, uint32_t mode,
                      struct file **ret, struct gp_error *err)
{
    struct frail *f = world;
    struct frail_name *name = find(f->now, path);
    const bool makes = name == NULL && (flags & FS_WRITE) != 0;
    enum fate fate = begin(f, (flags & FS_WRITE) != 0);
    struct frail_node *node = name != NULL ? name->node : NULL;
    struct file *file;

    (void)mode;
    if (fate == FATE_DEAD || (fate == FATE_PARTIAL && half(f))) {
        return end(f, fate, path, err);
    }
    if (name == NULL && !makes) {
        (void)end(f, FATE_DONE, path, NULL);
        return gp_error_set(err, GP_ENOENT, "%s: not there", path);
    }
    if (makes) {
        node = calloc(1, sizeof(*node));
        ASSERT(node != NULL);
        name_set(f->now, path, node);
    }
    if ((flags & FS_TRUNCATE) != 0) {
        node->now.size = 0;
        node->writes_count = 0;
        node->is_truncated = true;
    }
    if (fate == FATE_PARTIAL) {
        if (makes && half(f)) {
            name_set(f->safe, path, node);
        }
        return end(f, fate, path, err);
    }
    if ((flags & FS_WRITE) != 0) {
        names_copy(f->safe, f->now);
    }
    file = calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    *file = (struct file){.node = node_ref(node), .flags = flags};
    f->open_files++;
    *ret = file;
    return end(f, fate, path, err);
}

static int64_t frail_read_at(void *world, struct file *file, uint64_t offset, void *ptr, size_t len)
{
    const struct content *c = &file->node->now;
    struct frail *f = world;
    int rc = end(f, begin(f, false), "", NULL);

    ASSERT((file->flags & FS_READ) != 0);
    if (rc < 0 || offset >= c->size) {
        return rc;
    }
    len = len < c->size - offset ? len : (size_t)(c->size - offset);
    memcpy(ptr, c->bytes + offset, len);
    return (int64_t)len;
}

static int frail_write_at(void *world, struct file *file, uint64_t offset, const void *ptr,
                          size_t len)
{
    struct frail *f = world;
    enum fate fate = begin(f, true);

    ASSERT((file->flags & FS_WRITE) != 0);
    if (fate == FATE_DONE) {
        node_write(file->node, offset, ptr, len);
    } else if (fate == FATE_PARTIAL) {
        node_write(file->node, offset, ptr, rng_below(&f->rng, len + 1));
    }
    return end(f, fate, "", NULL);
}

static int frail_sync(void *world, struct file *file)
{
    struct frail *f = world;
    enum fate fate = begin(f, true);

    f->syncs++;
    if (fate == FATE_DONE) {
        node_sync(file->node);
    } else if (fate == FATE_PARTIAL && f->fail_code != FRAIL_CRASH) {
        node_settle(file->node, &f->rng);
    }
    return end(f, fate, "", NULL);
}

static int64_t frail_size(void *world, struct file *file)
{
    struct frail *f = world;
    int rc = end(f, begin(f, false), "", NULL);

    return rc < 0 ? rc : (int64_t)file->node->now.size;
}

static void frail_close(void *world, struct file *file)
{
    struct frail *f = world;

    if (file != NULL) {
        node_unref(file->node);
        free(file);
        f->open_files--;
    }
}

static int frail_read_file(void *world, const char *path, size_t max, struct buf *buf,
                           struct gp_error *err)
{
    struct frail *f = world;
    struct frail_name *name = find(f->now, path);
    int rc = end(f, begin(f, false), path, err);

    if (rc < 0) {
        return rc;
    }
    if (name == NULL) {
        return gp_error_set(err, GP_ENOENT, "%s: not there", path);
    }
    if (name->node->now.size > max) {
        return gp_error_set(err, GP_ETOOBIG, "%s: too big", path);
    }
    rc = buf_append_bytes(buf, content_get(&name->node->now));
    return rc < 0 ? gp_error_set(err, rc, "%s: too big for memory", path) : 0;
}

static int frail_rename(void *world, const char *from, const char *to, struct gp_error *err)
{
    struct frail *f = world;
    struct frail_name *name = find(f->now, from);
    enum fate fate = begin(f, true);

    ASSERT(name != NULL);
    if (fate == FATE_DEAD || (fate == FATE_PARTIAL && half(f))) {
        return end(f, fate, from, err);
    }
    name_set(f->now, to, name->node);
    name_clear(name);
    if (fate == FATE_DONE || half(f)) {
        names_copy(f->safe, f->now);
    }
    return end(f, fate, from, err);
}

static int frail_unlink(void *world, const char *path, struct gp_error *err)
{
    struct frail *f = world;
    struct frail_name *name = find(f->now, path);
    enum fate fate = begin(f, true);

    if (fate == FATE_DEAD || (fate == FATE_PARTIAL && half(f))) {
        return end(f, fate, path, err);
    }
    if (name == NULL) {
        (void)end(f, FATE_DONE, path, NULL);
        return gp_error_set(err, GP_ENOENT, "%s: not there", path);
    }
    name_clear(name);
    return end(f, fate, path, err);
}

static int frail_make_dirs(void *world, const char *path, uint32_t mode, struct gp_error *err)
{
    (void)mode;
    return end(world, begin(world, true), path, err);
}

/* Stops at the first that fails; what an interrupted one left is found by the next. */
static int frail_remove_tree(void *world, const char *path, struct gp_error *err)
{
    struct frail *f = world;
    const size_t len = strlen(path);
    int rc = 0;

    for (uint32_t i = 0; rc >= 0 && i < FRAIL_FILES_MAX; i++) {
        const char *name = f->now[i].path;

        if (strncmp(name, path, len) == 0 && name[len] == '/') {
            rc = frail_unlink(world, name, err);
        }
    }
    return rc;
}

static int frail_exists(void *world, const char *path)
{
    struct frail *f = world;
    int rc = end(f, begin(f, false), path, NULL);

    return rc < 0 ? rc : find(f->now, path) != NULL;
}

static int frail_sync_folder(void *world, const char *path, struct gp_error *err)
{
    struct frail *f = world;
    enum fate fate = begin(f, true);

    if (fate == FATE_DONE) {
        names_copy(f->safe, f->now);
    }
    return end(f, fate, path, err);
}

static int frail_list(void *world, const char *path, fs_list_fn fn, void *user,
                      struct gp_error *err)
{
    struct frail *f = world;
    const size_t len = strlen(path);
    int rc = end(f, begin(f, false), path, err);

    for (uint32_t i = 0; rc >= 0 && i < FRAIL_FILES_MAX; i++) {
        const char *name = f->now[i].path;

        if (strncmp(name, path, len) == 0 && name[len] == '/') {
            rc = fn(user, name + len + 1, 0);
        }
    }
    return rc < 0 ? rc : 0;
}

static const struct fs_ops frail_ops = {
    .open = frail_open,
    .read_at = frail_read_at,
    .write_at = frail_write_at,
    .sync = frail_sync,
    .size = frail_size,
    .close = frail_close,
    .read_file = frail_read_file,
    .rename = frail_rename,
    .remove = frail_unlink,
    .remove_tree = frail_remove_tree,
    .exists = frail_exists,
    .make_dirs = frail_make_dirs,
    .sync_folder = frail_sync_folder,
    .list = frail_list,
};

/* ---- from outside ---- */

void frail_init(struct frail *f, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    rng_init(&f->rng, seed);
    f->port.world = f;
    f->port.fs = &frail_ops;
}

static void names_clear(struct frail_name *names)
{
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        name_clear(&names[i]);
    }
}

void frail_deinit(struct frail *f)
{
    ASSERT(f->open_files == 0);
    names_clear(f->now);
    names_clear(f->safe);
}

void frail_arm(struct frail *f, uint64_t nth, int code, bool is_sticky)
{
    f->fail_at = f->calls + nth;
    f->fail_code = code;
    f->is_sticky = is_sticky;
    f->has_failed = false;
}

void frail_restart(struct frail *f, bool power_lost)
{
    ASSERT(f->open_files == 0);
    f->fail_at = 0;
    f->has_failed = false;
    if (!power_lost) {
        return;
    }
    names_settle(f);
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        struct frail_node *node = f->safe[i].node;

        if (node != NULL) {
            node_settle(node, &f->rng);
            content_set(&node->now, content_get(&node->safe));
        }
    }
    names_copy(f->now, f->safe);
}

void frail_copy(struct frail *dst, const struct frail *src)
{
    names_clear(dst->now);
    names_clear(dst->safe);
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        if (src->now[i].path[0] != '\0') {
            frail_put(dst, src->now[i].path, content_get(&src->now[i].node->now));
        }
    }
}

gp_bytes frail_get(const struct frail *f, const char *path)
{
    const struct frail_name *name = find((struct frail_name *)f->now, path);

    return name != NULL ? content_get(&name->node->now) : (gp_bytes){0};
}

void frail_put(struct frail *f, const char *path, gp_bytes bytes)
{
    struct frail_node *node = calloc(1, sizeof(*node));

    ASSERT(node != NULL);
    content_set(&node->now, bytes);
    content_set(&node->safe, bytes);
    name_set(f->now, path, node);
    name_set(f->safe, path, node);
}

void frail_remove(struct frail *f, const char *path)
{
    struct frail_name *name = find(f->now, path);

    ASSERT(name != NULL);
    name_clear(name);
    name = find(f->safe, path);
    if (name != NULL) {
        name_clear(name);
    }
}
