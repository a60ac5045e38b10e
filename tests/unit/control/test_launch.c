#include "control/launch.h"
#include "desk.h"
#include "gp_test.h"

GP_TEST(launch, tells_an_appmaster_what_it_is_for)
{
    char *masters[] = {"10.0.0.1:3000", "10.0.0.2:3000"};
    struct value *data = value_new_object();
    struct launch_appmaster from = {.app = 7,
                                    .epoch = 2,
                                    .name = "word \"count\"",
                                    .sha256 = "abc",
                                    .artefacts = "/data",
                                    .worker = "10.0.0.3:1",
                                    .bind = "0.0.0.0",
                                    .advertise = "10.0.0.3",
                                    .data = data,
                                    .masters = masters,
                                    .masters_count = 2};
    struct launch_appmaster to;
    struct desk desk;
    struct buf arg = {0};

    desk_begin(&desk);
    GP_REQUIRE_EQ(value_set_str(data, GP_STR("edge"), GP_STR("tcp")), 0);
    GP_REQUIRE_EQ(launch_print(&launch_appmaster_fields, &from, &arg), 0);
    GP_REQUIRE_EQ(launch_parse(desk.port, &launch_appmaster_fields, buf_c(&arg), &to, NULL), 0);
    GP_CHECK_EQ(to.app, 7);
    GP_CHECK_EQ(to.epoch, 2);
    GP_CHECK_STR_EQ(to.name, from.name);
    GP_CHECK_STR_EQ(to.worker, from.worker);
    GP_CHECK_EQ(to.masters_count, 2);
    GP_CHECK_STR_EQ(to.masters[1], masters[1]);
    GP_CHECK(value_equal(to.data, data));
    fields_deinit(&launch_appmaster_fields, &to);
    value_free(data);
    buf_deinit(&arg);
    desk_end(&desk);
}

GP_TEST(launch, tells_an_executor_what_it_is_for)
{
    struct launch_executor from = {.app = 7,
                                   .epoch = 2,
                                   .executor = 3,
                                   .slots = 9,
                                   .lanes = 4,
                                   .pinned = 6,
                                   .appmaster = "10.0.0.3:1",
                                   .artefacts = "/data",
                                   .bind = "0.0.0.0",
                                   .host = "here"};
    struct launch_executor to;
    struct desk desk;
    struct buf arg = {0};

    desk_begin(&desk);
    GP_REQUIRE_EQ(launch_print(&launch_executor_fields, &from, &arg), 0);
    GP_REQUIRE_EQ(launch_parse(desk.port, &launch_executor_fields, buf_c(&arg), &to, NULL), 0);
    GP_CHECK_EQ(to.executor, 3);
    GP_CHECK_EQ(to.lanes, 4);
    GP_CHECK_EQ(to.pinned, 6);
    GP_CHECK_STR_EQ(to.sockets, "");
    fields_deinit(&launch_executor_fields, &to);
    buf_deinit(&arg);
    desk_end(&desk);
}

/* Somebody runs `gpd appmaster` by hand. */
GP_TEST(launch, says_who_starts_these_programs)
{
    struct launch_appmaster to;
    struct gp_error err = {0};
    struct desk desk;

    desk_begin(&desk);
    GP_CHECK_EQ(launch_parse(desk.port, &launch_appmaster_fields, "{}", &to, &err), GP_EPROTO);
    GP_CHECK(strstr(err.text, "appmaster (workers start it; people do not)") == err.text);
    GP_CHECK(launch_parse(desk.port, &launch_appmaster_fields, "--help", &to, &err) < 0);
    desk_end(&desk);
}
