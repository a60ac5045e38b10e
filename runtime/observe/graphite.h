/*
 * graphite.h: sends numbers to a Graphite server, in its plaintext protocol: "path value
 * seconds\n".
 *
 *     IDLE ─ lines ─▶ CONNECTING ─▶ UP ── closed, or nothing written for STALL ──▶ PAUSED ─▶ CONNECTING
 *                         └────────────────── refused ────────────────────────────────┘
 *
 * One connection, and lines that wait for it in memory of a fixed bound; when that is spent the
 * oldest lines go, whole, and are counted. Written is a piece of whole lines at a time. A piece
 * that was under way when the connection ended is sent again from its start: for Graphite the same
 * line twice is the same. Nothing here ever waits: a server that is away, slow, or gone in the
 * middle of a line costs that memory and nothing else. Between attempts lie 250 ms, doubling to 30
 * s.
 *
 * One loop, one thread. Events logged: graphite.connected, graphite.lost (at most once a minute).
 */
#ifndef OBSERVE_GRAPHITE_H
#define OBSERVE_GRAPHITE_H

#include "base/buf.h"
#include "port/port.h"

#define GRAPHITE_BUFFER_MAX ((size_t)4 << 20) /* bytes of lines that wait */
#define GRAPHITE_PIECE_MAX  ((size_t)64 << 10)
#define GRAPHITE_PATH_MAX   512u

struct graphite;

struct graphite_options {
    const struct port *port; /* borrowed, outlives it */
    const char *address;     /* "host:port"; copied */
    size_t buffer_max;       /* bytes of lines that wait; 0: GRAPHITE_BUFFER_MAX */
    int64_t stall_ns; /* a piece that is not written for so long ends the connection; 0: 30 s */
};

struct graphite_status {
    bool is_up;
    uint64_t sent; /* lines that the kernel took */
    uint64_t dropped;
    uint64_t waiting;     /* bytes */
    uint64_t connections; /* that came about */
};

/* Dials nothing before there are lines. GP_EINVAL: no address; GP_ENOMEM. */
int graphite_new(const struct graphite_options *options, struct graphite **ret,
                 struct gp_error *err);

/* Ends the connection at once. NULL is fine. */
void graphite_free(struct graphite *g);

/* One line; the path is of graphite_path(). What cannot be kept is dropped and counted, as are
 * values that are not numbers. */
void graphite_line(struct graphite *g, const char *path, double value, int64_t wall_ms);

/* All lines of this interval are here: they leave as soon as the server takes them. */
void graphite_flush(struct graphite *g);

void graphite_status(const struct graphite *g, struct graphite_status *ret);

/*
 * A path being built: parts separated by dots. A part keeps letters, digits, '-' and '_'; all else
 * becomes '_', and so does an empty one. Paths are cut at GRAPHITE_PATH_MAX.
 */
struct graphite_path {
    char text[GRAPHITE_PATH_MAX];
    size_t len;
};

/* The prefix as configured: dots separate its parts. */
void graphite_path_init(struct graphite_path *path, const char *prefix);
/* Returns the length before it, to which `len` can be set back (graphite_path_cut()). */
size_t graphite_path_add(struct graphite_path *path, const char *part);
void graphite_path_cut(struct graphite_path *path, size_t len);

#endif
