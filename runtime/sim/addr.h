/*
 * addr.h: addresses as net.h writes them: "host:port", "[::1]:port", "unix:/path".
 */
#ifndef SIM_ADDR_H
#define SIM_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "port/net.h"

struct sim_addr {
    bool is_unix;
    gp_str host; /* without brackets; borrowed from the text */
    uint16_t port;
    const char *path; /* of a Unix socket; borrowed */
};

/* GP_EINVAL: not an address. */
int sim_addr_parse(const struct net_addr *addr, struct sim_addr *ret);

/* The host itself: 127.x.x.x, ::1, localhost. */
bool sim_addr_is_loopback(gp_str host);

/* Every address of the host: 0.0.0.0, ::. */
bool sim_addr_is_any(gp_str host);

#endif
