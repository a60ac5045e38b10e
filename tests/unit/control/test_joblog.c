#include "base/rng.h"
#include "control/worker/joblog.h"
#include "desk.h"
#include "gp_test.h"

static void read_is(struct joblog *log, uint64_t offset, size_t max, const char *text,
                    uint64_t skipped)
{
    struct buf out = {0};
    uint64_t at = offset;
    uint64_t ret_skipped;

    GP_REQUIRE_EQ(joblog_read(log, &at, max, &out, &ret_skipped), 0);
    GP_CHECK_STR_EQ(buf_c(&out), text);
    GP_CHECK_EQ(ret_skipped, skipped);
    GP_CHECK_EQ(at, offset + skipped + strlen(text));
    buf_deinit(&out);
}

GP_TEST(joblog, gives_back_what_was_written)
{
    struct desk desk;
    struct joblog log;

    desk_begin(&desk);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", 1000, NULL), 0);
    GP_CHECK_EQ(joblog_append(&log, "hello ", 6), 0);
    GP_CHECK_EQ(joblog_append(&log, "world", 5), 0);
    read_is(&log, 0, 100, "hello world", 0);
    read_is(&log, 6, 3, "wor", 0);
    read_is(&log, 11, 100, "", 0);
    joblog_close(&log);
    desk_end(&desk);
}

/* A follower may ask from where it stopped when the log has long gone on. */
GP_TEST(joblog, keeps_the_last_bytes_and_their_offsets)
{
    struct desk desk;
    struct joblog log;

    desk_begin(&desk);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", 4, NULL), 0);
    GP_CHECK_EQ(joblog_append(&log, "abcdefghij", 10), 0);
    GP_CHECK_EQ(log.end, 10);
    read_is(&log, 0, 100, "efghij", 4);
    read_is(&log, 4, 100, "efghij", 0);
    read_is(&log, 7, 2, "hi", 0);
    GP_CHECK_EQ(desk_files(&desk, "/"), 2);
    joblog_close(&log);
    desk_end(&desk);
}

/* Logs of children that ended are kept by the hundred. */
GP_TEST(joblog, needs_no_file_open_to_be_kept)
{
    struct desk desk;
    struct joblog log;

    desk_begin(&desk);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", 4, NULL), 0);
    GP_CHECK_EQ(joblog_append(&log, "abcdefghij", 10), 0);
    joblog_rest(&log);
    GP_CHECK(log.file == NULL && log.old == NULL);
    read_is(&log, 0, 100, "efghij", 4);
    joblog_rest(&log);
    joblog_rest(&log);
    GP_CHECK_EQ(joblog_append(&log, "klm", 3), 0);
    read_is(&log, 0, 100, "ijklm", 8);
    joblog_rest(&log);
    joblog_close(&log);
    desk_end(&desk);
}

GP_TEST(joblog, starts_anew_when_opened_again)
{
    struct desk desk;
    struct joblog log;

    desk_begin(&desk);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", 100, NULL), 0);
    GP_CHECK_EQ(joblog_append(&log, "old", 3), 0);
    joblog_close(&log);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", 100, NULL), 0);
    read_is(&log, 0, 100, "", 0);
    joblog_close(&log);
    joblog_close(&log);
    desk_end(&desk);
}

GP_TEST(joblog, holds_any_pieces_within_its_bounds)
{
    enum { TOTAL = 5000, FILE_MAX = 97 };
    struct desk desk;
    struct joblog log;
    struct rng rng;
    char text[TOTAL + 1];

    for (int i = 0; i < TOTAL; i++) {
        text[i] = (char)('a' + i % 26);
    }
    text[TOTAL] = '\0';
    rng_init(&rng, 7);
    desk_begin(&desk);
    GP_REQUIRE_EQ(joblog_open(&log, desk.port, "/log", FILE_MAX, NULL), 0);
    for (uint64_t at = 0; at < TOTAL;) {
        uint64_t n = 1 + rng_below(&rng, 300);
        uint64_t first;
        n = n < TOTAL - at ? n : TOTAL - at;
        GP_REQUIRE_EQ(joblog_append(&log, text + at, n), 0);
        at += n;
        first = log.has_old ? log.old_start : 0;
        GP_REQUIRE(at - first <= 2u * FILE_MAX);
        GP_REQUIRE(at - first >= (at < FILE_MAX ? at : FILE_MAX));
        text[at] = '\0';
        read_is(&log, first, TOTAL, text + first, 0);
        if (at < TOTAL) {
            text[at] = (char)('a' + at % 26);
        }
    }
    joblog_close(&log);
    desk_end(&desk);
}
