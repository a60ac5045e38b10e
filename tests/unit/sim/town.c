/*
 * Invariant of all programs: whatever a write borrows lives until its callback, also when the
 * program has been stopped meanwhile, as port/net.h demands.
 */
#include "town.h"

#include "base/list.h"
#include "base/str.h"
#include "gp_test.h"

#define PORT_TEXT ":7000"
#define BUF_SIZE  3000

struct program {
    struct town *town;
    const struct port *port;
    void (*stop)(struct program *program); /* frees it */
    void (*on_signal)(struct program *program);
};

/* ---- server ---- */

struct server {
    struct program program;
    struct listener *listener;
    struct list links;
    struct runner *lane;
    struct loop *lane_loop;
    struct timer *tick; /* of the lane */
    bool is_lane_asleep;
    uint64_t echoed;
    uint64_t seen;
};

struct link {
    struct list_node node;
    struct server *server; /* NULL: only the callback of its write is awaited */
    struct stream *stream;
    bool is_writing;
    char bytes[BUF_SIZE];
};

static void link_close(struct link *link)
{
    list_remove(&link->node);
    stream_free(link->stream);
    link->server = NULL;
    if (!link->is_writing) {
        free(link);
    }
}

static void *link_alloc(void *user, size_t *ret_len)
{
    struct link *link = user;

    *ret_len = sizeof(link->bytes);
    return link->is_writing ? NULL : link->bytes;
}

static void link_on_written(void *user, int status)
{
    struct link *link = user;

    link->is_writing = false;
    if (link->server == NULL) {
        free(link);
    } else if (status < 0) {
        LOG_DEBUG(link->server->program.port->log, "link.write_failed", KV_CODE("code", status));
        link_close(link);
    } else {
        stream_read_resume(link->stream);
    }
}

static void link_on_read(void *user, int64_t n)
{
    struct link *link = user;
    struct server *server = link->server;
    const struct net_buf bytes = {.ptr = link->bytes, .len = n > 0 ? (size_t)n : 0};

    if (n < 0) {
        LOG_DEBUG(server->program.port->log, "link.closed", KV_CODE("code", (int)n));
        link_close(link);
        return;
    }
    server->echoed += (uint64_t)n;
    if (server->is_lane_asleep) {
        loop_wake(server->lane_loop);
    }
    link->is_writing = true;
    if (stream_write(link->stream, &bytes, 1, link_on_written, link) < 0) {
        link->is_writing = false;
        link_close(link);
    }
}

static const struct stream_reader link_reader = {.alloc = link_alloc, .on_read = link_on_read};

static void server_on_accepted(void *user, struct stream *stream)
{
    struct server *server = user;
    struct link *link = calloc(1, sizeof(*link));

    GP_REQUIRE(link != NULL);
    link->server = server;
    link->stream = stream;
    list_node_init(&link->node);
    list_push_back(&server->links, &link->node);
    GP_CHECK_EQ(stream_read_start(stream, &link_reader, link), 0);
    LOG_INFO(server->program.port->log, "link.opened");
}

static void lane_on_tick(void *user)
{
    timer_start(((struct server *)user)->tick, 1000000);
}

static int lane_init(void *user, struct loop *loop)
{
    struct server *server = user;

    GP_CHECK_EQ(timer_new(loop, lane_on_tick, server, &server->tick), 0);
    timer_start(server->tick, 1000000);
    server->lane_loop = loop;
    return 0;
}

static enum runner_state lane_turn(void *user)
{
    struct server *server = user;

    server->is_lane_asleep = false;
    if (server->seen == server->echoed) {
        return RUNNER_IDLE;
    }
    server->seen += server->echoed - server->seen > 100 ? 100 : 1;
    return RUNNER_MORE;
}

static int lane_may_sleep(void *user)
{
    struct server *server = user;

    server->is_lane_asleep = server->seen == server->echoed;
    return server->is_lane_asleep;
}

static void lane_fini(void *user)
{
    struct server *server = user;

    server->is_lane_asleep = false;
    timer_free(server->tick);
}

static void lane_on_exit(void *user)
{
    struct server *server = user;

    port_runner_free(server->program.port, server->lane);
    server->lane = NULL;
}

static void server_stop(struct program *program)
{
    struct server *server = container_of(program, struct server, program);
    struct list_node *node;

    GP_CHECK(server->lane == NULL);
    net_listener_free(server->listener);
    while ((node = list_first(&server->links)) != NULL) {
        link_close(LIST_ENTRY(node, struct link, node));
    }
    free(server);
}

static void server_on_signal(struct program *program)
{
    program->town->signals++;
}

static int server_start(struct program **ret, const struct port *port, struct gp_error *err)
{
    const struct net_addr any = {"0.0.0.0" PORT_TEXT};
    struct server *server = calloc(1, sizeof(*server));
    const struct runner_spec spec = {
        .name = "lane",
        .init = lane_init,
        .turn = lane_turn,
        .may_sleep = lane_may_sleep,
        .fini = lane_fini,
        .on_exit = lane_on_exit,
        .user = server,
        .cpu = -1,
    };
    int rc;

    GP_REQUIRE(server != NULL);
    list_init(&server->links);
    rc = net_listen(port->loop, &any, server_on_accepted, server, &server->listener, err);
    if (rc < 0) {
        free(server);
        return rc;
    }
    GP_REQUIRE_EQ(port_runner_start(port, &spec, &server->lane, err), 0);
    server->program.stop = server_stop;
    server->program.on_signal = server_on_signal;
    *ret = &server->program;
    return 0;
}

/* ---- client ---- */

struct client {
    struct program program;
    struct stream *stream;
    size_t want;
    size_t sent;
    size_t got;
    bool is_writing;
    bool is_stopped;
    char out[BUF_SIZE];
    char in[BUF_SIZE];
};

static void client_exit(struct client *client, int code)
{
    LOG_INFO(client->program.port->log, "client.ended", KV_I64("exit_code", code),
             KV_U64("got", client->got));
    sim_exit(client->program.port, code);
}

static char byte_at(size_t at)
{
    return (char)(at * 7 + at / 251);
}

static void client_on_written(void *user, int status);

static void client_send(struct client *client)
{
    size_t left = client->want - client->sent;
    size_t len = left < sizeof(client->out) ? left : sizeof(client->out);
    const struct net_buf bytes = {.ptr = client->out, .len = len};

    if (len == 0) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        client->out[i] = byte_at(client->sent + i);
    }
    client->is_writing = true;
    if (stream_write(client->stream, &bytes, 1, client_on_written, client) < 0) {
        client->is_writing = false;
        client_exit(client, 2);
        return;
    }
    client->sent += len;
}

static void client_on_written(void *user, int status)
{
    struct client *client = user;

    client->is_writing = false;
    if (client->is_stopped) {
        free(client);
    } else if (status == 0) {
        client_send(client);
    }
}

static void *client_alloc(void *user, size_t *ret_len)
{
    struct client *client = user;

    *ret_len = sizeof(client->in);
    return client->in;
}

static void client_on_read(void *user, int64_t n)
{
    struct client *client = user;

    if (n < 0) {
        client_exit(client, 2);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        GP_REQUIRE_EQ(client->in[i], byte_at(client->got + (size_t)i));
    }
    client->got += (size_t)n;
    if (client->got == client->want) {
        client_exit(client, 0);
    }
}

static const struct stream_reader client_reader = {.alloc = client_alloc,
                                                   .on_read = client_on_read};

static void client_on_connected(void *user, int status)
{
    struct client *client = user;

    if (status < 0) {
        client_exit(client, 3);
        return;
    }
    GP_CHECK_EQ(stream_read_start(client->stream, &client_reader, client), 0);
    client_send(client);
}

static void client_stop(struct program *program)
{
    struct client *client = container_of(program, struct client, program);

    stream_free(client->stream);
    client->is_stopped = true;
    if (!client->is_writing) {
        free(client);
    }
}

static int client_start(struct program **ret, const struct port *port, const char *const *args)
{
    struct client *client = calloc(1, sizeof(*client));
    struct net_addr addr;

    GP_REQUIRE(client != NULL);
    (void)snprintf(addr.text, sizeof(addr.text), "%s" PORT_TEXT, args[1]);
    client->want = (size_t)strtoul(args[2], NULL, 10);
    client->program.stop = client_stop;
    GP_REQUIRE_EQ(net_connect(port->loop, &addr, client_on_connected, client, &client->stream), 0);
    *ret = &client->program;
    return 0;
}

/* ---- parent ---- */

struct parent {
    struct program program;
    struct proc *child;
};

static void parent_on_output(void *user, const char *ptr, size_t len)
{
    struct parent *parent = user;

    GP_CHECK_EQ(buf_append(&parent->program.town->output, ptr, len), 0);
}

static void parent_on_exit(void *user, const struct proc_exit *how)
{
    struct parent *parent = user;

    LOG_INFO(parent->program.port->log, "child.ended", KV_I64("exit_code", how->code),
             KV_I64("signal", how->signal));
    sim_exit(parent->program.port, how->signal != 0 ? 100 + how->signal : how->code);
}

static void parent_stop(struct program *program)
{
    struct parent *parent = container_of(program, struct parent, program);

    proc_free(program->port, parent->child);
    free(parent);
}

static void parent_on_signal(struct program *program)
{
    proc_kill(program->port, container_of(program, struct parent, program)->child, 15);
}

static int parent_start(struct program **ret, const struct port *port, const char *const *args,
                        struct gp_error *err)
{
    struct parent *parent = calloc(1, sizeof(*parent));
    const struct proc_spec spec = {
        .args = args + 1, .on_output = parent_on_output, .on_exit = parent_on_exit, .user = parent};

    GP_REQUIRE(parent != NULL);
    parent->program.stop = parent_stop;
    parent->program.on_signal = parent_on_signal;
    GP_REQUIRE_EQ(port_spawn(port, &spec, &parent->child, err), 0);
    GP_CHECK(proc_pid(port, parent->child) > 0);
    *ret = &parent->program;
    return 0;
}

/* ---- the town ---- */

static void idler_stop(struct program *program)
{
    free(program);
}

static int idler_start(struct program **ret)
{
    *ret = calloc(1, sizeof(**ret));
    GP_REQUIRE(*ret != NULL);
    (*ret)->stop = idler_stop;
    return 0;
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct program *program = NULL;
    int rc = 0;

    if (strcmp(args[0], "server") == 0) {
        rc = server_start(&program, port, err);
    } else if (strcmp(args[0], "client") == 0) {
        rc = client_start(&program, port, args);
    } else if (strcmp(args[0], "parent") == 0) {
        rc = parent_start(&program, port, args, err);
    } else if (strcmp(args[0], "idler") == 0) {
        rc = idler_start(&program);
    } else {
        rc = gp_error_set(err, GP_EINVAL, "no program %s", args[0]);
    }
    if (rc < 0) {
        return rc;
    }
    program->town = ctx;
    program->port = port;
    *ret_node = program;
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct program *program = node;

    ((struct town *)ctx)->stopped++;
    program->stop(program);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    struct program *program = node;

    (void)ctx;
    GP_CHECK_EQ(signal, 15);
    if (program->on_signal != NULL) {
        program->on_signal(program);
    }
}

static void on_line(void *ctx, gp_str line)
{
    GP_CHECK_EQ(buf_append_str(&((struct town *)ctx)->trace, line), 0);
}

struct sim_options town_options(struct town *town, uint64_t seed)
{
    return (struct sim_options){
        .seed = seed,
        .start = start,
        .stop = stop,
        .on_signal = on_signal,
        .ctx = town,
        .on_line = on_line,
        .line_ctx = town,
        .log_level = LOG_LEVEL_OFF,
        .event_max = 2000000,
    };
}

void town_begin(struct town *town, const struct sim_options *options)
{
    *town = (struct town){0};
    GP_REQUIRE_EQ(sim_new(options, &town->sim), 0);
    for (size_t i = 0; i < ARRAY_LEN(town->hosts); i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "10.0.0.%zu", i + 1);
        GP_REQUIRE_EQ(sim_host_add(town->sim, name, &town->hosts[i]), 0);
    }
}

void town_end(struct town *town)
{
    GP_CHECK_EQ(sim_leaks(town->sim), 0);
    sim_free(town->sim);
    buf_deinit(&town->trace);
    buf_deinit(&town->output);
}

struct sim_proc *town_spawn(struct town *town, int host, const char *command)
{
    const char *args[PROC_ARGS_MAX + 1] = {NULL};
    char *words = str_dup(gp_str_of(command));
    struct sim_proc *proc;
    char *rest;

    args[0] = strtok_r(words, " ", &rest);
    for (size_t i = 1; i < PROC_ARGS_MAX && args[i - 1] != NULL; i++) {
        args[i] = strtok_r(NULL, " ", &rest);
    }
    GP_REQUIRE_EQ(sim_spawn(town->hosts[host], args, &proc), 0);
    free(words);
    return proc;
}

static bool has_ended(void *user)
{
    struct proc_exit how;

    return sim_proc_ended(user, &how) == 0;
}

int town_wait(struct town *town, struct sim_proc *proc)
{
    struct gp_error err = {0};
    struct proc_exit how = {0};
    int rc = sim_run_until(town->sim, has_ended, proc, &err);

    if (rc < 0) {
        GP_CHECK_STR_EQ(err.text, "");
        return rc;
    }
    GP_CHECK_EQ(sim_proc_ended(proc, &how), 0);
    return how.signal != 0 ? -how.signal : how.code;
}
