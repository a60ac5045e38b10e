/* Names of actors. */
#include "actor/address.h"
#include "gp_test.h"

static void check_round_trip(const char *text, uint32_t role, uint32_t app, uint32_t id,
                             uint32_t lane)
{
    struct address address;
    char again[ADDRESS_TEXT_MAX];

    GP_REQUIRE_EQ(address_parse(gp_str_of(text), &address), 0);
    GP_CHECK_EQ(address.role, role);
    GP_CHECK_EQ(address.app, app);
    GP_CHECK_EQ(address.id, id);
    GP_CHECK_EQ(address.lane, lane);
    GP_CHECK_STR_EQ(address_format(&address, again), text);
}

GP_TEST(address, reads_and_writes_every_kind)
{
    check_round_trip("master", ROLE_MASTER, 0, 0, 0);
    check_round_trip("client", ROLE_CLIENT, 0, 0, 0);
    check_round_trip("worker/0", ROLE_WORKER, 0, 0, 0);
    check_round_trip("worker/3", ROLE_WORKER, 0, 3, 0);
    check_round_trip("app/7", ROLE_APPMASTER, 7, 0, 0);
    check_round_trip("app/7/executor/2", ROLE_EXECUTOR, 7, 2, 0);
    check_round_trip("app/4294967295/executor/4294967295/lane/4294967295", ROLE_LANE, UINT32_MAX,
                     UINT32_MAX, UINT32_MAX);
}

/* One spelling each: names are compared as text elsewhere. */
GP_TEST(address, refuses_what_is_not_exactly_a_name)
{
    static const char *const bad[] = {
        "",
        "masters",
        "master/1",
        "worker",
        "worker/",
        "worker/x",
        "worker/03",
        "worker/4294967296",
        "worker/3/",
        "worker/3/4",
        "app/",
        "app/7/",
        "app/7/executor",
        "app/7/executor/",
        "app/7/lane/1",
        "/app/7",
        "app//7",
        "app/7/executor/1/lane",
        "app/7/executor/1/lane/0/",
        "Client",
        "worker/-1",
        "app/7/executor/1/lane/0/0",
    };
    struct address address;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        GP_CHECK_EQ(address_parse(gp_str_of(bad[i]), &address), GP_EINVAL);
    }
}

GP_TEST(address, tells_names_apart)
{
    struct address a;
    struct address b;

    GP_REQUIRE_EQ(address_parse(GP_STR("app/7/executor/1"), &a), 0);
    GP_REQUIRE_EQ(address_parse(GP_STR("app/7/executor/2"), &b), 0);
    GP_CHECK(address_equal(&a, &a));
    GP_CHECK(!address_equal(&a, &b));
}
