/*
 * daemon.h: masters and workers as the configuration says, in any world.
 *
 * The one place where settings become the options of the control plane: `gpd` uses it for its
 * daemons, `gpctl run` for those inside its own process, and the simulator for its hosts.
 */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "app/config.h"
#include "control/master/master.h"
#include "control/worker/worker.h"

/* Where one daemon stands. All borrowed until return. */
struct daemon_place {
    const struct port *port;     /* outlives the daemon */
    const struct config *config; /* bind and advertise are its hosts */
    const struct config *told;   /* for who asks what its settings are, outlives it; NULL: nobody */
    gp_bytes secret;
    uint32_t tcp_port;       /* 0: a free one */
    bool is_one_of_many;     /* master: of cluster.masters; else it is alone, whatever they are */
    const char *data_dir;    /* absolute, of this daemon alone */
    const char *sockets_dir; /* worker: for Unix sockets of its executors; NULL: none */
    uint32_t cores_before;   /* worker: those of others on this host, from the first on */
};

/* plugin_dirs come after those of the configuration. */
int daemon_master(const struct daemon_place *place, const char *const *plugin_dirs,
                  uint32_t plugin_dir_count, struct master **ret, struct gp_error *err);

/* master: the one to look for; NULL: those of the configuration. */
int daemon_worker(const struct daemon_place *place, const char *master, struct worker **ret,
                  struct gp_error *err);

/* What every actor of a cluster accepts and waits for. */
struct endpoint_limits daemon_limits(const struct config *config);

/*
 * Whether a master with this port is one of cluster.masters, if there are several; else GP_EINVAL
 * with what it would be and a hint. One alone may be anywhere: it is the cluster.
 */
int daemon_check_master(const struct config *config, uint32_t tcp_port, struct gp_error *err);

/*
 * The port of a master that was told none: what cluster.masters says beside the host that others
 * reach it by, else CONFIG_PORT.
 */
uint32_t daemon_master_port(const struct config *config);

#endif
