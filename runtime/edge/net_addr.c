/*
 * net_addr.c: "host:port", "[v6]:port" and "unix:/path" to socket addresses and back.
 *
 * Pure but for edge_addr_resolve(), which asks the system's resolver and blocks. Failures: text
 * that is no address (GP_EINVAL, with the reason), a name that nobody knows (GP_ENOENT).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "edge/net.h"

static int bad(struct gp_error *err, const struct net_addr *addr, const char *why)
{
    return gp_error_set(err, GP_EINVAL, "'%.*s' is not an address: %s", NET_ADDR_MAX - 1,
                        addr->text, why);
}

static int parse_unix(const struct net_addr *addr, gp_str path, struct edge_addr *ret,
                      struct gp_error *err)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        return bad(err, addr, "a socket path must be absolute");
    }
    if (path.len >= sizeof(ret->socket.un.sun_path)) {
        return bad(err, addr, "a socket path is at most 107 bytes");
    }
    ret->is_unix = true;
    ret->socket.un.sun_family = AF_UNIX;
    memcpy(ret->socket.un.sun_path, path.ptr, path.len);
    return 0;
}

static int parse_host(const struct net_addr *addr, gp_str host, bool brackets, uint16_t port,
                      struct edge_addr *ret, struct gp_error *err)
{
    memcpy(ret->host, host.ptr, host.len); /* shorter than addr, and ret is zeroed */
    if (inet_pton(AF_INET6, ret->host, &ret->socket.in6.sin6_addr) == 1) {
        if (!brackets) {
            return bad(err, addr, "write an IPv6 address in brackets");
        }
        ret->socket.in6.sin6_family = AF_INET6;
        ret->socket.in6.sin6_port = htons(port);
        return 0;
    }
    if (brackets) {
        return bad(err, addr, "no IPv6 address in the brackets");
    }
    if (inet_pton(AF_INET, ret->host, &ret->socket.in.sin_addr) == 1) {
        ret->socket.in.sin_family = AF_INET;
        ret->socket.in.sin_port = htons(port);
        return 0;
    }
    if (strpbrk(ret->host, "[]:") != NULL) {
        return bad(err, addr, "write an IPv6 address in brackets");
    }
    ret->is_name = true;
    return 0;
}

int edge_addr_parse(const struct net_addr *addr, struct edge_addr *ret, struct gp_error *err)
{
    gp_str text = {.ptr = addr->text, .len = strnlen(addr->text, NET_ADDR_MAX)};
    gp_str prefix = GP_STR("unix:");
    gp_str host;
    gp_str port_text;
    uint64_t port;
    bool brackets;

    memset(ret, 0, sizeof(*ret));
    if (text.len == NET_ADDR_MAX) {
        return bad(err, addr, "too long");
    }
    if (str_starts_with(text, prefix)) {
        text.ptr += prefix.len;
        text.len -= prefix.len;
        return parse_unix(addr, text, ret, err);
    }
    if (!str_cut_last(text, ':', &host, &port_text)) {
        return bad(err, addr, "write HOST:PORT or unix:/PATH");
    }
    if (str_to_u64(port_text, &port) < 0 || port > UINT16_MAX) {
        return bad(err, addr, "the port is a number from 0 to 65535");
    }
    brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets) {
        host.ptr++;
        host.len -= 2;
    }
    if (host.len == 0) {
        return bad(err, addr, "the host is missing");
    }
    (void)str_format(ret->port, sizeof(ret->port), "%u", (unsigned)port); /* 5 digits fit */
    return parse_host(addr, host, brackets, (uint16_t)port, ret, err);
}

int edge_addr_resolve(struct edge_addr *addr, struct gp_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int rc;

    if (!addr->is_name) {
        return 0;
    }
    rc = getaddrinfo(addr->host, addr->port, &hints, &list);
    if (rc != 0) {
        return gp_error_set(err, GP_ENOENT, "host '%s' cannot be resolved: %s", addr->host,
                            gai_strerror(rc));
    }
    ASSERT(list->ai_addrlen <= sizeof(addr->socket));
    memcpy(&addr->socket, list->ai_addr, list->ai_addrlen);
    addr->is_name = false;
    freeaddrinfo(list);
    return 0;
}

socklen_t edge_addr_len(const union edge_sockaddr *socket)
{
    switch (socket->any.sa_family) {
    case AF_INET:
        return sizeof(socket->in);
    case AF_INET6:
        return sizeof(socket->in6);
    default:
        return sizeof(socket->un);
    }
}

void edge_addr_print(const union edge_sockaddr *socket, struct net_addr *ret)
{
    char host[INET6_ADDRSTRLEN] = "?";

    /* Each of these fits: NET_ADDR_MAX holds the longest socket path and its prefix. */
    switch (socket->any.sa_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &socket->in.sin_addr, host, sizeof(host));
        (void)str_format(ret->text, sizeof(ret->text), "%s:%u", host, ntohs(socket->in.sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &socket->in6.sin6_addr, host, sizeof(host));
        (void)str_format(ret->text, sizeof(ret->text), "[%s]:%u", host,
                         ntohs(socket->in6.sin6_port));
        break;
    default:
        (void)str_format(ret->text, sizeof(ret->text), "unix:%.*s",
                         (int)sizeof(socket->un.sun_path), socket->un.sun_path);
        break;
    }
}
