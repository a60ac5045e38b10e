/*
 * stage.c: see stage.h. A puppet lives as long as its process; its news are read by the test
 * between steps of the simulation.
 */
#include "stage.h"

#include "base/sha256.h"
#include "base/str.h"
#include "edge/json.h"
#include "gp_test.h"
#include "wire/artefact.h"

char *stage_sha(const char *text, char out[65])
{
    uint8_t digest[SHA256_SIZE];

    sha256(gp_bytes_of(text, strlen(text)), digest);
    hex_encode(digest, sizeof digest, out);
    return out;
}

/* ---- puppets ---- */

static void note_exit(struct puppet *p, const struct msg_process_exited *msg)
{
    GP_REQUIRE(p->exits < STAGE_NEWS);
    p->exited[p->exits] = *msg;
    (void)str_format(p->crashes[p->exits], sizeof p->crashes[0], "%s", msg->crash);
    p->exited[p->exits].crash = p->crashes[p->exits];
    p->exits++;
}

static int serve_artefact(struct puppet *p, const struct incoming *in, struct gp_error *err)
{
    const struct msg_artefact_get *get = in->msg;
    struct artefact_piece piece = {.offset = get->offset};
    struct buf out = {0};
    char sha[65];
    char lie[256];
    size_t left;
    int rc;

    p->pieces++;
    if (!p->content || strcmp(stage_sha(p->content, sha), get->sha256) != 0) {
        return gp_error_set(err, GP_ENOENT, "no artefact %s here", get->sha256);
    }
    (void)str_format(lie, sizeof lie, "%s", p->content);
    lie[0] = p->lie ? '!' : lie[0];
    piece.total = strlen(p->content);
    left = piece.total > get->offset ? piece.total - get->offset : 0;
    left = p->piece_max && left > p->piece_max ? p->piece_max : left;
    piece.bytes = gp_bytes_of(lie + get->offset, left < get->max ? left : get->max);
    GP_REQUIRE_EQ(artefact_piece_encode(&piece, &out), 0);
    rc = endpoint_reply_bytes(p->ep, in->token, buf_bytes(&out));
    buf_deinit(&out);
    return rc;
}

/* Takes any upload, and calls every application 7. */
static int serve_client(struct puppet *p, const struct incoming *in, struct gp_error *err)
{
    const struct msg_app_submit *submit = in->msg;
    const struct msg_artefact_place place = {.upload = 1};
    const struct msg_app_submitted submitted = {.id = 7};
    const struct msg_app_summary summary = {.id = 7};
    struct msg_artefact_received received;
    struct artefact_chunk chunk;

    switch (in->type) {
    case MSG_ARTEFACT_OFFER:
        p->offers++;
        p->uploaded = 0;
        return endpoint_reply(p->ep, in->token, &place);
    case MSG_ARTEFACT_CHUNK:
        GP_REQUIRE_EQ(artefact_chunk_decode(in->bytes, &chunk), 0);
        GP_CHECK_EQ(chunk.offset, p->uploaded);
        if (p->is_alone) {
            return gp_error_set(err, GP_EUNREACH, "only 1 of 3 masters could store it");
        }
        p->uploaded += chunk.bytes.len;
        received.received = p->uploaded;
        return endpoint_reply(p->ep, in->token, &received);
    case MSG_APP_SUBMIT:
        if (p->lacks_file && p->uploaded == 0) {
            return gp_error_set(err, GP_ENOENT, "upload it first");
        }
        p->submits++;
        (void)str_format(p->request_id, sizeof p->request_id, "%s", submit->request_id);
        return endpoint_reply(p->ep, in->token, &submitted);
    default:
        return endpoint_reply(p->ep, in->token, &summary);
    }
}

static int boss_message(struct puppet *p, struct peer *peer, struct incoming *in,
                        struct gp_error *err)
{
    const struct msg_worker_register *reg = in->msg;
    const struct msg_worker_report *report = in->msg;
    struct msg_worker_welcome welcome = {.cluster = (char *)(uintptr_t) "c1"};

    if (p->follows) {
        return gp_error_set(err, GP_ENOTLEADER, "another leads");
    }
    switch (in->type) {
    case MSG_WORKER_REGISTER:
        p->peer = peer;
        p->came_with = reg->id;
        p->registered++;
        welcome.id = reg->id ? reg->id : p->registered;
        welcome.term = p->term;
        p->kept_count = 0;
        for (uint32_t i = 0; i < reg->grants_count && i < STAGE_NEWS; i++) {
            p->kept[p->kept_count++] = reg->grants[i].slots;
        }
        return endpoint_reply(p->ep, in->token, &welcome);
    case MSG_WORKER_REPORT:
        p->reports++;
        p->reported = report->executors_count;
        p->slots_used = report->slots_used;
        return 0;
    case MSG_ARTEFACT_GET:
        return serve_artefact(p, in, err);
    case MSG_ARTEFACT_OFFER:
    case MSG_ARTEFACT_CHUNK:
    case MSG_APP_SUBMIT:
    case MSG_APP_KILL:
        return serve_client(p, in, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct puppet *p = user;

    if (in->type == MSG_PROCESS_EXITED) {
        note_exit(p, in->msg);
        return 0;
    }
    return strcmp(p->role, "boss") == 0 ? boss_message(p, peer, in, err) : GP_EUNSUPPORTED;
}

static void on_up(void *user, struct peer *peer)
{
    struct puppet *p = user;

    p->up = p->up || peer == p->peer;
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct puppet *p = user;

    (void)why;
    if (peer == p->peer) {
        p->up = false;
        p->peer = strcmp(p->role, "boss") == 0 ? NULL : p->peer;
    }
}

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    struct puppet *p = user;
    const char *text =
        str_eq(key, GP_STR(HELLO_KEY_CLUSTER)) ? STAGE_SECRET : port_env(p->port, LAUNCH_TOKEN_ENV);

    (void)role;
    (void)name;
    if (!text) {
        return gp_error_set(err, GP_EACCES, "no key here");
    }
    ret->len = strlen(text);
    memcpy(ret->bytes, text, ret->len);
    return 0;
}

static const struct endpoint_events puppet_events = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message, .key_find = key_find};

static void puppet_endpoint(struct puppet *p, enum role role, const char *name)
{
    const struct endpoint_config config = {
        .port = p->port, .role = role, .name = name, .events = &puppet_events, .user = p};

    GP_REQUIRE_EQ(endpoint_new(&config, &p->ep), 0);
}

static void puppet_dial(struct puppet *p, const char *address, const char *key)
{
    struct net_addr addr;
    const struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .key = key};

    (void)str_format(addr.text, sizeof addr.text, "%s", address);
    GP_REQUIRE_EQ(endpoint_dial(p->ep, &spec, &p->peer), 0);
}

static int become(struct puppet *p, const char *arg, struct gp_error *err)
{
    struct net_addr listen = {STAGE_MASTER};
    char name[32];
    int rc = 0;

    if (strcmp(p->role, "boss") == 0) {
        if (arg) {
            (void)str_format(listen.text, sizeof listen.text, "%s", arg);
        }
        puppet_endpoint(p, ROLE_MASTER, "master");
        GP_REQUIRE_EQ(endpoint_set_cluster(p->ep, "c1"), 0);
        rc = endpoint_listen(p->ep, &listen, NULL, err);
    } else if (strcmp(p->role, "person") == 0) {
        rc = 0;
    } else if (strcmp(p->role, "client") == 0) {
        puppet_endpoint(p, ROLE_CLIENT, "client");
        puppet_dial(p, arg, HELLO_KEY_CLUSTER);
    } else if (strcmp(p->role, "appmaster") == 0) {
        rc = launch_parse(p->port, &launch_appmaster_fields, arg, &p->appmaster, err);
        GP_REQUIRE_EQ(rc, 0);
        (void)str_format(name, sizeof name, "app/%u", p->appmaster.app);
        puppet_endpoint(p, ROLE_APPMASTER, name);
        puppet_dial(p, p->appmaster.worker, name);
    } else {
        rc = launch_parse(p->port, &launch_executor_fields, arg, &p->executor, err);
        GP_REQUIRE_EQ(rc, 0);
        LOG_INFO(p->port->log, "executor.began", KV_U64("id", p->executor.executor));
    }
    return rc;
}

static void puppet_free(struct puppet *p)
{
    endpoint_free(p->ep);
    fields_deinit(&launch_appmaster_fields, &p->appmaster);
    fields_deinit(&launch_executor_fields, &p->executor);
    free(p);
}

/* ---- answers ---- */

static void on_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct puppet *p = user;
    const struct msg_launched *launched = answer->msg;
    const struct msg_log_text *text = answer->msg;

    (void)peer;
    p->reply.count++;
    p->reply.code = answer->code;
    p->reply.err = answer->code < 0 ? *answer->err : (struct gp_error){0};
    if (answer->code >= 0 && p->reply.pid == -1) {
        p->reply.pid = launched->pid;
    } else if (answer->code >= 0 && p->reply.offset == UINT64_MAX) {
        (void)str_format(p->reply.text, sizeof p->reply.text, "%s", text->text);
        p->reply.offset = text->offset;
        p->reply.end = text->end;
        p->reply.truncated = text->truncated;
    }
}

void puppet_ask_only(struct puppet *p, uint16_t type, const void *msg)
{
    bool launch = type == MSG_APPMASTER_LAUNCH || type == MSG_EXECUTOR_LAUNCH;

    p->reply.pid = launch ? -1 : 0; /* -1: to be filled in */
    p->reply.offset = type == MSG_LOG_READ ? UINT64_MAX : 0;
    GP_REQUIRE(p->peer != NULL);
    GP_REQUIRE_EQ(peer_ask(p->peer, type, msg, 30 * SECOND, 0, on_answer, p), 0);
}

int puppet_ask(struct puppet *p, uint16_t type, const void *msg)
{
    uint32_t before = p->reply.count;

    puppet_ask_only(p, type, msg);
    STAGE_UNTIL(p->stage, p->reply.count > before);
    return p->reply.code;
}

/* ---- programs ---- */

struct program {
    struct puppet *puppet; /* or: */
    struct worker *worker;
    const struct port *port;
};

static int start_worker(struct stage *s, struct program *program, const char *name,
                        struct gp_error *err)
{
    const char *const masters[] = {STAGE_MASTER, s->other_master};
    const struct worker_options options = {.port = program->port,
                                           .masters = masters,
                                           .master_count = s->other_master ? 2 : 1,
                                           .bind = "10.0.0.2:0",
                                           .name = name,
                                           .slots = s->slots,
                                           .lanes = 2,
                                           .data_dir = "/var/gearpump",
                                           .secret =
                                               gp_bytes_of(STAGE_SECRET, strlen(STAGE_SECRET))};
    int rc = worker_new(&options, &program->worker, err);

    s->worker = rc < 0 ? NULL : program->worker;
    return rc;
}

static int start_puppet(struct stage *s, struct program *program, const char *const *args,
                        struct gp_error *err)
{
    struct puppet *p = calloc(1, sizeof *p);

    GP_REQUIRE(p != NULL && s->puppet_count < STAGE_PUPPETS);
    p->stage = s;
    p->port = program->port;
    p->role = strcmp(args[0], "boss") == 0        ? "boss"
              : strcmp(args[0], "client") == 0    ? "client"
              : strcmp(args[0], "person") == 0    ? "person"
              : strcmp(args[0], "appmaster") == 0 ? "appmaster"
                                                  : "executor";
    program->puppet = p;
    s->puppets[s->puppet_count++] = p;
    return become(p, args[1], err);
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct stage *s = ctx;
    struct program *program = calloc(1, sizeof *program);

    GP_REQUIRE(program != NULL);
    program->port = port;
    *ret_node = program;
    return strcmp(args[0], "worker") == 0 ? start_worker(s, program, args[1], err)
                                          : start_puppet(s, program, args, err);
}

static void stop(void *ctx, void *node)
{
    struct stage *s = ctx;
    struct program *program = node;

    for (uint32_t i = 0; i < s->puppet_count; i++) {
        if (program->puppet && s->puppets[i] == program->puppet) {
            s->puppets[i] = NULL;
            puppet_free(program->puppet);
            break;
        }
    }
    if (program->worker) {
        s->worker = s->worker == program->worker ? NULL : s->worker;
        worker_free(program->worker);
    }
    free(program);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    struct program *program = node;

    (void)ctx;
    if (signal == 15 && !(program->puppet && program->puppet->deaf)) {
        sim_exit(program->port, 0);
    }
}

/* ---- the stage ---- */

void stage_begin(struct stage *s, uint64_t seed)
{
    const struct sim_options options = {.seed = seed,
                                        .start = start,
                                        .stop = stop,
                                        .on_signal = on_signal,
                                        .ctx = s,
                                        .json_parse = edge_json_parse};

    GP_REQUIRE_EQ(sim_new(&options, &s->sim), 0);
    for (int i = 0; i < STAGE_HOSTS; i++) {
        char address[16];
        (void)str_format(address, sizeof address, "10.0.0.%d", i + 1);
        GP_REQUIRE_EQ(sim_host_add(s->sim, address, &s->hosts[i]), 0);
    }
}

void stage_end(struct stage *s)
{
    GP_CHECK_EQ(sim_leaks(s->sim), 0);
    sim_free(s->sim);
}

struct sim_proc *stage_spawn(struct stage *s, int host, const char *role, const char *arg)
{
    const char *const args[] = {role, arg, NULL};
    struct proc_exit how;
    struct sim_proc *proc;

    GP_REQUIRE_EQ(sim_spawn(s->hosts[host], args, &proc), 0);
    STAGE_UNTIL(s, sim_proc_node(proc) != NULL || sim_proc_ended(proc, &how) == 0);
    if (strcmp(role, "worker") == 0) {
        s->worker_proc = proc;
    }
    return proc;
}

struct puppet *stage_find(struct stage *s, const char *role)
{
    for (uint32_t i = s->puppet_count; i > 0; i--) {
        if (s->puppets[i - 1] && strcmp(s->puppets[i - 1]->role, role) == 0) {
            return s->puppets[i - 1];
        }
    }
    return NULL;
}

void stage_run_ms(struct stage *s, int64_t ms)
{
    GP_CHECK_EQ(sim_run_for(s->sim, ms * MS_NS, NULL), 0);
}
