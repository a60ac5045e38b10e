/* Applications once more (restarts.c): a real master among puppets. */
#include "control/master/internal.h"
#include "gp_test.h"
#include "yard.h"

#define ORDERS_MAX (RESTARTING_MAX + 1)

struct order {
    bool is_answered;
    int code;
    uint32_t id;
};

static void on_restarted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct order *o = user;

    (void)err;
    GP_CHECK(!o->is_answered);
    o->is_answered = true;
    o->code = code;
    o->id = code < 0 ? 0 : ((const struct msg_app_submitted *)msg)->id;
}

static void order(struct yard *y, const char *app, const char *request, struct order *ret)
{
    const struct msg_app_restart ask = {.app = (char *)(uintptr_t)app,
                                        .request_id = (char *)(uintptr_t)request};

    *ret = (struct order){0};
    GP_REQUIRE_EQ(
        client_ask_for(y->council.client, MSG_APP_RESTART, &ask, 100 * SECOND, on_restarted, ret),
        0);
}

static void read_app(struct buf *ret)
{
    char block[4096];
    FILE *file = fopen(GP_TEST_APP, "rb");
    size_t n;

    GP_REQUIRE(file);
    while ((n = fread(block, 1, sizeof block, file)) > 0) {
        GP_REQUIRE_EQ(buf_append(ret, block, n), 0);
    }
    (void)fclose(file);
}

/* The puppets' application has an artefact that is none; here it must be one. */
static void begin(struct yard *y, uint64_t seed)
{
    char path[ARTEFACT_PATH_MAX];
    uint8_t digest[SHA256_SIZE];
    struct buf file = {0};
    struct app *app;

    read_app(&file);
    yard_begin(y, seed, "0");
    (void)yard_add_worker(y, "one");
    yard_submit(y);
    app = registry_find(&y->council.masters[0]->registry, 1);
    sha256(buf_bytes(&file), digest);
    free(app->spec.sha256);
    app->spec.sha256 = malloc(SHA256_HEX_SIZE);
    GP_REQUIRE(app->spec.sha256);
    hex_encode(digest, sizeof digest, app->spec.sha256);
    GP_REQUIRE(artefact_path_format("/data", gp_str_of(app->spec.sha256), path, sizeof path) >= 0);
    GP_REQUIRE_EQ(sim_disk_put(y->council.hosts[0], path, buf_bytes(&file)), 0);
    buf_deinit(&file);
}

/* Two clicks, each with a request of its own, while the old one still ends. */
GP_TEST(restarts, joins_those_who_order_the_same)
{
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct order orders[3];
        struct yard y;

        begin(&y, seed);
        order(&y, "1", "a", &orders[0]);
        order(&y, "job", "b", &orders[1]);
        order(&y, "1", "a", &orders[2]);
        YARD_UNTIL(&y, orders[0].is_answered && orders[1].is_answered && orders[2].is_answered);
        for (int i = 0; i < 3; i++) {
            GP_CHECK_EQ(orders[i].code, 0);
            GP_CHECK_EQ(orders[i].id, 2);
        }
        GP_CHECK(list_is_empty(&y.council.masters[0]->restarting));
        /* Of an answer that was lost. */
        order(&y, "1", "a", &orders[0]);
        YARD_UNTIL(&y, orders[0].is_answered);
        GP_CHECK_EQ(orders[0].id, 2);
        /* Another request, when the new one runs under that name. */
        order(&y, "1", "c", &orders[0]);
        YARD_UNTIL(&y, orders[0].is_answered);
        GP_CHECK_EQ(orders[0].code, GP_EEXIST);
        yard_end(&y);
    }
}

GP_TEST(restarts, are_bounded)
{
    static struct order orders[ORDERS_MAX];
    char request[16];
    uint32_t refused = 0;
    struct yard y;

    begin(&y, 1);
    for (uint32_t i = 0; i < ORDERS_MAX; i++) {
        (void)snprintf(request, sizeof request, "r%u", i);
        order(&y, "1", request, &orders[i]);
    }
    for (uint32_t i = 0; i < ORDERS_MAX; i++) {
        YARD_UNTIL(&y, orders[i].is_answered);
        GP_CHECK(orders[i].code == 0 || orders[i].code == GP_EFULL);
        GP_CHECK(orders[i].code < 0 || orders[i].id == 2);
        refused += orders[i].code < 0;
    }
    GP_CHECK_EQ(refused, 1);
    yard_end(&y);
}
