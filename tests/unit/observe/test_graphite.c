/*
 * The reporter against servers of all kinds: one that listens, one that is not there, one that
 * reads nothing, one that closes in the middle of a line.
 */
#include "gp_test.h"
#include "observe/graphite.h"
#include "rig.h"

#define LINES    40000
#define WALL_MS  INT64_C(1700000000123)
#define CLOSE_AT 10007

struct server {
    struct rig *rig;
    struct listener *listener;
    struct net_addr addr;
    struct stream *stream;
    uint32_t accepted;
    bool is_deaf;    /* reads nothing */
    size_t close_at; /* the first connection ends after so many bytes; 0: it does not */
    struct buf got;  /* on this connection */
    char space[4096];
};

static void *on_alloc(void *user, size_t *ret_len)
{
    struct server *s = user;

    *ret_len = sizeof s->space;
    return s->is_deaf ? NULL : s->space;
}

static void on_read(void *user, int64_t n)
{
    struct server *s = user;

    if (n > 0) {
        GP_REQUIRE_EQ(buf_append(&s->got, s->space, (size_t)n), 0);
    }
    if (n < 0 || (s->close_at > 0 && s->accepted == 1 && buf_len(&s->got) >= s->close_at)) {
        stream_free(s->stream);
        s->stream = NULL;
    }
}

static const struct stream_reader reader = {.alloc = on_alloc, .on_read = on_read};

static void on_accept(void *user, struct stream *stream)
{
    struct server *s = user;

    stream_free(s->stream);
    s->stream = stream;
    s->accepted++;
    buf_clear(&s->got);
    GP_REQUIRE_EQ(stream_read_start(stream, &reader, s), 0);
}

static void server_begin(struct server *s, struct rig *rig)
{
    const struct net_addr any = {"127.0.0.1:0"};

    s->rig = rig;
    GP_REQUIRE_EQ(net_listen(rig->loop, &any, on_accept, s, &s->listener, NULL), 0);
    net_listener_addr(s->listener, &s->addr);
}

static void server_end(struct server *s)
{
    stream_free(s->stream);
    net_listener_free(s->listener);
    buf_deinit(&s->got);
}

static struct graphite *report_to(struct server *s, size_t buffer_max, int64_t stall_ns)
{
    const struct graphite_options options = {.port = s->rig->port,
                                             .address = s->addr.text,
                                             .buffer_max = buffer_max,
                                             .stall_ns = stall_ns};
    struct graphite *g = NULL;

    GP_REQUIRE_EQ(graphite_new(&options, &g, NULL), 0);
    return g;
}

static bool has(struct server *s, const char *text)
{
    return buf_c(&s->got) && strstr(buf_c(&s->got), text) != NULL;
}

static void report_many(struct graphite *g, int count)
{
    char path[64];

    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "gearpump.x.line%06d", i);
        graphite_line(g, path, i, WALL_MS);
    }
    graphite_flush(g);
}

static uint64_t sent(const struct graphite *g)
{
    struct graphite_status status;

    graphite_status(g, &status);
    return status.sent;
}

GP_TEST(graphite, makes_paths_of_any_names)
{
    struct graphite_path path;
    size_t before;

    graphite_path_init(&path, "..my.gear pump.");
    GP_CHECK_STR_EQ(path.text, "my.gear_pump");
    before = graphite_path_add(&path, "a.b/c d\n");
    GP_CHECK_STR_EQ(path.text, "my.gear_pump.a_b_c_d_");
    graphite_path_cut(&path, before);
    (void)graphite_path_add(&path, "");
    GP_CHECK_STR_EQ(path.text, "my.gear_pump._");
    graphite_path_init(&path, "");
    (void)graphite_path_add(&path, "a");
    GP_CHECK_STR_EQ(path.text, "a");
}

GP_TEST(graphite, sends_lines)
{
    struct rig rig;
    struct server s = {0};
    struct graphite *g;

    rig_begin(&rig, NULL);
    server_begin(&s, &rig);
    g = report_to(&s, 0, 0);
    graphite_line(g, "gearpump.a", 12345678901.0, WALL_MS);
    graphite_line(g, "gearpump.b", 0.25, WALL_MS);
    graphite_line(g, "gearpump.nan", 0.0 / 0.0, WALL_MS);
    graphite_flush(g);
    RIG_PUMP_UNTIL(&rig, has(&s, "gearpump.b 0.25 1700000000\n") && sent(g) == 2);
    GP_CHECK_STR_EQ(buf_c(&s.got),
                    "gearpump.a 12345678901 1700000000\ngearpump.b 0.25 1700000000\n");
    graphite_line(g, "gearpump.c", 1, WALL_MS);
    graphite_flush(g);
    RIG_PUMP_UNTIL(&rig, has(&s, "gearpump.c 1 1700000000\n"));
    GP_CHECK_EQ(s.accepted, 1);
    graphite_free(g);
    server_end(&s);
    rig_end(&rig);
}

GP_TEST(graphite, drops_the_oldest_while_nobody_is_there)
{
    struct rig rig;
    struct server s = {0};
    struct graphite *g;
    struct graphite_status status;

    rig_begin(&rig, NULL);
    server_begin(&s, &rig);
    net_listener_free(s.listener);
    s.listener = NULL;
    g = report_to(&s, 1000, 0);
    graphite_line(g, "gearpump.first", 1, WALL_MS);
    graphite_flush(g);
    report_many(g, LINES);
    graphite_status(g, &status);
    GP_CHECK(status.waiting <= 1000 + GRAPHITE_PIECE_MAX);
    GP_CHECK(status.dropped > LINES - 1000 / 30 - GRAPHITE_PIECE_MAX / 30);
    GP_CHECK_EQ(status.sent, 0);
    /* It comes later, at the same place. */
    GP_REQUIRE_EQ(net_listen(rig.loop, &s.addr, on_accept, &s, &s.listener, NULL), 0);
    RIG_PUMP_UNTIL(&rig, has(&s, "gearpump.x.line039999 39999 1700000000\n"));
    GP_CHECK(has(&s, "gearpump.first 1 1700000000\n")); /* it was on its way */
    GP_CHECK(!has(&s, "line000000 "));
    graphite_status(g, &status);
    GP_CHECK_EQ(status.connections, 1);
    graphite_free(g);
    server_end(&s);
    rig_end(&rig);
}

/* Whoever reads nothing is left, and tried anew; memory stays within its bound. */
GP_TEST(graphite, leaves_a_server_that_does_not_read)
{
    struct rig rig;
    struct server s = {.is_deaf = true};
    struct graphite *g;
    struct graphite_status status;

    rig_begin(&rig, NULL);
    server_begin(&s, &rig);
    g = report_to(&s, 1 << 20, INT64_C(100000000));
    while (s.accepted < 2) {
        report_many(g, LINES);
        graphite_status(g, &status);
        GP_CHECK(status.waiting <= (1 << 20) + GRAPHITE_PIECE_MAX);
        edge_step(rig.world, false);
    }
    GP_CHECK(status.dropped > 0);
    graphite_free(g); /* with a piece under way */
    server_end(&s);
    rig_end(&rig);
}

/* What comes after begins with a whole line, and nothing that waited is lost. */
GP_TEST(graphite, begins_anew_with_a_whole_line)
{
    struct rig rig;
    struct server s = {.close_at = CLOSE_AT};
    struct graphite *g;
    const char *at;

    rig_begin(&rig, NULL);
    server_begin(&s, &rig);
    g = report_to(&s, 0, 0);
    report_many(g, LINES);
    RIG_PUMP_UNTIL(&rig, s.accepted == 2 && has(&s, "line039999 39999 1700000000\n"));
    at = buf_c(&s.got);
    for (int lines = 0, first = -1; *at; lines++) {
        int number = -1;
        int len = 0;

        GP_REQUIRE(sscanf(at, "gearpump.x.line%d %*d 1700000000%n", &number, &len) == 1);
        GP_REQUIRE(len > 0 && at[len] == '\n');
        first = first < 0 ? number : first;
        GP_REQUIRE_EQ(number, first + lines);
        at += len + 1;
    }
    graphite_free(g);
    server_end(&s);
    rig_end(&rig);
}
