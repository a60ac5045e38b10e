/*
 * Damaged files, some thousands: a journal opens with exactly what was written, or is refused with
 * the name of the file, or has lost the end of its newest log file where nothing is left to tell:
 * when the file was cut, or the last append and the mark behind it are damaged both. No single
 * flipped bit does that. Never a crash, a hang, or anything else.
 */
#include "base/crc32c.h"
#include "base/endian.h"
#include "gp_test.h"
#include "journal_model.h"
#include "raft/journal_format.h"

#define JOURNALS      24u
#define FLIPS_A_FILE  24u
#define CUTS_A_FILE   14u
#define SMEARS_A_FILE 6u
#define HISTORY       32u

/* A journal on its disk, what is in it, and what was before each of its last acts. */
struct sample {
    struct frail f;
    struct model m;
    struct model before[HISTORY];
    struct act acts[HISTORY];
    char newest[FRAIL_NAME_MAX]; /* log file */
};

struct tally {
    uint32_t files;
    uint32_t exact;
    uint32_t refused;
    uint32_t cut;
};

/* ---- samples ---- */

static void find_newest(struct sample *s)
{
    struct state_file state;

    GP_REQUIRE_EQ(state_file_decode(frail_get(&s->f, MODEL_FOLDER "/state-1"), &state), 0);
    (void)snprintf(s->newest, sizeof s->newest, "%s/log-%" PRIu64, MODEL_FOLDER, state.log_end);
}

static void sample_make(struct sample *s, uint64_t seed)
{
    struct journal *j = NULL;
    struct rng rng;

    frail_init(&s->f, seed);
    model_init(&s->m);
    rng_init(&rng, seed);
    GP_REQUIRE_EQ(model_open(&s->f, &j, NULL), 0);
    for (uint32_t i = 0; i < 30 + seed * 4 || s->m.snapshot == 0 || s->m.count < 3; i++) {
        const struct act act = model_draw(&s->m, &rng);

        GP_REQUIRE_EQ(act_run(&act, &s->m, &s->f, &j, NULL), 0);
        s->before[i % HISTORY] = s->m;
        s->acts[i % HISTORY] = act;
        model_apply(&s->m, &act);
    }
    journal_close(j);
    find_newest(s);
}

/* ---- one damaged file ---- */

static const char *base_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static uint64_t log_bytes_of(const struct frail *f)
{
    struct state_file state;

    return state_file_decode(frail_get(f, MODEL_FOLDER "/state-1"), &state) == 0 ? state.log_bytes
                                                                                 : 0;
}

/* The journal is as it was after one of the last acts, or a part of an append; but of term, vote
 * and snapshot nothing is lost. */
static bool is_model_cut_short(const struct sample *s, struct journal *j)
{
    struct model *m = malloc(sizeof(*m));
    bool is = false;

    GP_REQUIRE(m != NULL);
    for (uint32_t i = 0; !is && i < HISTORY; i++) {
        *m = s->before[i];
        m->term = s->m.term;
        m->vote = s->m.vote;
        is = m->snapshot == s->m.snapshot && model_settle(m, &s->acts[i], j) == NULL;
    }
    free(m);
    return is;
}

/* `may_cut`: the damage took the end of the newest log file away as a whole. */
static void check(const struct sample *s, struct frail *f, const char *path, bool may_cut,
                  const char *how, uint64_t at, struct tally *tally)
{
    struct journal *j = NULL;
    struct gp_error err = {0};
    const int rc = model_open(f, &j, &err);

    tally->files++;
    if (rc < 0) {
        tally->refused++;
        if (strstr(err.text, base_of(path)) == NULL || err.code != rc) {
            GP_TEST_FAIL("%s, %s at %" PRIu64 ": refused without its name: %s", path, how, at,
                         err.text);
        }
        if (strstr(path, "/state-") != NULL) {
            GP_TEST_FAIL("%s, %s at %" PRIu64 ": not mended: %s", path, how, at, err.text);
        }
        return;
    }
    if (model_differs(&s->m, j) == NULL) {
        tally->exact++;
    } else if (may_cut && is_model_cut_short(s, j)) {
        tally->cut++;
    } else {
        GP_TEST_FAIL("%s, %s at %" PRIu64 ": %s", path, how, at, model_differs(&s->m, j));
    }
    journal_close(j);
}

static void damage(const struct sample *s, const char *path, gp_bytes bytes, bool may_cut,
                   const char *how, uint64_t at, struct tally *tally)
{
    struct frail f;

    frail_init(&f, 1);
    frail_copy(&f, &s->f);
    if (bytes.ptr != NULL || bytes.len > 0) {
        frail_put(&f, path, bytes);
    } else {
        frail_remove(&f, path);
    }
    check(s, &f, path, may_cut, how, at, tally);
    frail_deinit(&f);
}

/* ---- kinds of damage ---- */

static void cut(const struct sample *s, const char *path, uint64_t len, struct tally *tally)
{
    const gp_bytes bytes = frail_get(&s->f, path);
    const bool is_newest = strcmp(path, s->newest) == 0;

    len = len < bytes.len ? len : bytes.len - 1;
    /* What the state remembers of the file must be there. */
    damage(s, path, gp_bytes_of(bytes.ptr, len), is_newest && len >= log_bytes_of(&s->f), "cut",
           len, tally);
}

static void cut_all_ways(const struct sample *s, const char *path, struct rng *rng,
                         struct tally *tally)
{
    const gp_bytes bytes = frail_get(&s->f, path);
    const uint64_t block = 512;

    damage(s, path, (gp_bytes){0}, false, "missing", 0, tally);
    cut(s, path, 0, tally);
    cut(s, path, 1, tally);
    cut(s, path, LOG_HEADER_BYTES - 1, tally);
    cut(s, path, LOG_HEADER_BYTES, tally);
    cut(s, path, LOG_HEADER_BYTES + RECORD_HEADER_BYTES, tally);
    cut(s, path, bytes.len - 1, tally);
    cut(s, path, bytes.len - 8, tally);
    cut(s, path, bytes.len - RECORD_HEADER_BYTES, tally);
    cut(s, path, bytes.len / block * block, tally);
    for (uint32_t i = 0; i < CUTS_A_FILE; i++) {
        cut(s, path, rng_below(rng, bytes.len), tally);
    }
}

/* The last mark, too, so that nothing tells of the end of the newest log file. */
static bool hits_mark(const struct sample *s, const char *path, const unsigned char *copy)
{
    const gp_bytes bytes = frail_get(&s->f, path);
    const size_t at = bytes.len - RECORD_HEADER_BYTES;

    return strcmp(path, s->newest) == 0 &&
           memcmp(copy + at, (const unsigned char *)bytes.ptr + at, RECORD_HEADER_BYTES) != 0;
}

static void flip(const struct sample *s, const char *path, struct rng *rng, uint32_t bits,
                 struct tally *tally)
{
    const gp_bytes bytes = frail_get(&s->f, path);
    unsigned char *copy = malloc(bytes.len);
    uint64_t at = 0;

    GP_REQUIRE(copy != NULL);
    memcpy(copy, bytes.ptr, bytes.len);
    for (uint32_t i = 0; i < bits; i++) {
        at = rng_below(rng, bytes.len);
        copy[at] ^= (unsigned char)(1u << rng_below(rng, 8));
    }
    damage(s, path, gp_bytes_of(copy, bytes.len), bits > 1 && hits_mark(s, path, copy), "flipped",
           at, tally);
    free(copy);
}

/* A stretch of zeros, of rubbish, or of the same file; or more bytes at the end. */
static void smear(const struct sample *s, const char *path, struct rng *rng, struct tally *tally)
{
    const gp_bytes bytes = frail_get(&s->f, path);
    const uint64_t way = rng_below(rng, 4);
    const uint64_t at = way == 3 ? bytes.len : rng_below(rng, bytes.len);
    const uint64_t len = 1 + rng_below(rng, way == 3 ? 200 : bytes.len - at);
    unsigned char *copy = calloc(1, bytes.len + 200);

    GP_REQUIRE(copy != NULL);
    memcpy(copy, bytes.ptr, bytes.len);
    if (way == 0) {
        memset(copy + at, 0, len);
    } else if (way == 1) {
        rng_fill(rng, copy + at, len);
    } else if (way == 2) {
        memmove(copy + at, copy + rng_below(rng, bytes.len - len + 1), len);
    } else {
        rng_fill(rng, copy + at, len / 2);
    }
    damage(s, path, gp_bytes_of(copy, way == 3 ? bytes.len + len : bytes.len),
           hits_mark(s, path, copy), "smeared", at, tally);
    free(copy);
}

GP_TEST(journal_damage, is_refused_or_mended)
{
    struct tally tally = {0};
    struct rng rng;

    rng_init(&rng, 1);
    for (uint64_t seed = 1; seed <= JOURNALS; seed++) {
        static struct sample s;

        sample_make(&s, seed);
        for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
            const char *path = s.f.now[i].path;

            if (path[0] == '\0') {
                continue;
            }
            cut_all_ways(&s, path, &rng, &tally);
            for (uint32_t k = 0; k < FLIPS_A_FILE; k++) {
                flip(&s, path, &rng, 1 + k % 3, &tally);
            }
            for (uint32_t k = 0; k < SMEARS_A_FILE; k++) {
                smear(&s, path, &rng, &tally);
            }
        }
        frail_deinit(&s.f);
    }
    printf("damaged files: %u; opened with all: %u, refused: %u, end cut: %u\n", tally.files,
           tally.exact, tally.refused, tally.cut);
    GP_CHECK(tally.files >= 2000);
    GP_CHECK(tally.exact > 500 && tally.refused > 500 && tally.cut > 50);
}

/* ---- damage with a right checksum: files that are whole, but not these ---- */

static void swap_files(const struct sample *s, const char *a, const char *b, struct tally *tally)
{
    struct journal *j = NULL;
    struct gp_error err = {0};
    struct frail f;

    frail_init(&f, 1);
    frail_copy(&f, &s->f);
    frail_put(&f, a, frail_get(&s->f, b));
    tally->files++;
    if (model_open(&f, &j, &err) < 0) {
        tally->refused++;
        GP_CHECK(strstr(err.text, base_of(a)) != NULL);
    } else {
        GP_TEST_FAIL("%s in place of %s is believed", b, a);
        journal_close(j);
    }
    frail_deinit(&f);
}

GP_TEST(journal_damage, another_file_of_the_same_folder_is_refused)
{
    struct tally tally = {0};

    for (uint64_t seed = 1; seed <= 6; seed++) {
        static struct sample s;

        sample_make(&s, seed);
        for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
            for (uint32_t k = 0; k < FRAIL_FILES_MAX; k++) {
                const char *a = s.f.now[i].path;
                const char *b = s.f.now[k].path;

                if (i != k && a[0] != '\0' && b[0] != '\0' && strstr(a, "state-") == NULL) {
                    swap_files(&s, a, b, &tally);
                }
            }
        }
        frail_deinit(&s.f);
    }
    GP_CHECK(tally.files > 50);
    GP_CHECK_EQ(tally.refused, tally.files);
}

/* The same member number is not what makes a disk: files of another one are told apart by it. */
GP_TEST(journal_damage, files_of_another_member_are_refused)
{
    struct sample s;
    struct journal *j = NULL;
    struct gp_error err = {0};
    struct state_file state;
    unsigned char bytes[STATE_BYTES];

    sample_make(&s, 3);
    GP_REQUIRE_EQ(state_file_decode(frail_get(&s.f, MODEL_FOLDER "/state-1"), &state), 0);
    state.member++;
    state_file_encode(&state, bytes);
    frail_put(&s.f, MODEL_FOLDER "/state-1", gp_bytes_of(bytes, sizeof bytes));
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_ESTATE); /* the two state files */
    frail_put(&s.f, MODEL_FOLDER "/state-2", gp_bytes_of(bytes, sizeof bytes));
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_ESTATE); /* the snapshot */
    GP_CHECK(strstr(err.text, "/snapshot-") != NULL);
    frail_deinit(&s.f);
}

/* One after the other may be lost, as long as there is an opening in between. */
GP_TEST(journal_damage, a_state_file_is_mended_from_the_other)
{
    static struct sample s;
    struct journal *j = NULL;

    sample_make(&s, 2);
    for (int i = 0; i < 6; i++) {
        const char *path = i % 2 == 0 ? MODEL_FOLDER "/state-1" : MODEL_FOLDER "/state-2";

        if (i % 3 == 0) {
            frail_remove(&s.f, path);
        } else {
            frail_put(&s.f, path, gp_bytes_of("rubbish", i % 3 == 1 ? 7 : 0));
        }
        GP_REQUIRE_EQ(model_open(&s.f, &j, NULL), 0);
        GP_CHECK(model_differs(&s.m, j) == NULL);
        journal_close(j);
        frail_restart(&s.f, true);
    }
    frail_deinit(&s.f);
}

GP_TEST(journal_damage, both_state_files_are_needed_to_lose_the_state)
{
    struct sample s;
    struct journal *j = NULL;
    struct gp_error err = {0};

    sample_make(&s, 4);
    frail_put(&s.f, MODEL_FOLDER "/state-1", gp_bytes_of("rubbish", 7));
    frail_put(&s.f, MODEL_FOLDER "/state-2", gp_bytes_of("", 0));
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_EPROTO);
    GP_CHECK(strstr(err.text, "state-1") != NULL);
    frail_remove(&s.f, MODEL_FOLDER "/state-1");
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_ESTATE);
    frail_remove(&s.f, MODEL_FOLDER "/state-2");
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_ESTATE);
    GP_CHECK(strstr(err.text, "state-1") != NULL);
    frail_deinit(&s.f);
}

/* Changes a 64-bit field of a block that ends with its checksum, and makes that right again. */
static void forge(struct frail *f, const char *path, size_t block, size_t offset, uint64_t value)
{
    const gp_bytes bytes = frail_get(f, path);
    unsigned char *copy = malloc(bytes.len);

    GP_REQUIRE(copy != NULL);
    memcpy(copy, bytes.ptr, bytes.len);
    put_u64_le(copy + offset, value);
    put_u32_le(copy + block - 4, crc32c(0, copy, block - 4));
    frail_put(f, path, gp_bytes_of(copy, bytes.len));
    free(copy);
}

/* Numbers that no journal writes, in both state files: refused, or as empty as they say. */
GP_TEST(journal_damage, impossible_numbers_are_refused)
{
    static const uint64_t values[] = {0,          1,        2,  1000, UINT64_MAX, INT64_MAX,
                                      UINT32_MAX, 1u << 31, 47, 48,   49,         UINT64_MAX - 1};
    uint32_t refused = 0;

    for (size_t offset = 16; offset <= 72; offset += 8) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            static struct sample s;
            struct journal *j = NULL;

            sample_make(&s, 5);
            forge(&s.f, MODEL_FOLDER "/state-1", STATE_BYTES, offset, values[i]);
            forge(&s.f, MODEL_FOLDER "/state-2", STATE_BYTES, offset, values[i]);
            refused += model_open(&s.f, &j, NULL) < 0;
            journal_close(j);
            frail_deinit(&s.f);
        }
    }
    GP_CHECK(refused > 50);
}

GP_TEST(journal_damage, a_later_version_is_told_from_damage)
{
    struct sample s;
    struct journal *j = NULL;
    struct gp_error err = {0};
    unsigned char version[8] = {'G', 'p', 'L', 'g', 2};

    sample_make(&s, 6);
    forge(&s.f, s.newest, LOG_HEADER_BYTES, 0, get_u64_le(version));
    GP_CHECK_EQ(model_open(&s.f, &j, &err), GP_EUNSUPPORTED);
    GP_CHECK(strstr(err.text, base_of(s.newest)) != NULL);
    frail_deinit(&s.f);
}

/* ---- memory ---- */

/* Damage that comes while the journal is open is found at the read. */
GP_TEST(journal_damage, is_found_by_a_later_read)
{
    const struct journal_entry entry = {3, 1, {"some bytes of an entry", 22}};
    struct frail f;
    struct journal *j = NULL;
    struct gp_error err = {0};
    struct buf buf = {0};
    uint64_t term;
    uint16_t type;
    unsigned char *bytes;

    frail_init(&f, 1);
    GP_REQUIRE_EQ(model_open(&f, &j, NULL), 0);
    GP_REQUIRE_EQ(journal_set_member(j, 7, "g", NULL), 0);
    GP_REQUIRE_EQ(journal_append(j, &entry, 1, NULL), 0);
    bytes = (unsigned char *)(uintptr_t)frail_get(&f, MODEL_FOLDER "/log-1").ptr;
    bytes[LOG_HEADER_BYTES + RECORD_HEADER_BYTES + 3] ^= 1;
    GP_CHECK_EQ(journal_read(j, 1, &term, &type, &buf, &err), GP_ECHECKSUM);
    GP_CHECK(strstr(err.text, "/log-1") != NULL);
    GP_CHECK_EQ(buf_len(&buf), 0);
    bytes[LOG_HEADER_BYTES + RECORD_HEADER_BYTES + 3] ^= 1;
    GP_CHECK_EQ(journal_read(j, 1, &term, &type, &buf, &err), 0);
    buf_deinit(&buf);
    journal_close(j);
    frail_deinit(&f);
}
