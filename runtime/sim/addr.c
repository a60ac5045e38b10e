/*
 * Reading addresses.
 */
#include "sim/addr.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "sim/limits.h"

#define UNIX_PREFIX GP_STR("unix:")

int sim_addr_parse(const struct net_addr *addr, struct sim_addr *ret)
{
    gp_str text = {.ptr = addr->text, .len = strnlen(addr->text, sizeof(addr->text))};
    gp_str host;
    gp_str digits;
    uint64_t port;

    if (text.len == sizeof(addr->text)) {
        return GP_EINVAL;
    }
    if (str_starts_with(text, UNIX_PREFIX)) {
        const char *path = addr->text + UNIX_PREFIX.len;

        if (path[0] != '/' || strlen(path) >= SIM_UNIX_PATH_MAX) {
            return GP_EINVAL;
        }
        *ret = (struct sim_addr){.is_unix = true, .path = path};
        return 0;
    }
    if (!str_cut_last(text, ':', &host, &digits) || host.len == 0 ||
        str_to_u64(digits, &port) < 0 || port > UINT16_MAX) {
        return GP_EINVAL;
    }
    if (host.ptr[0] == '[') {
        if (host.len < 3 || host.ptr[host.len - 1] != ']') {
            return GP_EINVAL;
        }
        host = (gp_str){.ptr = host.ptr + 1, .len = host.len - 2};
    } else if (memchr(host.ptr, ':', host.len) != NULL) {
        return GP_EINVAL;
    }
    *ret = (struct sim_addr){.host = host, .port = (uint16_t)port};
    return 0;
}

bool sim_addr_is_loopback(gp_str host)
{
    return str_starts_with(host, GP_STR("127.")) || str_eq(host, GP_STR("::1")) ||
           str_eq(host, GP_STR("localhost"));
}

bool sim_addr_is_any(gp_str host)
{
    return str_eq(host, GP_STR("0.0.0.0")) || str_eq(host, GP_STR("::"));
}
