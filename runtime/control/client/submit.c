/*
 * submit.c: from a file to an application.
 *
 *     HASHING -> OFFERING -> UPLOADING -> SUBMITTING -> done         any -> done, with an error
 *
 * The file is read twice, a slice a turn: what else is on this loop is not held up, and none of it
 * stays in memory. Chunks go out one after the other, the next when the
 * master has the last one: a chunk is large enough that the round trip does not matter. When the
 * connection breaks in the middle, or another master leads, or the leader finds too few others to
 * keep the file, the offer is made again after a short wait: who leads then may have to begin anew.
 * After the client's time limit for one answer the latest reason is told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/artefacts.h"
#include "control/client/internal.h"
#include "control/file_hash.h"
#include "control/limits.h"
#include "wire/artefact.h"

#define AGAIN_MIN_NS 50000000
#define AGAIN_MAX_NS 1000000000

struct upload_job {
    struct client *client;
    struct client_submit submit;
    struct file_hash file;
    uint64_t size;
    char sha256[SHA256_HEX_SIZE];
    char request_id[MSG_REQUEST_ID_MAX + 1];
    uint64_t upload;
    uint64_t sent;
    struct timer *again; /* the next slice, or the next offer */
    bool is_hashed;
    int64_t wait_ns;
    int64_t give_up_ns; /* 0: nothing has failed yet */
};

void upload_free(struct upload_job *job)
{
    if (job) {
        timer_free(job->again);
        file_hash_close(&job->file);
        free(job);
    }
}

static void finish(struct upload_job *job, int code, const void *msg, const struct gp_error *err)
{
    client_fn fn = job->submit.fn;
    void *user = job->submit.user;

    job->client->upload = NULL;
    upload_free(job);
    fn(user, code, msg, err);
}

static void fail(struct upload_job *job, int code)
{
    struct gp_error err;

    (void)gp_error_set(&err, code, "submitting %s: %s", job->submit.path, error_sentence(code));
    finish(job, code, NULL, &err);
}

/* For what may pass: tells it when it has lasted too long. */
static void offer_again(struct upload_job *job, int code, const struct gp_error *err)
{
    int64_t now_ns = loop_now_ns(job->client->port->loop);

    job->give_up_ns = job->give_up_ns ? job->give_up_ns : now_ns + job->client->timeout_ns;
    job->wait_ns = job->wait_ns ? 2 * job->wait_ns : AGAIN_MIN_NS;
    job->wait_ns = job->wait_ns < AGAIN_MAX_NS ? job->wait_ns : AGAIN_MAX_NS;
    if (now_ns >= job->give_up_ns) {
        finish(job, code, NULL, err);
    } else {
        timer_start(job->again, job->wait_ns);
    }
}

/* A master says that it reaches too few others; at first contact it is we who reach nobody. */
static bool is_alone(const struct upload_job *job, int code)
{
    return code == GP_EUNREACH && job->client->was_up;
}

/* Another master may have come to lead since the offer, which has not got the file. */
static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct upload_job *job = user;

    if (code == GP_ENOENT || is_alone(job, code)) {
        offer_again(job, code, err);
    } else {
        finish(job, code, msg, err);
    }
}

static void submit_now(struct upload_job *job)
{
    struct msg_app_submit spec = job->submit.spec;
    int rc;

    spec.sha256 = job->sha256;
    spec.request_id = job->request_id;
    rc = client_ask(job->client, MSG_APP_SUBMIT, &spec, on_submitted, job);
    if (rc < 0) {
        fail(job, rc);
    }
}

static void progress(const struct upload_job *job)
{
    if (job->submit.on_progress) {
        job->submit.on_progress(job->submit.user, job->sent, job->size);
    }
}

static void on_chunk(void *user, int code, const void *msg, const struct gp_error *err);

static int send_chunk(struct upload_job *job)
{
    const struct port *port = job->client->port;
    struct artefact_chunk chunk = {.upload = job->upload, .offset = job->sent};
    struct buf block = {0};
    struct buf payload = {0};
    void *space;
    int64_t n = buf_reserve(&block, CHUNK_BYTES, &space);

    if (n >= 0) {
        n = port->fs->read_at(port->world, job->file.file, job->sent, space, CHUNK_BYTES);
        n = n == 0 ? GP_ECHECKSUM : n; /* it was cut meanwhile */
    }
    if (n > 0) {
        chunk.bytes = gp_bytes_of(space, (size_t)n);
        n = artefact_chunk_encode(&chunk, &payload);
    }
    if (n >= 0) {
        n = client_ask_bytes(job->client, MSG_ARTEFACT_CHUNK, buf_bytes(&payload), on_chunk, job);
    }
    buf_deinit(&block);
    buf_deinit(&payload);
    return (int)n;
}

/* The connection broke, or the master leads no more, or it has forgotten the upload. */
static bool is_lost(int code)
{
    return code == GP_ECLOSED || code == GP_EIO || code == GP_ETIMEOUT || code == GP_ENOTLEADER ||
           code == GP_ENOENT;
}

static void on_chunk(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct upload_job *job = user;
    const struct msg_artefact_received *received = msg;
    int rc;

    if (is_lost(code) || is_alone(job, code)) {
        offer_again(job, code, err);
        return;
    }
    if (code < 0) {
        finish(job, code, NULL, err);
        return;
    }
    job->sent = received->received;
    progress(job);
    if (job->sent >= job->size) {
        submit_now(job);
        return;
    }
    rc = send_chunk(job);
    if (rc < 0) {
        fail(job, rc);
    }
}

static void on_offered(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct upload_job *job = user;
    const struct msg_artefact_place *place = msg;
    int rc;

    if (is_alone(job, code)) {
        offer_again(job, code, err);
        return;
    }
    if (code < 0) {
        finish(job, code, NULL, err);
        return;
    }
    if (place->have) {
        job->sent = job->size;
        progress(job);
        submit_now(job);
        return;
    }
    job->upload = place->upload;
    job->sent = place->offset < job->size ? place->offset : 0;
    progress(job);
    rc = send_chunk(job);
    if (rc < 0) {
        fail(job, rc);
    }
}

static int offer(struct upload_job *job)
{
    struct msg_artefact_offer msg = {
        .sha256 = job->sha256, .size = job->size, .request_id = job->request_id};

    return client_ask(job->client, MSG_ARTEFACT_OFFER, &msg, on_offered, job);
}

/* ---- the file ---- */

/* The next slice, or the end: then it is offered. */
static int hash_more(struct upload_job *job, struct gp_error *err)
{
    const char *wanted = job->submit.spec.sha256;
    int rc = file_hash_step(&job->file, err);

    if (rc >= 0 && job->file.size > ARTEFACT_SIZE_MAX_BYTES) {
        rc = gp_error_set(err, GP_ETOOBIG, "more than %u bytes", ARTEFACT_SIZE_MAX_BYTES);
    }
    if (rc > 0) {
        timer_start(job->again, 0);
    }
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    job->is_hashed = true;
    job->size = job->file.size;
    file_hash_final(&job->file, job->sha256);
    if (job->size == 0) {
        return gp_error_set(err, GP_EABI, "%s is empty", job->submit.path);
    }
    if (wanted && *wanted && strcmp(wanted, job->sha256) != 0) {
        rc = gp_error_set(err, GP_EINVAL, "its sha256 is %s, not %s as announced", job->sha256,
                          wanted);
        gp_error_hint(err, "sha256sum FILE says the right one; send it again");
        return rc;
    }
    rc = offer(job);
    return rc < 0 ? gp_error_set(err, rc, "%s", error_sentence(rc)) : 0;
}

static void on_timer(void *user)
{
    struct upload_job *job = user;
    struct gp_error err = {0};
    int rc = job->is_hashed ? offer(job) : hash_more(job, &err);

    if (rc < 0 && err.code < 0) {
        gp_error_prefix(&err, "submitting %s", job->submit.path);
        finish(job, rc, NULL, &err);
    } else if (rc < 0) {
        fail(job, rc);
    }
}

int client_submit(struct client *c, const struct client_submit *submit, struct gp_error *err)
{
    struct upload_job *job = calloc(1, sizeof *job);
    uint8_t id[16];
    int rc;

    ASSERT(!c->upload);
    if (!job) {
        return gp_error_set(err, GP_ENOMEM, "submitting %s", submit->path);
    }
    job->client = c;
    job->submit = *submit;
    if (submit->spec.request_id && *submit->spec.request_id) {
        rc = str_format(job->request_id, sizeof job->request_id, "%s", submit->spec.request_id);
        rc = rc < 0 ? gp_error_set(err, GP_EINVAL, "the request id is too long") : 0;
    } else {
        port_random(c->port, id, sizeof id);
        hex_encode(id, sizeof id, job->request_id);
        rc = 0;
    }
    if (rc == 0 && timer_new(c->port->loop, on_timer, job, &job->again) < 0) {
        rc = gp_error_set(err, GP_ENOMEM, "submitting %s", submit->path);
    }
    rc = rc < 0 ? rc : file_hash_open(&job->file, c->port, submit->path, err);
    rc = rc < 0 ? rc : hash_more(job, err);
    if (rc < 0) {
        upload_free(job);
        return rc;
    }
    c->upload = job;
    return 0;
}
