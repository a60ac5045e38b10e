/* The cursor over foreign bytes: within bounds it reads, beyond them it fails and stays failed. */
#include "base/reader.h"
#include "gp_test.h"

static const unsigned char sample[] = {1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c'};

GP_TEST(reader, reads_fields_in_a_row)
{
    struct reader r = reader_of((gp_bytes){.ptr = sample, .len = sizeof(sample)});
    gp_bytes bytes;
    gp_str text;

    GP_CHECK_EQ(reader_u8(&r), 1);
    GP_CHECK_EQ(reader_u16(&r), 2);
    GP_CHECK_EQ(reader_u32(&r), 3);
    GP_CHECK_EQ(reader_u64(&r), 4);
    GP_CHECK_EQ(reader_left(&r), 3);
    text = reader_str(&r, 1);
    GP_CHECK(text.len == 1 && text.ptr[0] == 'a');
    bytes = reader_bytes(&r, 1);
    GP_CHECK(bytes.len == 1 && bytes.ptr == sample + 16);
    GP_CHECK_EQ(reader_status(&r), 0);
    GP_CHECK_EQ(reader_finish(&r), GP_EPROTO); /* one byte is left over */
    reader_skip(&r, 1);
    GP_CHECK_EQ(reader_finish(&r), 0);
}

GP_TEST(reader, every_truncation_is_an_error)
{
    for (size_t len = 0; len < 15; len++) {
        struct reader r = reader_of((gp_bytes){.ptr = sample, .len = len});

        (void)reader_u8(&r);
        (void)reader_u16(&r);
        (void)reader_u32(&r);
        (void)reader_u64(&r);
        GP_CHECK_EQ(reader_status(&r), GP_EPROTO);
        GP_CHECK_EQ(reader_left(&r), 0);
    }
}

GP_TEST(reader, the_error_sticks_and_values_are_zero)
{
    struct reader r = reader_of((gp_bytes){.ptr = sample, .len = 3});

    GP_CHECK_EQ(reader_u32(&r), 0);
    GP_CHECK_EQ(reader_u8(&r), 0); /* although three bytes were there */
    GP_CHECK_EQ(reader_bytes(&r, 1).len, 0);
    GP_CHECK_EQ(reader_str(&r, 0).len, 0);
    GP_CHECK_EQ(reader_status(&r), GP_EPROTO);
}

GP_TEST(reader, huge_lengths_do_not_wrap)
{
    struct reader r = reader_of((gp_bytes){.ptr = sample, .len = sizeof(sample)});

    (void)reader_u8(&r);
    GP_CHECK_EQ(reader_bytes(&r, SIZE_MAX).len, 0);
    GP_CHECK_EQ(reader_status(&r), GP_EPROTO);
}

GP_TEST(reader, nothing_reads_as_nothing)
{
    struct reader r = reader_of((gp_bytes){0});

    GP_CHECK_EQ(reader_bytes(&r, 0).len, 0);
    GP_CHECK_EQ(reader_finish(&r), 0);
    GP_CHECK_EQ(reader_u8(&r), 0);
    GP_CHECK_EQ(reader_finish(&r), GP_EPROTO);
}

GP_TEST(reader, a_decoder_can_fail_it)
{
    struct reader r = reader_of((gp_bytes){.ptr = sample, .len = sizeof(sample)});

    reader_fail(&r);
    GP_CHECK_EQ(reader_u8(&r), 0);
    GP_CHECK_EQ(reader_status(&r), GP_EPROTO);
}
