/*
 * rig.h: a real world for a test, with a time limit on waiting, and a folder of its own.
 */
#ifndef TESTS_EDGE_RIG_H
#define TESTS_EDGE_RIG_H

#include <sys/stat.h>
#include <unistd.h>

#include "edge/world.h"
#include "gp_test.h"

#define RIG_PATIENCE_NS INT64_C(20000000000)

struct rig {
    struct edge_world *world;
    const struct port *port;
    struct loop *loop;
    struct timer *watchdog;
    bool expired;
    char folder[32]; /* made at first use of rig_path() */
    char path[96];
};

static inline void rig_on_expired(void *user)
{
    ((struct rig *)user)->expired = true;
}

static inline void rig_begin(struct rig *rig, const struct edge_options *options)
{
    struct gp_error err = {0};

    memset(rig, 0, sizeof(*rig));
    if (edge_world_new(options, &rig->world, &err) < 0) {
        fprintf(stderr, "no world: %s\n", err.text);
        abort();
    }
    rig->port = edge_port(rig->world);
    rig->loop = rig->port->loop;
    GP_REQUIRE_EQ(timer_new(rig->loop, rig_on_expired, rig, &rig->watchdog), 0);
}

/* The path of a file in a folder that rig_end() removes; valid until the next call. */
static inline const char *rig_path(struct rig *rig, const char *name)
{
    if (rig->folder[0] == '\0') {
        strcpy(rig->folder, "/tmp/gp-edge-XXXXXX");
        GP_REQUIRE(mkdtemp(rig->folder) != NULL);
    }
    (void)snprintf(rig->path, sizeof(rig->path), "%s/%s", rig->folder, name);
    return rig->path;
}

static inline void rig_end(struct rig *rig)
{
    if (rig->folder[0] != '\0') {
        GP_CHECK_EQ(rig->port->fs->remove_tree(rig->port->world, rig->folder, NULL), 0);
    }
    timer_free(rig->watchdog);
    edge_world_free(rig->world);
}

/* Runs the loop until cond holds. */
#define RIG_PUMP_UNTIL(rig, cond)                                                                  \
    do {                                                                                           \
        timer_start((rig)->watchdog, RIG_PATIENCE_NS);                                             \
        while (!(cond) && !(rig)->expired) {                                                       \
            edge_step((rig)->world, true);                                                         \
        }                                                                                          \
        GP_REQUIRE(!(rig)->expired);                                                               \
        timer_stop((rig)->watchdog);                                                               \
    } while (0)

#endif
