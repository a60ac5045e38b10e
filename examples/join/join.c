/*
 * join: two streams of lines, brought together by their first field.
 *
 *     left (file)  --> left-key  --hash--> 0 join --0--> joined (file)
 *     right (file) --> right-key --hash--> 1      --1--> alone (file)
 *
 * A line is KEY,REST; lines of both sides with one key come out together as KEY,LEFT,RIGHT (each
 * with each), on output port 0 of join. What met nobody comes out at the end, on port 1, as it came
 * in. Memory grows with what has been seen: for streams without an end, bound it by time, as
 * windows does. So does what one line sends, for it comes out with all that it meets in one call:
 * when that is more than a full output still takes, the overdraft of struct gp_out, the task fails.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define JOINED 0u /* output ports of join */
#define ALONE  1u

/* ---- key: the first field becomes the key, the rest stays the value ---- */

static int32_t key_process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                           struct gp_out *out)
{
    (void)port;
    GP_EACH (line, in, consumed, out) {
        const char *text = line->value;
        const char *comma = memchr(text, ',', line->value_len);
        size_t key_len = comma ? (size_t)(comma - text) : 0;
        if (!comma || key_len > GP_KEY_MAX_BYTES) {
            return gp_reject(self, "a line is KEY,REST"); /* counted, logged, and the job goes on */
        }
        if (gp_emit_keyed(out, line->time_ns, text, key_len, comma + 1,
                          line->value_len - key_len - 1) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static const struct gp_processor key = {.size = sizeof key,
                                        .kind = GP_KIND_PROCESSOR,
                                        .type = "key",
                                        .open = gp_open_stateless,
                                        .process = key_process};

/* ---- join ---- */

struct side {
    struct side *next;
    uint32_t len;
    char text[];
};

struct entry {
    struct entry *next; /* of the same bucket */
    uint64_t hash;
    struct side *side[2];
    uint32_t key_len;
    char key[];
};

struct join {
    const struct gp_task *task;
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entry_count;
    size_t end_bucket; /* where on_end goes on when outputs were full */
};

static int32_t join_open(const struct gp_task *task, void **ret_self)
{
    struct join *j = calloc(1, sizeof *j);

    if (!j) {
        return gp_fail(task, "no memory");
    }
    j->task = task;
    j->bucket_count = 1024;
    j->buckets = calloc(j->bucket_count, sizeof(struct entry *));
    if (!j->buckets) {
        free(j);
        return gp_fail(task, "no memory");
    }
    *ret_self = j;
    return GP_OK;
}

/* The upper bits of the hash chose the task: the lower ones choose the bucket. */
static struct entry **bucket_of(const struct join *j, uint64_t hash)
{
    return &j->buckets[hash & (j->bucket_count - 1)];
}

static int join_grow(struct join *j)
{
    struct join larger = *j;

    larger.bucket_count *= 2;
    larger.buckets = calloc(larger.bucket_count, sizeof(struct entry *));
    if (!larger.buckets) {
        return -1;
    }
    for (size_t i = 0; i < j->bucket_count; i++) {
        struct entry *next;
        for (struct entry *e = j->buckets[i]; e; e = next) {
            struct entry **to = bucket_of(&larger, e->hash);
            next = e->next;
            e->next = *to;
            *to = e;
        }
    }
    free(j->buckets);
    *j = larger;
    return 0;
}

/* The entry of a key, a new one if need be; NULL: no memory. */
static struct entry *join_find(struct join *j, uint64_t hash, const void *key_text,
                               uint32_t key_len)
{
    struct entry *e;

    for (e = *bucket_of(j, hash); e; e = e->next) {
        if (e->hash == hash && e->key_len == key_len && memcmp(e->key, key_text, key_len) == 0) {
            return e;
        }
    }
    if (j->entry_count == j->bucket_count && join_grow(j) < 0) {
        return NULL;
    }
    e = calloc(1, sizeof *e + key_len);
    if (e) {
        struct entry **to = bucket_of(j, hash);
        e->hash = hash;
        e->key_len = key_len;
        memcpy(e->key, key_text, key_len);
        e->next = *to;
        *to = e;
        j->entry_count++;
    }
    return e;
}

static int entry_add(struct entry *e, uint32_t port, const void *text, uint32_t len)
{
    struct side *s = malloc(sizeof *s + len);

    if (!s) {
        return -1;
    }
    s->len = len;
    memcpy(s->text, text, len);
    s->next = e->side[port];
    e->side[port] = s;
    return 0;
}

/* KEY,LEFT,RIGHT, built in place in the send buffer. */
static int32_t emit_pair(struct gp_out *out, const struct gp_row *row, const void *left,
                         uint32_t left_len, const void *right, uint32_t right_len)
{
    struct gp_msg msg = {.size = sizeof msg, .time_ns = row->time_ns};
    uint32_t len = row->key_len + left_len + right_len + 2;
    char *at = out->reserve(out, JOINED, &msg, len);

    if (!at) {
        return GP_FAIL;
    }
    memcpy(at, row->key, row->key_len);
    at += row->key_len;
    *at++ = ',';
    memcpy(at, left, left_len);
    at += left_len;
    *at++ = ',';
    memcpy(at, right, right_len);
    return out->commit(out, len);
}

static int32_t join_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct join *j = self;

    GP_EACH (row, in, consumed, out) {
        struct entry *e = join_find(j, row->key_hash, row->key, row->key_len);
        if (!e || entry_add(e, port, row->value, row->value_len) < 0) {
            return gp_fail(j->task, "no memory for the lines");
        }
        for (const struct side *s = e->side[1 - port]; s; s = s->next) {
            int32_t rc = port == 0
                             ? emit_pair(out, row, row->value, row->value_len, s->text, s->len)
                             : emit_pair(out, row, s->text, s->len, row->value, row->value_len);
            if (rc != GP_OK) {
                return GP_FAIL;
            }
        }
    }
    return GP_OK;
}

static int32_t emit_alone(struct gp_out *out, const struct entry *e, const struct side *s)
{
    struct gp_msg msg = {.size = sizeof msg};
    uint32_t len = e->key_len + s->len + 1;
    char *at = out->reserve(out, ALONE, &msg, len);

    if (!at) {
        return GP_FAIL;
    }
    memcpy(at, e->key, e->key_len);
    at[e->key_len] = ',';
    memcpy(at + e->key_len + 1, s->text, s->len);
    return out->commit(out, len);
}

static int32_t join_on_end(void *self, struct gp_out *out)
{
    struct join *j = self;

    for (; j->end_bucket < j->bucket_count; j->end_bucket++) {
        if (gp_out_full(out)) {
            return GP_YIELD; /* called again when there is room */
        }
        for (const struct entry *e = j->buckets[j->end_bucket]; e; e = e->next) {
            const struct side *alone = !e->side[0] ? e->side[1] : !e->side[1] ? e->side[0] : NULL;
            for (; alone; alone = alone->next) {
                if (emit_alone(out, e, alone) != GP_OK) {
                    return GP_FAIL;
                }
            }
        }
    }
    return GP_OK;
}

static void side_free(struct side *s)
{
    while (s) {
        struct side *next = s->next;
        free(s);
        s = next;
    }
}

static void join_clear(struct join *j)
{
    for (size_t i = 0; i < j->bucket_count; i++) {
        struct entry *e = j->buckets[i];
        while (e) {
            struct entry *next = e->next;
            side_free(e->side[0]);
            side_free(e->side[1]);
            free(e);
            e = next;
        }
        j->buckets[i] = NULL;
    }
    j->entry_count = 0;
}

static void join_close(void *self, uint32_t ended)
{
    struct join *j = self;

    (void)ended;
    join_clear(j);
    free(j->buckets);
    free(j);
}

/* ---- its state: an entry for each line; the name is the side, the bytes are hash, key, line ---- */

struct saved {
    uint64_t hash;
    uint32_t key_len;
    uint32_t line_len;
};

static int32_t save_line(struct gp_snapshot *snapshot, const struct entry *e, uint32_t port,
                         const struct side *s)
{
    struct saved head = {e->hash, e->key_len, s->len};
    size_t len = sizeof head + e->key_len + s->len;
    char *bytes = malloc(len);
    int32_t rc = GP_FAIL;

    if (bytes) {
        memcpy(bytes, &head, sizeof head);
        memcpy(bytes + sizeof head, e->key, e->key_len);
        memcpy(bytes + sizeof head + e->key_len, s->text, s->len);
        rc = snapshot->put(snapshot, gp_key_group(e->hash), gp_str_of(port == 0 ? "left" : "right"),
                           gp_bytes_of(bytes, len));
    }
    free(bytes);
    return rc;
}

static int32_t join_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct join *j = self;

    for (size_t i = 0; i < j->bucket_count; i++) {
        for (const struct entry *e = j->buckets[i]; e; e = e->next) {
            for (uint32_t port = 0; port < 2; port++) {
                for (const struct side *s = e->side[port]; s; s = s->next) {
                    if (save_line(snapshot, e, port, s) != GP_OK) {
                        return gp_fail(j->task, "cannot save the lines");
                    }
                }
            }
        }
    }
    return GP_OK;
}

static int32_t join_restore(void *self, struct gp_restore *restore)
{
    struct join *j = self;
    struct gp_entry_view view = {.size = sizeof view};
    int32_t rc;

    join_clear(j);
    while ((rc = restore->next(restore, &view)) > 0) {
        const char *bytes = view.bytes.ptr;
        struct saved head;
        struct entry *e;
        uint32_t port = view.name.len == strlen("left") ? 0 : 1;
        if (view.bytes.len < sizeof head) {
            return gp_fail(j->task, "a saved line is damaged");
        }
        memcpy(&head, bytes, sizeof head);
        if (view.bytes.len != sizeof head + (uint64_t)head.key_len + head.line_len) {
            return gp_fail(j->task, "a saved line is damaged");
        }
        e = join_find(j, head.hash, bytes + sizeof head, head.key_len);
        if (!e || entry_add(e, port, bytes + sizeof head + head.key_len, head.line_len) < 0) {
            return gp_fail(j->task, "no memory for the lines");
        }
    }
    return rc < 0 ? GP_FAIL : GP_OK;
}

static const struct gp_processor join = {.size = sizeof join,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "join",
                                         .flags = GP_PROCESSOR_STATEFUL,
                                         .open = join_open,
                                         .process = join_process,
                                         .on_end = join_on_end,
                                         .snapshot = join_snapshot,
                                         .restore = join_restore,
                                         .close = join_close};

/* ---- the job ---- */

static gp_node add_file(const struct gp_build *b, const char *name, const char *type)
{
    const char *path = gp_config_text(b->config, name, NULL);
    gp_node node = gp_add_plugin(b, name, "file", type, 1);

    if (path) {
        gp_set(b, node, "path", path);
    } else {
        char text[64];
        (void)snprintf(text, sizeof text, "%s is missing: --set %s=PATH", name, name);
        gp_mistake(b, text);
    }
    return node;
}

static int32_t build(const struct gp_build *b)
{
    gp_node left = add_file(b, "left", "source");
    gp_node right = add_file(b, "right", "source");
    gp_node left_key = gp_add(b, "left-key", &key, 1);
    gp_node right_key = gp_add(b, "right-key", &key, 1);
    gp_node joins = gp_add(b, "join", &join, 2);
    gp_node joined = add_file(b, "joined", "sink");
    gp_node alone = add_file(b, "alone", "sink");

    gp_connect(b, left, left_key, GP_FORWARD);
    gp_connect(b, right, right_key, GP_FORWARD);
    gp_connect_ports(b, left_key, 0, joins, 0, GP_HASH);
    gp_connect_ports(b, right_key, 0, joins, 1, GP_HASH);
    gp_connect_ports(b, joins, JOINED, joined, 0, GP_SHUFFLE);
    gp_connect_ports(b, joins, ALONE, alone, 0, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("join", "1.0.0", build, &key, &join)
