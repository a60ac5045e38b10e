/*
 * Names of actors and addresses of sockets, as peers, settings and people write them. What is taken
 * lies within its bounds and is written again as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "actor/address.h"
#include "app/config.h"
#include "base/assert.h"
#include "base/str.h"
#include "edge/net.h"
#include "sim/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_actor(gp_str text)
{
    char out[ADDRESS_TEXT_MAX];
    struct address address;
    struct address again;

    if (address_parse(text, &address) == 0) {
        ASSERT(str_eq(gp_str_of(address_format(&address, out)), text));
        ASSERT(address_parse(gp_str_of(out), &again) == 0 && address_equal(&address, &again));
    }
}

static void check_socket(gp_str text)
{
    struct net_addr addr = {0};
    struct edge_addr edge;
    struct sim_addr sim;

    memcpy(addr.text, text.ptr, text.len < sizeof(addr.text) ? text.len : sizeof(addr.text) - 1);
    if (edge_addr_parse(&addr, &edge, NULL) == 0) {
        ASSERT(memchr(edge.host, '\0', sizeof(edge.host)) != NULL || !edge.is_name);
        ASSERT(edge_addr_len(&edge.socket) <= sizeof(edge.socket) || edge.is_name);
    }
    if (sim_addr_parse(&addr, &sim) == 0) {
        ASSERT(sim.is_unix || sim.host.len < sizeof(addr.text));
    }
}

static void check_setting(gp_str text)
{
    gp_str host;
    uint32_t port;

    if (config_split_address(text, &host, &port) == 0) {
        ASSERT(port > 0 && port <= 65535);
        ASSERT(host.ptr >= text.ptr && host.ptr + host.len <= text.ptr + text.len);
        (void)config_host_is_loopback(host);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_str text = {(const char *)data, size};

    check_actor(text);
    check_socket(text);
    check_setting(text);
    return 0;
}
