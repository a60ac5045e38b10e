/*
 * registry_codec.c: see registry_codec.h.
 *
 * Reading a registry builds a new one beside the old, which it replaces only when all held: ids
 * ascend and lie below the counters, live names are unique, a tree follows its application, nothing
 * is left over.
 */
#include "control/master/registry_codec.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/reader.h"
#include "base/str.h"
#include "control/limits.h"

#define FORMAT 1u
#define PARTS_MAX                                                                                  \
    (REGISTRY_MARKS_MAX + 4 * (APPS_LIVE_MAX + APPS_ENDED_MAX + 1)) /* and their trees */

#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL

#define MARK_NAME_MAX 64u /* as in worker.register */

/* ---- commands ---- */

/* As a command travels. */
struct record {
    uint32_t op;
    int64_t wall_ms;
    uint64_t proposer;
    uint64_t serial;
    uint32_t app;
    uint32_t epoch;
    struct value *submit;
    char *token;
    struct value *tree;
    uint32_t state;
    bool has_error;
    char *error;
    uint32_t executors;
    uint32_t tasks;
    uint32_t worker;
    char *name;
    bool force;
    bool undo;
    bool is_restart;
    struct msg_restart *restarts;
    uint32_t restarts_count;
    int64_t pid;
};

static const char *const op_names[] = {"submit", "epoch",  "plan",  "state", "placement",
                                       "kill",   "worker", "drain", NULL};

static const struct field record_items[] = {
    FIELD_ENUM(struct record, op, MUST, op_names, "what to do"),
    FIELD_I64(struct record, wall_ms, MUST, "when, since 1970"),
    FIELD_U64(struct record, proposer, MAY, "who said so"),
    FIELD_U64(struct record, serial, MAY, "which of its proposals"),
    COUNT(struct record, app, MAY, 0, "to which application"),
    COUNT(struct record, epoch, MAY, 0, "in which life of its appmaster"),
    FIELD_TREE(struct record, submit, MAY, "a new application"),
    FIELD_TEXT(struct record, token, MAY | FIELD_SECRET, REGISTRY_TOKEN_SIZE - 1, "its key"),
    FIELD_TREE(struct record, tree, MAY, "plan, placement or last words"),
    FIELD_ENUM(struct record, state, MAY, app_state_names, "what it becomes"),
    FIELD_BOOL(struct record, has_error, MAY, "whether error replaces the one before"),
    FIELD_TEXT(struct record, error, MAY, MSG_ERROR_MAX, "why"),
    COUNT(struct record, executors, MAY, 0, "executor processes"),
    COUNT(struct record, tasks, MAY, 0, "tasks"),
    COUNT(struct record, worker, MAY, 0, "of its appmaster, that is drained, or that it was"),
    FIELD_TEXT(struct record, name, MAY, MARK_NAME_MAX, "of the worker"),
    FIELD_BOOL(struct record, force, MAY, "the worker is drained whatever is lost"),
    FIELD_BOOL(struct record, undo, MAY, "the worker serves again"),
    FIELD_BOOL(struct record, is_restart, MAY, "it is drawn from the budget"),
    FIELD_LIST(struct record, restarts, MAY, MSG_RESTARTS_MAX, &msg_restart_fields,
               "drawn from the budget, the oldest first"),
    FIELD_I64(struct record, pid, MAY, "of its appmaster"),
};
static const struct fields record_fields = FIELDS("command", struct record, record_items);

int command_encode(const struct command *command, struct buf *out)
{
    /* The table reads and does not write; it owns only what it decoded. */
    struct record record = {
        .op = command->op,
        .wall_ms = command->wall_ms,
        .proposer = command->proposer,
        .serial = command->serial,
        .app = command->app,
        .epoch = command->epoch,
        .token = (char *)(uintptr_t)command->token,
        .tree = (struct value *)(uintptr_t)command->tree,
        .state = command->state,
        .has_error = command->error != NULL,
        .error = (char *)(uintptr_t)command->error,
        .executors = command->executors,
        .tasks = command->tasks,
        .worker = command->worker,
        .name = (char *)(uintptr_t)command->name,
        .force = command->force,
        .undo = command->undo,
        .is_restart = command->is_restart,
        .restarts = (struct msg_restart *)(uintptr_t)command->restarts,
        .restarts_count = command->restarts_count,
        .pid = command->pid,
    };
    int rc = 0;

    if (command->op == COMMAND_SUBMIT) {
        rc = fields_encode(&msg_app_submit_fields, command->submit, &record.submit);
    }
    if (rc >= 0) {
        rc = fields_print_json(&record_fields, &record, out);
    }
    value_free(record.submit);
    return rc;
}

/* What its operation needs is there. */
static int record_check(const struct record *record, struct gp_error *err)
{
    bool needs_tree = record->op == COMMAND_PLAN || record->op == COMMAND_PLACEMENT;

    if (record->op == COMMAND_SUBMIT && (!record->submit || !record->token[0])) {
        return gp_error_set(err, GP_EPROTO, "a submit without its application");
    }
    if (needs_tree && !record->tree) {
        return gp_error_set(err, GP_EPROTO, "a %s without its tree", op_names[record->op]);
    }
    return 0;
}

int command_decode(const struct port *port, gp_bytes bytes, struct command_box *ret,
                   struct gp_error *err)
{
    gp_str text = {(const char *)bytes.ptr, bytes.len};
    struct msg_app_submit submit = {0};
    struct record record;
    struct value *tree;
    int rc = port_json_parse(port, text, &tree, err);

    if (rc < 0) {
        return rc;
    }
    rc = fields_decode(&record_fields, tree, &record, err);
    value_free(tree);
    if (rc < 0) {
        return rc;
    }
    rc = record_check(&record, err);
    if (rc >= 0 && record.op == COMMAND_SUBMIT) {
        rc = fields_decode(&msg_app_submit_fields, record.submit, &submit, err);
    }
    if (rc < 0) {
        fields_deinit(&record_fields, &record);
        return rc;
    }
    *ret = (struct command_box){.submit = submit,
                                .token = record.token,
                                .error = record.error,
                                .name = record.name,
                                .restarts = record.restarts,
                                .tree = record.tree};
    ret->command = (struct command){.op = record.op,
                                    .wall_ms = record.wall_ms,
                                    .proposer = record.proposer,
                                    .serial = record.serial,
                                    .app = record.app,
                                    .epoch = record.epoch,
                                    .submit = &ret->submit,
                                    .token = record.token,
                                    .tree = record.tree,
                                    .state = record.state,
                                    .error = record.has_error ? record.error : NULL,
                                    .executors = record.executors,
                                    .tasks = record.tasks,
                                    .worker = record.worker,
                                    .name = record.name,
                                    .force = record.force,
                                    .undo = record.undo,
                                    .is_restart = record.is_restart,
                                    .restarts = record.restarts,
                                    .restarts_count = record.restarts_count,
                                    .pid = record.pid,
                                    .bytes = bytes.len};
    value_free(record.submit);
    return 0;
}

void command_box_deinit(struct command_box *box)
{
    fields_deinit(&msg_app_submit_fields, &box->submit);
    if (box->token) {
        secret_wipe(box->token, strlen(box->token));
    }
    free(box->token);
    free(box->error);
    free(box->name);
    free(box->restarts);
    value_free(box->tree);
    *box = (struct command_box){0};
}

/* ---- applications ---- */

static const struct field app_items[] = {
    COUNT(struct app, id, MUST, 0, "of the application"),
    COUNT(struct app, epoch, MAY, 0, "lives of its appmaster"),
    FIELD_ENUM(struct app, state, MUST, app_state_names, "where it is in its life"),
    FIELD_U64(struct app, version, MUST, "changes of it so far"),
    FIELD_I64(struct app, submitted_ms, MAY, "since 1970"),
    FIELD_I64(struct app, started_ms, MAY, "since 1970; 0: not yet"),
    FIELD_I64(struct app, finished_ms, MAY, "since 1970; 0: not yet"),
    FIELD_OBJECT(struct app, spec, &msg_app_submit_fields, "as submitted"),
    FIELD_TEXT(struct app, token, MUST | FIELD_SECRET, REGISTRY_TOKEN_SIZE - 1, "its key"),
    FIELD_TEXT(struct app, error, MAY, MSG_ERROR_MAX, "why it failed or waits"),
    COUNT(struct app, executors, MAY, 0, "executor processes"),
    COUNT(struct app, tasks, MAY, 0, "tasks"),
    COUNT(struct app, worker, MAY, 0, "of its appmaster"),
    FIELD_I64(struct app, pid, MAY, "of its last appmaster"),
    FIELD_BOOL(struct app, is_stopping, MAY, "somebody killed it"),
    FIELD_LIST(struct app, restarts, MAY, MSG_RESTARTS_MAX, &msg_restart_fields,
               "drawn from its budget, the oldest first"),
    FIELD_U64(struct app, bytes, MAY, "of all that it came from"),
    FIELD_U64(struct app, plan_bytes, MAY, "of these, its plan"),
    FIELD_U64(struct app, placement_bytes, MAY, "and its placement"),
};
const struct fields app_fields = FIELDS("application", struct app, app_items);

/* ---- a whole registry ---- */

enum part {
    PART_HEADER = 'H',
    PART_MARK = 'D', /* of a drained worker */
    PART_APP = 'A',
    PART_PLAN = 'P',      /* of the application before, as those below */
    PART_PLACEMENT = 'E', /* executors */
    PART_LIVE = 'L',
};

struct header {
    uint32_t format;
    uint32_t next_id;
    uint32_t next_worker;
    uint64_t marked;
    uint32_t parts;
};

static const struct field header_items[] = {
    COUNT(struct header, format, MUST, 0, "of what follows"),
    COUNT(struct header, next_id, MUST, 0, "of applications"),
    COUNT(struct header, next_worker, MUST, 0, "of workers"),
    FIELD_U64(struct header, marked, MAY, "changes of their marks"),
    COUNT(struct header, parts, MUST, PARTS_MAX, "records that follow"),
};
static const struct fields header_fields = FIELDS("registry", struct header, header_items);

static const struct field mark_items[] = {
    COUNT(struct drain_mark, worker, MUST, 0, "that is drained"),
    FIELD_BOOL(struct drain_mark, force, MAY, "whatever is lost"),
    FIELD_TEXT(struct drain_mark, name, MAY, MARK_NAME_MAX, "of the worker"),
};
static const struct fields mark_fields = FIELDS("mark", struct drain_mark, mark_items);

/* Room for kind and length; part_end() fills them in. */
static int part_begin(struct buf *out, enum part kind, size_t *ret_at)
{
    int rc = buf_append_u8(out, (uint8_t)kind);

    *ret_at = buf_len(out);
    return rc < 0 ? rc : buf_append_u32(out, 0);
}

static void part_end(struct buf *out, size_t at)
{
    uint32_t len = (uint32_t)(buf_len(out) - at - sizeof len);

    put_u32_le((unsigned char *)(uintptr_t)buf_bytes(out).ptr + at, len);
}

static int save_struct(enum part kind, const struct fields *table, const void *from,
                       struct buf *out)
{
    size_t at;
    int rc = part_begin(out, kind, &at);

    if (rc >= 0) {
        rc = fields_print_json(table, from, out);
    }
    if (rc >= 0) {
        part_end(out, at);
    }
    return rc;
}

static int save_tree(enum part kind, const struct value *tree, struct buf *out)
{
    size_t at;
    int rc;

    if (!tree) {
        return 0;
    }
    rc = part_begin(out, kind, &at);
    if (rc >= 0) {
        rc = value_print_json(tree, out, VALUE_COMPACT);
    }
    if (rc >= 0) {
        part_end(out, at);
    }
    return rc;
}

int registry_save(const struct registry *r, struct buf *out)
{
    struct header header = {FORMAT, r->next_id, r->next_worker, r->marked,
                            r->marks_count + r->count};
    size_t before = buf_len(out);
    int rc;

    for (uint32_t i = 0; i < r->count; i++) {
        const struct app *app = r->apps[i];

        header.parts += app->plan ? 1 : 0;
        header.parts += app->placement ? 1 : 0;
        header.parts += app->live ? 1 : 0;
    }
    rc = save_struct(PART_HEADER, &header_fields, &header, out);
    for (uint32_t i = 0; rc >= 0 && i < r->marks_count; i++) {
        rc = save_struct(PART_MARK, &mark_fields, &r->marks[i], out);
    }
    for (uint32_t i = 0; rc >= 0 && i < r->count; i++) {
        const struct app *app = r->apps[i];

        rc = save_struct(PART_APP, &app_fields, app, out);
        if (rc >= 0) {
            rc = save_tree(PART_PLAN, app->plan, out);
        }
        if (rc >= 0) {
            rc = save_tree(PART_PLACEMENT, app->placement, out);
        }
        if (rc >= 0) {
            rc = save_tree(PART_LIVE, app->live, out);
        }
    }
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}

/* One record; its tree is the caller's. */
static int part_read(const struct port *port, struct reader *in, uint8_t *ret_kind,
                     struct value **ret, struct gp_error *err)
{
    uint32_t len;
    gp_bytes bytes;

    *ret_kind = reader_u8(in);
    len = reader_u32(in);
    bytes = reader_bytes(in, len);
    if (reader_status(in) < 0) {
        return gp_error_set(err, GP_EPROTO, "it ends within a record");
    }
    return port_json_parse(port, (gp_str){(const char *)bytes.ptr, bytes.len}, ret, err);
}

static int app_check(const struct registry *r, const struct app *app, const struct header *header,
                     struct gp_error *err)
{
    const struct app *last = r->count ? r->apps[r->count - 1] : NULL;
    struct app *same = NULL;

    if (app->id == 0 || app->id >= header->next_id || (last && app->id <= last->id)) {
        return gp_error_set(err, GP_EPROTO, "application %u stands where it cannot", app->id);
    }
    if (!app_state_is_end(app->state) &&
        (same = registry_live(r, gp_str_of(app->spec.name))) != NULL) {
        return gp_error_set(err, GP_EPROTO, "applications %u and %u are both called '%s'", same->id,
                            app->id, app->spec.name);
    }
    if (app->bytes > REGISTRY_BYTES_MAX || app->plan_bytes > app->bytes ||
        app->placement_bytes > app->bytes - app->plan_bytes) {
        return gp_error_set(err, GP_EPROTO, "application %u has %llu bytes", app->id,
                            (unsigned long long)app->bytes);
    }
    return 0;
}

static int load_app(struct registry *r, const struct value *tree, const struct header *header,
                    struct gp_error *err)
{
    struct app *app = calloc(1, sizeof *app);
    int rc = app ? fields_decode(&app_fields, tree, app, err)
                 : gp_error_set(err, GP_ENOMEM, "reading an application");

    if (rc >= 0) {
        rc = app_check(r, app, header, err);
    }
    if (rc >= 0) {
        rc = registry_add_take(r, app);
        rc = rc == GP_EEXIST ? GP_EPROTO : rc;
        if (rc < 0) {
            (void)gp_error_set(err, rc, "application %u: %s", app->id, error_sentence(rc));
        }
    }
    if (rc < 0) {
        app_free(app);
    }
    return rc;
}

static int load_mark(struct registry *r, const struct value *tree, struct gp_error *err)
{
    struct drain_mark mark;
    int rc = fields_decode(&mark_fields, tree, &mark, err);

    if (rc < 0) {
        return rc;
    }
    if (mark.worker == 0 || mark.worker >= r->next_worker || registry_mark(r, mark.worker)) {
        rc = gp_error_set(err, GP_EPROTO, "worker %u cannot be drained", mark.worker);
    } else {
        rc = registry_add_mark(r, mark.worker, mark.name, mark.force);
        rc = rc == GP_EFULL ? gp_error_set(err, GP_EPROTO, "too many workers are drained")
             : rc < 0       ? gp_error_set(err, rc, "reading which workers are drained")
                            : 0;
    }
    fields_deinit(&mark_fields, &mark);
    return rc;
}

/* Takes the tree, if it has a place. */
static int load_tree(struct registry *r, uint8_t kind, struct value **tree, struct gp_error *err)
{
    struct app *app = r->count ? r->apps[r->count - 1] : NULL;
    struct value **place = NULL;

    if (app) {
        place = kind == PART_PLAN        ? &app->plan
                : kind == PART_PLACEMENT ? &app->placement
                : kind == PART_LIVE      ? &app->live
                                         : NULL;
    }
    if (!place || *place) {
        return gp_error_set(err, GP_EPROTO, "a record of kind %u where none can be", kind);
    }
    *place = *tree;
    *tree = NULL;
    return 0;
}

static int load_header(const struct port *port, struct reader *in, struct header *ret,
                       struct gp_error *err)
{
    struct value *tree = NULL;
    uint8_t kind;
    int rc = part_read(port, in, &kind, &tree, err);

    if (rc >= 0 && kind != PART_HEADER) {
        rc = gp_error_set(err, GP_EPROTO, "it does not begin with a header");
    }
    if (rc >= 0) {
        rc = fields_decode(&header_fields, tree, ret, err);
    }
    if (rc >= 0 && ret->format != FORMAT) {
        rc = gp_error_set(err, GP_EVERSION, "its format is %u, this program knows %u", ret->format,
                          FORMAT);
    }
    value_free(tree);
    return rc;
}

static int load_all(struct registry *r, const struct port *port, gp_bytes bytes,
                    struct gp_error *err)
{
    struct reader in = reader_of(bytes);
    struct header header;
    int rc = load_header(port, &in, &header, err);

    if (rc < 0) {
        return rc;
    }
    r->next_id = header.next_id;
    r->next_worker = header.next_worker;
    r->marked = header.marked;
    while (rc >= 0 && reader_left(&in) > 0) {
        struct value *tree = NULL;
        uint8_t kind;

        header.parts--; /* wraps when there are too many, and is not 0 in the end */
        rc = part_read(port, &in, &kind, &tree, err);
        if (rc >= 0) {
            rc = kind == PART_APP    ? load_app(r, tree, &header, err)
                 : kind == PART_MARK ? load_mark(r, tree, err)
                                     : load_tree(r, kind, &tree, err);
        }
        value_free(tree);
    }
    if (rc >= 0 && header.parts != 0) {
        rc = gp_error_set(err, GP_EPROTO, "it does not hold as many records as it says");
    }
    return rc;
}

int registry_load(struct registry *r, const struct port *port, gp_bytes bytes, struct gp_error *err)
{
    struct registry fresh;
    int rc;

    registry_init(&fresh, r->requests.seed);
    rc = load_all(&fresh, port, bytes, err);
    if (rc < 0) {
        registry_deinit(&fresh);
        gp_error_prefix(err, "reading a snapshot of the registry");
        return rc;
    }
    registry_deinit(r);
    *r = fresh;
    return 0;
}
