/*
 * Addresses as net.h writes them.
 */
#include "base/error.h"
#include "base/str.h"
#include "gp_test.h"
#include "sim/addr.h"

static int parse(const char *text, struct sim_addr *ret)
{
    static struct net_addr addr; /* the result borrows from it */

    addr = (struct net_addr){{0}};
    memcpy(addr.text, text, strlen(text) < sizeof(addr.text) ? strlen(text) : sizeof(addr.text));
    return sim_addr_parse(&addr, ret);
}

GP_TEST(addr, reads_what_net_h_writes)
{
    struct sim_addr addr;

    GP_CHECK_EQ(parse("10.0.0.1:3000", &addr), 0);
    GP_CHECK(str_eq(addr.host, GP_STR("10.0.0.1")) && addr.port == 3000 && !addr.is_unix);
    GP_CHECK_EQ(parse("[::1]:1", &addr), 0);
    GP_CHECK(str_eq(addr.host, GP_STR("::1")) && addr.port == 1);
    GP_CHECK(sim_addr_is_loopback(addr.host));
    GP_CHECK_EQ(parse("unix:/run/x.sock", &addr), 0);
    GP_CHECK(addr.is_unix);
    GP_CHECK_STR_EQ(addr.path, "/run/x.sock");
}

GP_TEST(addr, refuses_the_rest)
{
    static const char *const bad[] = {"",      "host",     ":1",       "host:",   "host:65536",
                                      "a:b:1", "[::1",     "[]:1",     "host:-1", "host:1x",
                                      "unix:", "unix:rel", "[::1]1:1:"};
    struct sim_addr addr;
    char long_path[200] = "unix:/";

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &addr) != GP_EINVAL) {
            GP_CHECK_STR_EQ(bad[i], "refused");
        }
    }
    memset(long_path + 6, 'x', 110);
    GP_CHECK_EQ(parse(long_path, &addr), GP_EINVAL);
    memset(long_path + 6, 'x', 190);
    GP_CHECK_EQ(parse(long_path, &addr), GP_EINVAL); /* no zero in the field at all */
}
