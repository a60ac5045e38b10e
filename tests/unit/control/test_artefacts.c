#include "base/str.h"
#include "control/artefacts.h"
#include "control/file_hash.h"
#include "desk.h"
#include "gp_test.h"

struct shop {
    struct desk desk;
    struct artefacts store;
};

static void shop_begin(struct shop *shop, uint64_t size_max)
{
    desk_begin(&shop->desk);
    GP_REQUIRE_EQ(artefacts_open(&shop->store, shop->desk.port, "/data", size_max, NULL), 0);
}

static void sha_of(const char *text, char hex[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256(gp_bytes_of(text, strlen(text)), digest);
    hex_encode(digest, sizeof digest, hex);
}

static int write_all(struct artefact_in *in, const char *text)
{
    return artefact_write(in, in->received, gp_bytes_of(text, strlen(text)), NULL);
}

static bool has(const struct shop *shop, const char *sha)
{
    char path[ARTEFACT_PATH_MAX];

    return artefacts_find(&shop->store, gp_str_of(sha), path, sizeof path) == 1;
}

static void on_checked(void *user, int code, const struct gp_error *err)
{
    (void)err;
    *(int *)user = code;
}

static int verify(struct shop *shop, const char *sha)
{
    int code = 1;

    artefacts_check(&shop->store, gp_str_of(sha), on_checked, &code);
    return code;
}

GP_TEST(artefacts, keeps_what_came_in_pieces)
{
    struct shop shop;
    struct artefact_in in = {0};
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, 1000);
    sha_of("hello world", sha);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 11, &in, NULL), 0);
    GP_CHECK_EQ(write_all(&in, "hello "), 0);
    GP_CHECK(!has(&shop, sha));
    GP_CHECK_EQ(write_all(&in, "world"), 0);
    GP_CHECK_EQ(artefact_commit(&in, NULL), 0);
    GP_CHECK(has(&shop, sha));
    GP_CHECK_EQ(verify(&shop, sha), 0);
    GP_CHECK_EQ(desk_files(&shop.desk, "/data"), 1);
    GP_CHECK_EQ(shop.store.incoming, 0);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, refuses_another_content)
{
    struct shop shop;
    struct artefact_in in = {0};
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, 1000);
    sha_of("hello world", sha);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 11, &in, NULL), 0);
    GP_CHECK_EQ(write_all(&in, "hello w0rld"), 0);
    GP_CHECK_EQ(artefact_commit(&in, NULL), GP_ECHECKSUM);
    GP_CHECK(!has(&shop, sha));
    GP_CHECK_EQ(desk_files(&shop.desk, "/data"), 0);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, forgets_what_was_cut)
{
    struct shop shop;
    struct artefact_in in = {0};
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, 1000);
    sha_of("hello world", sha);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 11, &in, NULL), 0);
    GP_CHECK_EQ(write_all(&in, "hello"), 0);
    artefact_drop(&in);
    artefact_drop(&in);
    GP_CHECK_EQ(desk_files(&shop.desk, "/data"), 0);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 11, &in, NULL), 0);
    GP_CHECK_EQ(write_all(&in, "hello"), 0);
    GP_CHECK_EQ(artefact_commit(&in, NULL), GP_EPROTO);
    GP_CHECK_EQ(shop.store.incoming, 0);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, bounds_size_order_and_number)
{
    struct shop shop;
    struct artefact_in in[ARTEFACTS_INCOMING_MAX + 1] = {0};
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, 10);
    sha_of("0123456789", sha);
    GP_CHECK_EQ(artefact_begin(&shop.store, gp_str_of(sha), 11, &in[0], NULL), GP_ETOOBIG);
    GP_CHECK_EQ(artefact_begin(&shop.store, gp_str_of(sha), 0, &in[0], NULL), GP_ETOOBIG);
    for (uint32_t i = 0; i < ARTEFACTS_INCOMING_MAX; i++) {
        GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 10, &in[i], NULL), 0);
    }
    GP_CHECK_EQ(artefact_begin(&shop.store, gp_str_of(sha), 10, &in[ARTEFACTS_INCOMING_MAX], NULL),
                GP_EFULL);
    GP_CHECK_EQ(artefact_write(&in[0], 1, gp_bytes_of("x", 1), NULL), GP_EPROTO);
    GP_CHECK_EQ(write_all(&in[0], "0123456789+"), GP_EPROTO);
    for (uint32_t i = 0; i < ARTEFACTS_INCOMING_MAX; i++) {
        artefact_drop(&in[i]);
    }
    desk_end(&shop.desk);
}

/* Two uploads of one file at a time: both are right, the second changes nothing. */
GP_TEST(artefacts, takes_the_same_file_twice_at_once)
{
    struct shop shop;
    struct artefact_in a = {0};
    struct artefact_in b = {0};
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, 1000);
    sha_of("same", sha);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 4, &a, NULL), 0);
    GP_REQUIRE_EQ(artefact_begin(&shop.store, gp_str_of(sha), 4, &b, NULL), 0);
    GP_CHECK_EQ(write_all(&a, "same"), 0);
    GP_CHECK_EQ(write_all(&b, "same"), 0);
    GP_CHECK_EQ(artefact_commit(&a, NULL), 0);
    GP_CHECK_EQ(artefact_commit(&b, NULL), 0);
    GP_CHECK_EQ(verify(&shop, sha), 0);
    GP_CHECK_EQ(desk_files(&shop.desk, "/data"), 1);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, notices_a_damaged_file)
{
    struct shop shop;
    char sha[SHA256_HEX_SIZE];
    char path[ARTEFACT_PATH_MAX];
    uint64_t size;

    shop_begin(&shop, 1000);
    GP_REQUIRE_EQ(sim_disk_put(shop.desk.host, "/plugin.so", gp_bytes_of("content", 7)), 0);
    GP_REQUIRE_EQ(artefacts_add_file(&shop.store, "/plugin.so", sha, sizeof sha, &size, NULL), 0);
    GP_CHECK_EQ(size, 7);
    GP_REQUIRE(artefacts_find(&shop.store, gp_str_of(sha), path, sizeof path));
    GP_CHECK_EQ(verify(&shop, sha), 0);
    GP_REQUIRE_EQ(sim_disk_put(shop.desk.host, path, gp_bytes_of("cOntent", 7)), 0);
    GP_CHECK_EQ(verify(&shop, sha), GP_ECHECKSUM);
    desk_end(&shop.desk);
}

/* ---- a loop is not held up ---- */

#define LARGE_BYTES ((3u << 20) + 17)

/* The disk of a shop, which counts what is read. */
struct meter {
    struct fs_ops fs;
    const struct fs_ops *real;
    struct port port;
    uint64_t bytes;
};

static struct meter meter;

static int64_t metered_read(void *world, struct file *file, uint64_t offset, void *ptr, size_t len)
{
    int64_t n = meter.real->read_at(world, file, offset, ptr, len);

    meter.bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

static void put_large(struct shop *shop, char sha[SHA256_HEX_SIZE], char path[ARTEFACT_PATH_MAX])
{
    static char content[LARGE_BYTES];
    uint8_t digest[SHA256_SIZE];

    sha256(gp_bytes_of(content, sizeof content), digest);
    hex_encode(digest, sizeof digest, sha);
    GP_REQUIRE(artefact_path_format("/data", gp_str_of(sha), path, ARTEFACT_PATH_MAX) >= 0);
    GP_REQUIRE_EQ(sim_disk_put(shop->desk.host, path, gp_bytes_of(content, sizeof content)), 0);
    meter = (struct meter){
        .fs = *shop->desk.port->fs, .real = shop->desk.port->fs, .port = *shop->desk.port};
    meter.fs.read_at = metered_read;
    meter.port.fs = &meter.fs;
    shop->store.port = &meter.port;
}

GP_TEST(artefacts, checks_large_files_by_slices_and_by_turns)
{
    struct shop shop;
    int codes[3] = {1, 1, 1};
    char path[ARTEFACT_PATH_MAX];
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, LARGE_BYTES);
    put_large(&shop, sha, path);
    for (int i = 0; i < 3; i++) {
        artefacts_check(&shop.store, gp_str_of(sha), on_checked, &codes[i]);
        GP_CHECK(meter.bytes <= FILE_HASH_SLICE_BYTES);
        meter.bytes = 0;
    }
    while (codes[0] > 0 || codes[1] > 0 || codes[2] > 0) {
        GP_REQUIRE(sim_step(shop.desk.sim));
        GP_CHECK(meter.bytes <= FILE_HASH_SLICE_BYTES);
        meter.bytes = 0;
    }
    GP_CHECK(codes[0] == 0 && codes[1] == 0 && codes[2] == 0);
    GP_REQUIRE_EQ(sim_disk_put(shop.desk.host, path, gp_bytes_of("small", 5)), 0);
    GP_CHECK_EQ(verify(&shop, sha), GP_ECHECKSUM);
    GP_CHECK(!has(&shop, sha));
    artefacts_close(&shop.store);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, forgets_checks_when_it_is_closed)
{
    struct shop shop;
    int code = 1;
    char path[ARTEFACT_PATH_MAX];
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, LARGE_BYTES);
    put_large(&shop, sha, path);
    artefacts_check(&shop.store, gp_str_of(sha), on_checked, &code);
    artefacts_close(&shop.store);
    while (sim_step(shop.desk.sim)) {
    }
    GP_CHECK_EQ(code, 1);
    desk_end(&shop.desk);
}

/* Of a file that is no plugin as little is read as that takes. */
GP_TEST(artefacts, reads_a_note_without_the_rest)
{
    struct shop shop;
    struct gp_note note;
    char path[ARTEFACT_PATH_MAX];
    char sha[SHA256_HEX_SIZE];

    shop_begin(&shop, LARGE_BYTES);
    put_large(&shop, sha, path);
    GP_CHECK_EQ(artefacts_note(&shop.store, gp_str_of(sha), &note, NULL), GP_EABI);
    GP_CHECK(meter.bytes <= 8192);
    desk_end(&shop.desk);
}

GP_TEST(artefacts, never_makes_a_path_of_a_strange_name)
{
    static const char *const names[] = {
        "",
        "..",
        "abc",
        "../../../../../../../../../../../../../../../../../../../../../etc/passwd",
        "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789",
        "/123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    struct shop shop;
    struct artefact_in in = {0};
    char path[ARTEFACT_PATH_MAX];

    shop_begin(&shop, 1000);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        GP_CHECK(!artefact_sha_is_valid(gp_str_of(names[i])));
        GP_CHECK_EQ(artefacts_find(&shop.store, gp_str_of(names[i]), path, sizeof path), 0);
        GP_CHECK_EQ(artefact_begin(&shop.store, gp_str_of(names[i]), 1, &in, NULL), GP_EINVAL);
    }
    desk_end(&shop.desk);
}

GP_TEST(artefacts, clears_what_an_earlier_life_left)
{
    struct shop shop;

    desk_begin(&shop.desk);
    GP_REQUIRE_EQ(sim_disk_put(shop.desk.host, "/data/incoming/3", gp_bytes_of("half", 4)), 0);
    GP_REQUIRE_EQ(artefacts_open(&shop.store, shop.desk.port, "/data", 1000, NULL), 0);
    GP_CHECK_EQ(desk_files(&shop.desk, "/data"), 0);
    desk_end(&shop.desk);
}
