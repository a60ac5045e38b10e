/*
 * api_submit.c: POST /api/v1/apps: the body is the shared object.
 *
 *     body -> a file of this daemon, piece by piece -> the client offers and uploads it -> id
 *
 * What an artefact is called is the hash of all of it, so it is on disk before the leader hears of
 * it. The client then reads it slice by slice: what else is on this loop goes on. The file goes
 * with the call, and what an earlier life left goes at the start (api_new()). Ends with GP_ETOOBIG
 * at a body that grows too large, with what is wrong with the file, or with what the leader says.
 */
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/job_spec.h"
#include "app/show.h"
#include "base/str.h"

#define NAME_NS INT64_C(10000000000)

struct submitting {
    struct client *client;
    struct file *file;
    char path[EDGE_PATH_MAX + 64];
    uint64_t size;
    uint32_t id;         /* of the application */
    struct gp_error err; /* of writing; the rest of the body is thrown away */
    struct msg_app_submit spec;
};

static void submit_free(struct api_call *call)
{
    struct submitting *s = call->state;
    const struct port *port = api_port(call->api);

    if (!s) {
        return;
    }
    client_free(s->client);
    port->fs->close(port->world, s->file);
    if (*s->path) {
        (void)port->fs->remove(port->world, s->path, NULL); /* else at the next start */
    }
    fields_deinit(&msg_app_submit_fields, &s->spec);
    free(s);
}

/* ---- parameters ---- */

static int read_lists(const struct api_params *p, struct msg_app_submit *spec, struct gp_error *err)
{
    const struct job_texts set = {"set ", (const char *const *)p->set, p->set_count};
    const struct job_texts parallelism = {"parallelism ", (const char *const *)p->parallelism,
                                          p->parallelism_count};
    const struct job_texts place = {"place ", (const char *const *)p->place, p->place_count};
    int rc = job_spec_config(spec, &set, err);

    rc = rc < 0 ? rc : job_spec_parallelism(spec, &parallelism, err);
    return rc < 0 ? rc : job_spec_places(spec, &place, err);
}

/* ---- the file is here ---- */

/* Nobody said how it is called: the plugin did. */
static void on_named(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    const struct submitting *s = call->state;
    const struct msg_app_change *change = msg;

    (void)err; /* it was submitted all the same */
    api_answer_take(call, show_submitted(s->id, code < 0 ? "" : change->app.name));
    api_asked(call);
}

static int ask_name(struct api_call *call)
{
    const struct submitting *s = call->state;
    char id[16];
    const struct msg_app_wait ask = {.app = id};

    (void)str_format(id, sizeof id, "%u", s->id);
    return api_ask(call, MSG_APP_WAIT, &ask, NAME_NS, on_named);
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct submitting *s = call->state;

    if (code < 0) {
        api_fail(call, err);
        return;
    }
    s->id = ((const struct msg_app_submitted *)msg)->id;
    if (*s->spec.name || ask_name(call) < 0) {
        api_answer_take(call, show_submitted(s->id, s->spec.name));
    }
}

static void on_body_end(struct api_call *call)
{
    struct submitting *s = call->state;
    const struct port *port = api_port(call->api);
    const struct client_submit submit = {
        .path = s->path, .spec = s->spec, .fn = on_submitted, .user = call};

    port->fs->close(port->world, s->file);
    s->file = NULL;
    if (s->err.code == 0 && s->size == 0) {
        (void)gp_error_set(&s->err, GP_EINVAL, "the body is empty: it is the shared object");
        gp_error_hint(&s->err, "curl --data-binary @app.so");
    }
    if (s->err.code < 0 || api_client_new(call->api, &s->client, &s->err) < 0 ||
        client_submit(s->client, &submit, &s->err) < 0) {
        api_fail(call, &s->err);
    }
}

static size_t on_body(struct api_call *call, gp_bytes piece)
{
    struct submitting *s = call->state;
    const struct port *port = api_port(call->api);
    int rc;

    if (s->err.code < 0) {
        return piece.len;
    }
    if (s->size + piece.len > api_config(call->api)->limits.upload_bytes) {
        (void)gp_error_set(&s->err, GP_ETOOBIG, "more than limits.upload_bytes");
        api_fail(call, &s->err);
        return piece.len;
    }
    rc = port->fs->write_at(port->world, s->file, s->size, piece.ptr, piece.len);
    if (rc < 0) {
        (void)gp_error_set(&s->err, rc, "%s: %s", s->path, error_sentence(rc));
        api_fail(call, &s->err);
        return piece.len;
    }
    s->size += piece.len;
    return piece.len;
}

/* ---- the head is here ---- */

static int open_file(struct api_call *call, struct submitting *s, struct gp_error *err)
{
    const struct port *port = api_port(call->api);
    int rc = port->fs->make_dirs(port->world, api_folder(call->api), 0700, err);

    if (rc == 0 && str_format(s->path, sizeof s->path, "%s/%llu", api_folder(call->api),
                              (unsigned long long)api_next(call->api)) < 0) {
        rc = gp_error_set(err, GP_EINVAL, "the path of the upload is too long");
    }
    return rc < 0
               ? rc
               : port->fs->open(port->world, s->path, FS_WRITE | FS_TRUNCATE, 0600, &s->file, err);
}

int api_submit(struct api_call *call, struct gp_error *err)
{
    struct submitting *s = calloc(1, sizeof *s);
    int rc;

    if (!s) {
        return GP_ENOMEM;
    }
    call->state = s;
    call->state_free = submit_free;
    call->on_body = on_body;
    call->on_body_end = on_body_end;
    s->spec.executors = call->params.executors;
    s->spec.name = call->params.name;
    s->spec.request_id = call->params.request_id;
    s->spec.sha256 = call->params.sha256;
    call->params.name = NULL;
    call->params.request_id = NULL;
    call->params.sha256 = NULL;
    s->spec.priority = call->params.priority;
    s->spec.no_wait = call->params.no_wait;
    rc = read_lists(&call->params, &s->spec, err);
    rc = rc < 0 ? rc : open_file(call, s, err);
    if (rc < 0) {
        call->on_body = NULL;
        call->on_body_end = NULL;
    }
    return rc;
}
