/*
 * Every allocation of the room, refused in turn: the call fails with GP_ENOMEM or NULL, what was
 * there before is as it was, nothing leaks (the address sanitizer looks), and the next try works.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include "base/str.h"
#include "base/value.h"
#include "gp_test.h"
#include "nomem.h"

/*
 * Runs `act` with its nth allocation refused, for every n until it succeeds; act answers 0 or
 * GP_ENOMEM and cleans up. Returns how many allocations could be refused.
 */
static int refuse_each(int (*act)(void))
{
    for (int n = 0; n < 1000; n++) {
        int rc;

        nomem_arm(n, 1);
        rc = act();
        if (!nomem_disarm()) {
            GP_CHECK_EQ(rc, 0);
            return n;
        }
        GP_CHECK_EQ(rc, GP_ENOMEM);
    }
    GP_TEST_FAIL("it never succeeds");
    return 0;
}

static int fill_buf(void)
{
    struct buf b = {0};
    int rc = 0;

    for (int i = 0; i < 1000 && rc == 0; i++) {
        size_t before = buf_len(&b);

        rc = buf_append_fmt(&b, "%d", i);
        GP_CHECK(rc == 0 || buf_len(&b) == before);
    }
    buf_deinit(&b);
    return rc;
}

GP_TEST(nomem, buf_survives)
{
    GP_CHECK(refuse_each(fill_buf) >= 4);
}

static int fill_map(void)
{
    struct map_str m;
    char key[16];
    int thing;
    int rc = 0;

    map_str_init(&m, 100, 1, MAP_KEYS_OWNED);
    for (int i = 0; i < 20 && rc == 0; i++) {
        (void)str_format(key, sizeof(key), "%d", i);
        rc = map_str_add(&m, gp_str_of(key), &thing);
        GP_CHECK((map_str_get(&m, gp_str_of(key)) != NULL) == (rc == 0));
        GP_CHECK_EQ(map_str_count(&m), rc == 0 ? i + 1 : i);
    }
    map_str_deinit(&m);
    return rc;
}

GP_TEST(nomem, map_survives)
{
    GP_CHECK(refuse_each(fill_map) >= 22);
}

static int make_values(void)
{
    struct value *o = value_new_object();
    struct value *copy = NULL;
    int rc = GP_ENOMEM;

    if (o == NULL) {
        return rc;
    }
    rc = value_set_str(o, GP_STR("name"), GP_STR("x"));
    if (rc == 0) {
        rc = value_set_take(o, GP_STR("list"), value_new_list());
    }
    for (int i = 0; i < 10 && rc == 0; i++) {
        rc = value_append_take(value_get(o, GP_STR("list")), value_new_i64(i));
    }
    if (rc == 0) {
        copy = value_dup(o);
        rc = copy != NULL ? 0 : GP_ENOMEM;
    }
    GP_CHECK(rc < 0 || value_equal(o, copy));
    value_free(copy);
    value_free(o);
    return rc;
}

GP_TEST(nomem, values_survive)
{
    GP_CHECK(refuse_each(make_values) >= 30);
}
