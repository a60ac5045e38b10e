/* Proofs and what keys speak for. */
#include "gp_test.h"
#include "wire/hello.h"

static gp_bytes bytes_of(const char *text)
{
    return gp_bytes_of(text, strlen(text));
}

/* Pinned, for strangers compute it too: see "A worked example" in PROTOCOL.md. */
GP_TEST(hello, proves_as_the_protocol_says)
{
    char hex[SHA256_HEX_SIZE];

    hello_prove(bytes_of("secret"), HELLO_CLIENT, bytes_of("{\"a\":1}"), bytes_of("{\"b\":2}"),
                hex);
    GP_CHECK_STR_EQ(hex, "bba03dcd199545f267262f6fa1e737940e9e5437bd5ef4da2a7820e7c28fc4d7");
    hello_prove(bytes_of("secret"), HELLO_SERVER, bytes_of("{\"a\":1}"), bytes_of("{\"b\":2}"),
                hex);
    GP_CHECK_STR_EQ(hex, "263e5d219bf2000f62ff8b56c2a2e23204d512138b6684646898e94b2c3d09d4");
}

GP_TEST(hello, takes_a_proof_for_nothing_else)
{
    char hex[SHA256_HEX_SIZE];
    const gp_bytes key = bytes_of("secret");
    const gp_bytes a = bytes_of("{\"a\":1}");
    const gp_bytes b = bytes_of("{\"b\":2}");

    hello_prove(key, HELLO_CLIENT, a, b, hex);
    GP_CHECK(hello_proof_is_good(key, HELLO_CLIENT, a, b, hex));
    GP_CHECK(!hello_proof_is_good(key, HELLO_SERVER, a, b, hex)); /* reflected */
    GP_CHECK(!hello_proof_is_good(key, HELLO_CLIENT, b, a, hex));
    GP_CHECK(!hello_proof_is_good(bytes_of("Secret"), HELLO_CLIENT, a, b, hex));
    GP_CHECK(!hello_proof_is_good(key, HELLO_CLIENT, bytes_of("{\"a\":2}"), b, hex));
    GP_CHECK(!hello_proof_is_good(key, HELLO_CLIENT, a, b, ""));
    GP_CHECK(!hello_proof_is_good(key, HELLO_CLIENT, a, b, "zz"));
    hex[0] = hex[0] == '0' ? '1' : '0';
    GP_CHECK(!hello_proof_is_good(key, HELLO_CLIENT, a, b, hex));
}

static int allows(const char *key, enum role role, const char *name)
{
    return hello_key_allows(gp_str_of(key), role, gp_str_of(name), NULL);
}

GP_TEST(hello, lets_a_key_speak_for_its_own)
{
    GP_CHECK_EQ(allows("cluster", ROLE_MASTER, "master"), 0);
    GP_CHECK_EQ(allows("cluster", ROLE_WORKER, "worker/3"), 0);
    GP_CHECK_EQ(allows("cluster", ROLE_CLIENT, "client"), 0);
    GP_CHECK_EQ(allows("cluster", ROLE_EXECUTOR, "app/7/executor/1"), GP_EACCES);
    GP_CHECK_EQ(allows("app/7", ROLE_APPMASTER, "app/7"), 0);
    GP_CHECK_EQ(allows("app/7", ROLE_EXECUTOR, "app/7/executor/1"), 0);
    GP_CHECK_EQ(allows("app/7", ROLE_LANE, "app/7/executor/1/lane/0"), 0);
    GP_CHECK_EQ(allows("app/7", ROLE_EXECUTOR, "app/71/executor/1"), GP_EACCES);
    GP_CHECK_EQ(allows("app/7", ROLE_EXECUTOR, "app/8/executor/1"), GP_EACCES);
    GP_CHECK_EQ(allows("app/7", ROLE_MASTER, "master"), GP_EACCES);
    GP_CHECK_EQ(allows("app/7", ROLE_CLIENT, "app/7"), GP_EACCES);
    GP_CHECK_EQ(allows("app/", ROLE_EXECUTOR, "app/7/executor/1"), GP_EACCES);
    GP_CHECK_EQ(allows("", ROLE_CLIENT, "client"), GP_EACCES);
    GP_CHECK_EQ(allows("cluster", (enum role)17, "client"), GP_EACCES);
}

GP_TEST(hello, names_its_roles)
{
    GP_CHECK_STR_EQ(role_names[ROLE_MASTER], "master");
    GP_CHECK_STR_EQ(role_names[ROLE_LANE], "lane");
    GP_CHECK(role_names[ROLE_LANE + 1] == NULL);
}
