/* graphite.c: see graphite.h. */
#include "observe/graphite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

#define PAUSE_MIN_NS INT64_C(250000000)
#define PAUSE_MAX_NS INT64_C(30000000000)
#define STALL_NS     INT64_C(30000000000)
#define LOG_EVERY_NS INT64_C(60000000000)
#define LINE_MAX_LEN (GRAPHITE_PATH_MAX + 64)
#define SCRATCH_LEN  64

enum state { IDLE, CONNECTING, UP, PAUSED };

/* What is written belongs to the stream until it says so, also after both were freed. */
struct piece {
    struct graphite *g; /* NULL: freed meanwhile */
    struct buf lines;   /* whole ones; empty: free */
    bool is_written;    /* it is the stream's */
};

struct graphite {
    const struct port *port;
    struct net_addr addr;
    size_t buffer_max;
    int64_t stall_ns;
    enum state state;
    struct stream *stream;
    struct timer *timer; /* PAUSED: until the next attempt; UP: for a piece that does not go */
    int64_t pause_ns;    /* the latest */
    struct buf waiting;
    struct piece *piece;
    struct log_limit limit;
    uint64_t sent;
    uint64_t dropped;
    uint64_t connections;
    char scratch[SCRATCH_LEN]; /* a Graphite server says nothing; reading shows that it is gone */
};

static void step(struct graphite *g);

/* ---- paths ---- */

static char safe(char c)
{
    const bool is_safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_';

    return is_safe ? c : '_';
}

static void path_put(struct graphite_path *path, char c)
{
    if (path->len + 1 < sizeof path->text) {
        path->text[path->len++] = c;
        path->text[path->len] = '\0';
    }
}

size_t graphite_path_add(struct graphite_path *path, const char *part)
{
    const size_t before = path->len;

    if (path->len > 0) {
        path_put(path, '.');
    }
    for (const char *at = part; *at; at++) {
        path_put(path, safe(*at));
    }
    if (*part == '\0') {
        path_put(path, '_');
    }
    return before;
}

void graphite_path_cut(struct graphite_path *path, size_t len)
{
    ASSERT(len <= path->len);
    path->len = len;
    path->text[len] = '\0';
}

void graphite_path_init(struct graphite_path *path, const char *prefix)
{
    path->len = 0;
    path->text[0] = '\0';
    for (const char *at = prefix; *at; at++) {
        const bool is_dot = *at == '.' && path->len > 0 && path->text[path->len - 1] != '.';

        if (is_dot || *at != '.') {
            path_put(path, is_dot ? '.' : safe(*at));
        }
    }
    while (path->len > 0 && path->text[path->len - 1] == '.') {
        graphite_path_cut(path, path->len - 1);
    }
}

/* ---- lines ---- */

static uint64_t count_lines(gp_bytes bytes)
{
    const char *at = bytes.ptr;
    const char *end = at + bytes.len;
    uint64_t count = 0;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        count++;
    }
    return count;
}

static void drop_oldest(struct graphite *g, size_t room)
{
    while (buf_len(&g->waiting) > 0 && buf_len(&g->waiting) + room > g->buffer_max) {
        const gp_bytes bytes = buf_bytes(&g->waiting);
        const char *end = memchr(bytes.ptr, '\n', bytes.len);

        ASSERT(end != NULL); /* whole lines only */
        buf_consume(&g->waiting, (size_t)(end - (const char *)bytes.ptr) + 1);
        g->dropped++;
    }
}

void graphite_line(struct graphite *g, const char *path, double value, int64_t wall_ms)
{
    char line[LINE_MAX_LEN];
    char number[STR_DOUBLE_MAX];
    int len = -1;

    if (isfinite(value)) {
        if (fabs(value) < 9e15 && floor(value) >= value) {
            (void)str_format(number, sizeof number, "%lld", (long long)value);
        } else {
            (void)str_put_double(value, number);
        }
        len = str_format(line, sizeof line, "%s %s %lld\n", path, number,
                         (long long)(wall_ms / 1000));
    }
    if (len > 0) {
        drop_oldest(g, (size_t)len);
    }
    if (len < 0 || buf_append(&g->waiting, line, (size_t)len) < 0) {
        g->dropped++;
    }
}

/* ---- the connection ---- */

static void lost(struct graphite *g, int code)
{
    uint64_t held_back = 0;

    stream_free(g->stream);
    g->stream = NULL;
    if (log_limit_pass(&g->limit, loop_now_ns(g->port->loop), &held_back)) {
        LOG_WARN(g->port->log, "graphite.lost", KV_STR("address", g->addr.text),
                 KV_CODE("code", code), KV_U64("dropped", g->dropped),
                 KV_U64("held_back", held_back));
    }
    g->pause_ns = g->pause_ns == 0 ? PAUSE_MIN_NS : 2 * g->pause_ns;
    g->pause_ns = g->pause_ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : g->pause_ns;
    g->state = PAUSED;
    timer_start(g->timer, g->pause_ns);
}

static void *on_alloc(void *user, size_t *ret_len)
{
    struct graphite *g = user;

    *ret_len = sizeof g->scratch;
    return g->scratch;
}

static void on_read(void *user, int64_t n)
{
    if (n < 0) {
        lost(user, (int)n);
    }
}

static const struct stream_reader reader = {.alloc = on_alloc, .on_read = on_read};

static void on_connected(void *user, int status)
{
    struct graphite *g = user;

    if (status >= 0) {
        status = stream_read_start(g->stream, &reader, g);
    }
    if (status < 0) {
        lost(g, status);
        return;
    }
    g->state = UP;
    g->connections++;
    LOG_INFO(g->port->log, "graphite.connected", KV_STR("address", g->addr.text));
    step(g);
}

static void on_written(void *user, int status)
{
    struct piece *piece = user;
    struct graphite *g = piece->g;

    piece->is_written = false;
    if (!g) {
        buf_deinit(&piece->lines);
        free(piece);
        return;
    }
    if (status >= 0) {
        g->sent += count_lines(buf_bytes(&piece->lines));
        buf_clear(&piece->lines);
        g->pause_ns = 0;
        if (g->state == UP) {
            timer_stop(g->timer);
        }
    } else if (g->state == UP && status != GP_ECANCELED) {
        lost(g, status);
    }
    step(g);
}

/* The oldest whole lines, as many as a piece holds. */
static bool fill_piece(struct graphite *g)
{
    const gp_bytes bytes = buf_bytes(&g->waiting);
    size_t len = bytes.len < GRAPHITE_PIECE_MAX ? bytes.len : GRAPHITE_PIECE_MAX;

    if (buf_len(&g->piece->lines) > 0) {
        return true; /* it did not go before */
    }
    while (len > 0 && ((const char *)bytes.ptr)[len - 1] != '\n') {
        len--;
    }
    if (len == 0 || buf_append(&g->piece->lines, bytes.ptr, len) < 0) {
        return false;
    }
    buf_consume(&g->waiting, len);
    return true;
}

static void write_piece(struct graphite *g)
{
    const gp_bytes bytes = buf_bytes(&g->piece->lines);
    const struct net_buf buf = {bytes.ptr, bytes.len};
    int rc = stream_write(g->stream, &buf, 1, on_written, g->piece);

    if (rc < 0) {
        lost(g, rc);
        return;
    }
    g->piece->is_written = true;
    timer_start(g->timer, g->stall_ns);
}

static void dial(struct graphite *g)
{
    int rc = net_connect(g->port->loop, &g->addr, on_connected, g, &g->stream);

    g->state = CONNECTING;
    if (rc < 0) {
        g->stream = NULL;
        lost(g, rc);
    }
}

static void step(struct graphite *g)
{
    if (g->piece->is_written || (g->state != IDLE && g->state != UP) || !fill_piece(g)) {
        return;
    }
    if (g->state == UP) {
        write_piece(g);
    } else {
        dial(g);
    }
}

static void on_timer(void *user)
{
    struct graphite *g = user;

    if (g->state == UP) {
        lost(g, GP_ETIMEOUT); /* it takes nothing */
    } else {
        g->state = IDLE;
        step(g);
    }
}

/* ---- life ---- */

int graphite_new(const struct graphite_options *options, struct graphite **ret,
                 struct gp_error *err)
{
    struct graphite *g = calloc(1, sizeof *g);
    int rc = GP_ENOMEM;

    if (g) {
        g->port = options->port;
        g->buffer_max = options->buffer_max ? options->buffer_max : GRAPHITE_BUFFER_MAX;
        g->stall_ns = options->stall_ns ? options->stall_ns : STALL_NS;
        g->limit = (struct log_limit){.interval_ns = LOG_EVERY_NS};
        buf_init(&g->waiting, g->buffer_max + LINE_MAX_LEN);
        g->piece = calloc(1, sizeof *g->piece);
        rc = g->piece ? str_format(g->addr.text, sizeof g->addr.text, "%s", options->address) : rc;
    }
    if (rc >= 0) {
        g->piece->g = g;
        buf_init(&g->piece->lines, GRAPHITE_PIECE_MAX);
        rc = timer_new(g->port->loop, on_timer, g, &g->timer);
    }
    if (rc < 0) {
        graphite_free(g);
        return gp_error_set(err, rc, "reporting to Graphite at %s: %s", options->address,
                            error_sentence(rc));
    }
    *ret = g;
    return 0;
}

void graphite_free(struct graphite *g)
{
    if (!g) {
        return;
    }
    timer_free(g->timer);
    stream_free(g->stream);
    buf_deinit(&g->waiting);
    if (g->piece && g->piece->is_written) {
        g->piece->g = NULL; /* its callback frees it */
    } else if (g->piece) {
        buf_deinit(&g->piece->lines);
        free(g->piece);
    }
    free(g);
}

void graphite_flush(struct graphite *g)
{
    step(g);
}

void graphite_status(const struct graphite *g, struct graphite_status *ret)
{
    *ret = (struct graphite_status){.is_up = g->state == UP,
                                    .sent = g->sent,
                                    .dropped = g->dropped,
                                    .waiting = buf_len(&g->waiting) + buf_len(&g->piece->lines),
                                    .connections = g->connections};
}
