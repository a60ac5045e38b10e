/* What a full screen shows. */
#include "app/picture.h"
#include "gp_test.h"

GP_TEST(picture, cuts_lines_at_whole_characters)
{
    struct picture p;

    picture_init(&p, 3, 4);
    picture_line(&p, PICTURE_STRONG, GP_STR("größer"));
    picture_line(&p, PICTURE_PLAIN, GP_STR("ab"));
    GP_CHECK_STR_EQ(buf_c(&p.text), "größ\nab\n");
    GP_CHECK_EQ(p.styles[0], PICTURE_STRONG);
    GP_CHECK_EQ(p.styles[1], PICTURE_PLAIN);
    GP_CHECK_EQ(picture_left(&p), 1);
    picture_deinit(&p);
}

GP_TEST(picture, drops_what_is_below_its_last_row)
{
    struct picture p;

    picture_init(&p, 2, 10);
    picture_fill(&p, 1);
    picture_say(&p, PICTURE_PLAIN, "%d", 1);
    picture_say(&p, PICTURE_PLAIN, "%d", 2);
    picture_fill(&p, 9);
    GP_CHECK_STR_EQ(buf_c(&p.text), "\n1\n");
    picture_deinit(&p);
}

/* Names come from strangers, and go to a terminal. */
GP_TEST(picture, shows_control_characters)
{
    struct picture p;

    picture_init(&p, 1, 40);
    picture_say(&p, PICTURE_PLAIN, "a%sb", "\x1b[2J\n");
    GP_CHECK_STR_EQ(buf_c(&p.text), "a\\x1b[2J\\nb\n");
    picture_deinit(&p);
}

/* An ioctl may say anything. */
GP_TEST(picture, is_bounded)
{
    struct picture p;

    picture_init(&p, UINT32_MAX, UINT32_MAX);
    picture_fill(&p, UINT32_MAX);
    GP_CHECK_EQ(p.used, PICTURE_ROWS_MAX);
    GP_CHECK_EQ(p.columns, PICTURE_COLUMNS_MAX);
    picture_deinit(&p);
}

GP_TEST(picture, is_rendered_with_or_without_colours)
{
    struct picture p;
    struct buf out = {0};

    picture_init(&p, 2, 10);
    picture_line(&p, PICTURE_SELECTED, GP_STR("a"));
    picture_line(&p, PICTURE_WARNING, GP_STR("b"));
    GP_CHECK_EQ(picture_render(&p, true, &out), 0);
    GP_CHECK_STR_EQ(buf_c(&out), "\x1b[H\x1b[2K\x1b[7ma\x1b[0m\r\n\x1b[2K\x1b[33mb\x1b[0m");
    buf_clear(&out);
    GP_CHECK_EQ(picture_render(&p, false, &out), 0);
    GP_CHECK_STR_EQ(buf_c(&out), "\x1b[H\x1b[2K\x1b[7ma\x1b[0m\r\n\x1b[2Kb\x1b[0m");
    buf_deinit(&out);
    picture_deinit(&p);
}
