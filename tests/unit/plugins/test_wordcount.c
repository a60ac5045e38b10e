/*
 * WordCount: its processors one by one, and its graph.
 */
#include <ctype.h>

#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "files.h"
#include "wordcount/words.h"

static struct gp_kit *opened(const char *type, const char *output)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, type), 0, 1);

    GP_REQUIRE(kit != NULL);
    if (output) {
        GP_REQUIRE_EQ(gp_kit_set(kit, "output", output), GP_OK);
    }
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    return kit;
}

GP_TEST(wordcount, splits_at_the_white_space_of_the_c_locale)
{
    struct gp_kit *kit = opened("split", NULL);
    char line[512];
    struct gp_msg msg = {.size = sizeof msg, .time_ns = 3, .value = line, .value_len = 512};
    const char *word;
    uint32_t words = 0;

    for (uint32_t i = 0; i < 256; i++) { /* each byte, with an x behind it */
        line[2 * i] = (char)i;
        line[2 * i + 1] = 'x';
    }
    GP_CHECK_EQ(gp_kit_push_msg(kit, 0, &msg), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    for (uint32_t i = 0; i < 512; i++) {
        if (isspace((unsigned char)line[i]) || i == 0) {
            const struct gp_row *row = gp_kit_row(kit, 0, words++);
            uint32_t end = i + 1;
            word = i == 0 ? line : line + i + 1;
            while (end < 512 && !isspace((unsigned char)line[end])) {
                end++;
            }
            GP_REQUIRE(row != NULL);
            GP_CHECK_EQ(row->key_len, (size_t)(line + end - word));
            GP_CHECK_MEM_EQ(row->key, word, row->key_len);
            GP_CHECK_EQ(row->value_len, 0);
            GP_CHECK_EQ(row->time_ns, 3);
        }
    }
    GP_CHECK_EQ(gp_kit_count(kit, 0), words);
    gp_kit_free(kit);
}

GP_TEST(wordcount, makes_no_words_of_space)
{
    struct gp_kit *kit = opened("split", NULL);

    (void)gp_kit_push(kit, 0, NULL, "", 0);
    (void)gp_kit_push(kit, 0, NULL, " \t\v\f\r ", 0);
    (void)gp_kit_push(kit, 0, NULL, "  one  ", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, "one", ""));
    gp_kit_free(kit);
}

/* More words than the table and the text begin with, and bytes that are no text. */
GP_TEST(wordcount, counts_every_word_and_writes_its_part)
{
    struct folder f = folder_new();
    struct gp_kit *kit = opened("count", folder_file(&f, "out"));
    const struct gp_msg odd = {
        .size = sizeof odd, .flags = GP_MSG_KEYED, .key = "\0\xff\xc3", .key_len = 3};
    char word[32];
    FILE *file;
    uint32_t lines = 0;
    int odd_found = 0;

    for (uint32_t i = 0; i < 5000; i++) {
        for (uint32_t j = 0; j <= i % 3; j++) {
            (void)snprintf(word, sizeof word, "word-%u", i);
            GP_REQUIRE_EQ(gp_kit_push(kit, 0, word, "", 0), GP_OK);
        }
    }
    GP_CHECK_EQ(gp_kit_push_msg(kit, 0, &odd), GP_OK);
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    gp_kit_free(kit);
    file = fopen(folder_file(&f, "out/part-0"), "r");
    GP_REQUIRE(file != NULL);
    while (fgets(word, sizeof word, file)) {
        uint32_t i = 0;
        uint32_t count = 0;
        lines++;
        if (sscanf(word, "word-%u\t%u\n", &i, &count) == 2) {
            GP_CHECK_EQ(count, i % 3 + 1);
        } else {
            odd_found += memcmp(word, "\0\xff\xc3\t1\n", 6) == 0;
        }
    }
    (void)fclose(file);
    GP_CHECK_EQ(lines, 5001);
    GP_CHECK_EQ(odd_found, 1);
    GP_CHECK(access(folder_file(&f, "out/.part-0.tmp"), F_OK) != 0);
    folder_remove(&f);
}

/* Two words may have one hash, and one may begin like the other. */
GP_TEST(wordcount, tells_words_of_one_hash_apart)
{
    struct words w = {0};
    char text[128];

    GP_CHECK_EQ(words_add(&w, "gears", 5, 42), 0);
    GP_CHECK_EQ(words_add(&w, "gear", 4, 42), 0);
    GP_CHECK_EQ(words_add(&w, "pump", 4, 42), 0);
    GP_CHECK_EQ(words_add(&w, "gear", 4, 42), 0);
    GP_CHECK_EQ(w.used, 3);
    words_print(&w, text, sizeof text);
    GP_CHECK_STR_EQ(text, " gears=1 gear=2 pump=1");
    words_print(&w, text, 12); /* what does not fit is cut */
    GP_CHECK_STR_EQ(text, " gears=1 ge");
    words_deinit(&w);
}

/* Up to 16 bytes stand in the slot, more elsewhere; both move when there are many. */
GP_TEST(wordcount, keeps_words_of_all_lengths_while_it_grows)
{
    struct words w = {0};
    char word[40];

    for (uint64_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3000; i++) {
            size_t len = 5 + i % 30;

            memset(word, 'a' + (int)(i % 26), sizeof word);
            (void)snprintf(word, sizeof word, "%04zu", i);
            word[4] = '-';
            GP_CHECK_EQ(words_add(&w, word, len, i / 2), 0); /* two of each hash */
        }
    }
    GP_CHECK_EQ(w.used, 3000);
    for (size_t i = 0; i < w.slots_size; i++) {
        const struct word *slot = &w.slots[i];
        const char *text = words_text(&w, slot);

        if (slot->count > 0) {
            size_t number = strtoul(text, NULL, 10);

            GP_CHECK_EQ(slot->count, 2);
            GP_CHECK_EQ(slot->len, 5 + number % 30);
            GP_CHECK(slot->len == 5 || text[slot->len - 1] == 'a' + (char)(number % 26));
        }
    }
    words_deinit(&w);
}

GP_TEST(wordcount, fails_when_its_part_cannot_be_written)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    folder_write(&f, "file", "in the way");
    kit = opened("count", f.name);
    (void)gp_kit_end(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK(strstr(gp_kit_failure(kit), "/file/part-0': Not a directory") != NULL);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(wordcount, logs_every_second_without_output)
{
    struct gp_kit *kit = opened("count", NULL);

    (void)gp_kit_push(kit, 0, "pump", "", 0);
    (void)gp_kit_push(kit, 0, "pump", "", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_logs(kit), 0);
    gp_kit_advance(kit, 2000000000);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_logs(kit), 2);
    GP_CHECK_STR_EQ(gp_kit_log(kit, 0, NULL), "counts: pump=2");
    gp_kit_free(kit);
}

GP_TEST(wordcount, brings_lines_of_its_own_as_long_as_there_is_room)
{
    struct gp_kit *kit = opened("lines", NULL);

    gp_kit_set_credit(kit, 5);
    GP_CHECK_EQ(gp_kit_poll(kit, 4), GP_MORE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 4);
    GP_CHECK_EQ(gp_kit_poll(kit, 4), GP_MORE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 5);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "the gear turns the pump"));
    gp_kit_free(kit);
}

GP_TEST(wordcount, builds_its_graph_by_its_parameters)
{
    static const struct gp_kit_pair pairs[] = {{"input", "/in"}, {"output", "/out"}};
    char text[512];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, NULL, 0, text, sizeof text), GP_OK);
    GP_CHECK_STR_EQ(text, "source lines x1\n"
                          "split split x2\n"
                          "count count x2\n"
                          "source:0 -> split:0 shuffle\n"
                          "split:0 -> count:0 hash\n");
    GP_CHECK_EQ(gp_kit_build(&gp_entry, pairs, 2, text, sizeof text), GP_OK);
    GP_CHECK_STR_EQ(text, "source file/source x1\n"
                          "split split x2\n"
                          "count count x2\n"
                          "source path=/in\n"
                          "count output=/out\n"
                          "source:0 -> split:0 shuffle\n"
                          "split:0 -> count:0 hash\n");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a file in the order of their bytes; at most 64. */
static uint32_t sorted_lines(FILE *file, char *ret_lines[64])
{
    char line[256];
    uint32_t count = 0;

    while (count < 64 && fgets(line, sizeof line, file)) {
        ret_lines[count++] = strdup(line);
    }
    qsort(ret_lines, count, sizeof ret_lines[0], by_bytes);
    return count;
}

/* expected/counts.txt is what coreutils make of expected/input.txt (see README.md of the
 * example). */
GP_TEST(wordcount, gives_the_expected_counts)
{
    struct folder f = folder_new();
    struct gp_kit *split = opened("split", NULL);
    struct gp_kit *count = opened("count", f.path);
    FILE *file = fopen(GP_EXPECTED_DIR "/input.txt", "r");
    const struct gp_row *row;
    char *is[64];
    char *expected[64];
    char line[256];
    uint32_t lines;

    GP_REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        GP_REQUIRE_EQ(gp_kit_push(split, 0, NULL, line, 0), GP_OK);
    }
    (void)fclose(file);
    GP_CHECK_EQ(gp_kit_run(split), GP_OK);
    for (uint32_t i = 0; (row = gp_kit_row(split, 0, i)) != NULL; i++) {
        struct gp_msg word = {.size = sizeof word, .flags = GP_MSG_KEYED};
        word.key = row->key;
        word.key_len = row->key_len;
        GP_REQUIRE_EQ(gp_kit_push_msg(count, 0, &word), GP_OK);
    }
    (void)gp_kit_end(count);
    GP_CHECK_EQ(gp_kit_run(count), GP_OK);

    file = fopen(folder_file(&f, "part-0"), "r");
    GP_REQUIRE(file != NULL);
    lines = sorted_lines(file, is);
    (void)fclose(file);
    file = fopen(GP_EXPECTED_DIR "/counts.txt", "r");
    GP_REQUIRE(file != NULL);
    GP_CHECK_EQ(sorted_lines(file, expected), lines);
    (void)fclose(file);
    for (uint32_t i = 0; i < lines; i++) {
        GP_CHECK_STR_EQ(is[i], expected[i]);
        free(is[i]);
        free(expected[i]);
    }
    gp_kit_free(count);
    gp_kit_free(split);
    folder_remove(&f);
}
