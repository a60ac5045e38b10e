/* What tasks log, for the person in front of `gpctl run`. */
#include "app/job_log.h"
#include "gp_test.h"

static void check_line(enum log_level level, enum log_level shown, const char *json,
                       const char *wanted)
{
    struct buf out = {0};
    bool is_shown = job_log_render(level, shown, gp_str_of(json), &out);

    GP_CHECK_EQ(is_shown, wanted != NULL);
    if (wanted != NULL) {
        GP_CHECK_STR_EQ(buf_c(&out), wanted);
    }
    buf_deinit(&out);
}

GP_TEST(job_log, says_which_task_spoke)
{
    check_line(
        LOG_LEVEL_INFO, LOG_LEVEL_OFF,
        "{\"time\":\"t\",\"level\":\"info\",\"event\":\"task.logged\",\"processor\":\"count\","
        "\"task\":3,\"text\":\"{\\\"a\\\": 1}\"}\n",
        "count[3]: {\"a\": 1}\n");
}

GP_TEST(job_log, names_what_is_not_information)
{
    check_line(LOG_LEVEL_WARN, LOG_LEVEL_OFF,
               "{\"level\":\"warn\",\"event\":\"row.rejected\",\"processor\":\"split\",\"task\":0,"
               "\"reason\":\"no key\",\"held_back\":0}",
               "warn: split[0]: row.rejected reason=\"no key\" held_back=0\n");
}

GP_TEST(job_log, leaves_out_what_the_runtime_says_of_itself)
{
    static const char line[] = "{\"level\":\"info\",\"event\":\"executor.started\",\"executor\":1}";

    check_line(LOG_LEVEL_INFO, LOG_LEVEL_OFF, line, NULL);
    check_line(LOG_LEVEL_INFO, LOG_LEVEL_INFO, line, "executor.started executor=1\n");
}

GP_TEST(job_log, shows_a_line_that_it_does_not_understand)
{
    check_line(LOG_LEVEL_INFO, LOG_LEVEL_OFF, "{\"event\":\"task.log", "{\"event\":\"task.log");
}
