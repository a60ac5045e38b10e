#include "control/worker/crash.h"
#include "gp_test.h"

GP_TEST(crash, reads_the_line_of_the_handler)
{
    struct crash crash;
    char text[CRASH_TEXT_MAX];

    GP_REQUIRE(crash_parse(
        GP_STR("gearpump: crash signal=11 name=SIGSEGV plugin=wordcount processor=split "
               "function=process task=3 object=/a/b.so offset=0x11f0"),
        &crash));
    GP_CHECK_EQ(crash.signal, 11);
    GP_CHECK_EQ(crash.task, 3);
    GP_CHECK_EQ(crash.offset, 0x11f0);
    GP_CHECK_STR_EQ(crash.object, "/a/b.so");
    (void)snprintf(crash.symbol, sizeof crash.symbol, "split_line");
    crash_text(&crash, text, sizeof text);
    GP_CHECK_STR_EQ(
        text,
        "SIGSEGV in split_line(), plugin wordcount, processor split, task 3, in its process()");
}

/* build() belongs to no processor. */
GP_TEST(crash, names_the_plugin_alone_outside_of_tasks)
{
    struct crash crash;
    char text[CRASH_TEXT_MAX];

    GP_REQUIRE(crash_parse(GP_STR("gearpump: crash signal=8 name=SIGFPE plugin=wordcount "
                                  "processor=? function=build task=0"),
                           &crash));
    crash_text(&crash, text, sizeof text);
    GP_CHECK_STR_EQ(text, "SIGFPE, plugin wordcount, in its build()");
}

GP_TEST(crash, takes_no_other_line)
{
    struct crash crash;
    GP_CHECK(!crash_parse(GP_STR("hello"), &crash));
    GP_CHECK(!crash_parse(GP_STR("gearpump: crash"), &crash));
}

/* The writer was dying: half lines, odd numbers and huge words are to be expected. */
GP_TEST(crash, survives_broken_words)
{
    struct crash crash;
    char line[4000];
    char text[CRASH_TEXT_MAX];

    memset(line, 'x', sizeof line);
    memcpy(line, "gearpump: crash plugin=", 23);
    GP_CHECK(crash_parse((gp_str){line, sizeof line}, &crash));
    crash_text(&crash, text, sizeof text);
    GP_CHECK(
        crash_parse(GP_STR("gearpump: crash signal=99999999999 offset=0xzz task=- ="), &crash));
    GP_CHECK_EQ(crash.signal, 0);
    GP_CHECK_EQ(crash.offset, 0);
    crash_text(&crash, text, sizeof text);
    GP_CHECK_STR_EQ(text, "a signal");
}
