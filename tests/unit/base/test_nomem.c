/*
 * Every allocation of the room, refused in turn: the call fails with GP_ENOMEM or NULL, what was
 * there before is as it was, nothing leaks (the address sanitizer looks), and the next try works.
 *
 * The linker sends the room's calls of malloc and its kin here (--wrap), and this file lets them
 * through until the countdown reaches zero.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/value.h"
#include "gp_test.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

static long countdown = -1; /* the allocation to refuse, counted from 0; -1: none */

static bool refuse(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return refuse() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return refuse() ? NULL : __real_aligned_alloc(align, size);
}

/*
 * Runs `act` with its nth allocation refused, for every n until it succeeds; act answers 0 or
 * GP_ENOMEM and cleans up. Returns how many allocations could be refused.
 */
static int refuse_each(int (*act)(void))
{
    for (int n = 0; n < 1000; n++) {
        int rc;

        countdown = n;
        rc = act();
        if (countdown >= 0) {
            countdown = -1;
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

static int use_pool_and_arena(void)
{
    struct pool p = {0};
    struct arena a;
    int rc = pool_init(&p, 64, 4);

    arena_init(&a, 64, 4096);
    if (rc == 0) {
        rc = pool_reserve(&p, 4);
    }
    for (int i = 0; i < 10 && rc == 0; i++) {
        rc = arena_alloc(&a, 60) != NULL ? 0 : GP_ENOMEM;
    }
    arena_deinit(&a);
    pool_deinit(&p);
    return rc;
}

GP_TEST(nomem, pool_and_arena_survive)
{
    GP_CHECK(refuse_each(use_pool_and_arena) >= 15);
}
