/* The 32 bytes in front of everything. */
#include "gp_test.h"
#include "wire/frame.h"
#include "wire/messages.h"

static const struct frame_header sample = {.length = 0x01020304 & 0xffff,
                                           .type = MSG_APP_SUBMIT,
                                           .kind = FRAME_ASK,
                                           .has_crc = true,
                                           .crc = 0xa1b2c3d4,
                                           .correlation = UINT64_C(0x1122334455667788),
                                           .sequence = UINT64_C(0x99aabbccddeeff00)};

/* Strangers write this by hand: every byte is pinned. */
GP_TEST(frame, has_the_layout_of_the_protocol)
{
    static const unsigned char expected[FRAME_HEADER_SIZE] = {
        'G',  'P',  'F',  '1',  0x04, 0x03, 0,    0,    0x09, 0x01, 1,
        3,    0xd4, 0xc3, 0xb2, 0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
        0x22, 0x11, 0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99,
    };
    unsigned char bytes[FRAME_HEADER_SIZE];

    frame_header_encode(&sample, bytes);
    GP_CHECK_MEM_EQ(bytes, expected, sizeof(bytes));
}

GP_TEST(frame, reads_what_it_wrote)
{
    unsigned char bytes[FRAME_HEADER_SIZE];
    struct frame_header back;

    frame_header_encode(&sample, bytes);
    GP_REQUIRE_EQ(frame_header_decode(bytes, &back, NULL), 0);
    GP_CHECK_EQ(back.length, sample.length);
    GP_CHECK_EQ(back.type, sample.type);
    GP_CHECK_EQ(back.kind, sample.kind);
    GP_CHECK_EQ(back.has_crc, sample.has_crc);
    GP_CHECK_EQ(back.crc, sample.crc);
    GP_CHECK_EQ(back.correlation, sample.correlation);
    GP_CHECK_EQ(back.sequence, sample.sequence);
}

GP_TEST(frame, writes_no_checksum_without_the_flag)
{
    struct frame_header header = sample;
    unsigned char bytes[FRAME_HEADER_SIZE];

    header.has_crc = false;
    frame_header_encode(&header, bytes);
    GP_CHECK_EQ(bytes[11], 2);
    GP_CHECK_EQ(bytes[12] | bytes[13] | bytes[14] | bytes[15], 0);
}

static void check_refused(size_t at, unsigned char value, int code, const char *text)
{
    unsigned char bytes[FRAME_HEADER_SIZE];
    struct frame_header back = {.type = 4711};
    struct gp_error err = {0};

    frame_header_encode(&sample, bytes);
    bytes[at] = value;
    GP_CHECK_EQ(frame_header_decode(bytes, &back, &err), code);
    GP_CHECK_EQ(back.type, 4711); /* untouched */
    if (strstr(err.text, text) == NULL) {
        GP_TEST_FAIL("\"%s\" is not in \"%s\"", text, err.text);
    }
}

GP_TEST(frame, refuses_what_it_does_not_know)
{
    check_refused(0, 'H', GP_EPROTO, "not a frame: it begins with 48 50 46 31");
    check_refused(3, '2', GP_EPROTO, "not a frame");
    check_refused(10, 0, GP_EPROTO, "version 0");
    check_refused(10, 2, GP_EPROTO, "version 2");
    check_refused(11, 0x0b, GP_EPROTO, "unknown flags 0x0b");
    check_refused(11, 0x02, GP_EPROTO, "unknown flags"); /* a checksum, and no flag for it */
    check_refused(7, 1, GP_ETOOBIG, "app.submit frame of 16777988 bytes, at most 1048576");
}

GP_TEST(frame, names_the_protocol_that_knocks)
{
    static const struct {
        const char *bytes;
        const char *name;
    } knocks[] = {
        {"GET / HTTP/1.1\r\nHost: somewhere\r\n", "HTTP"},
        {"POST /api HTTP/1.1\r\nHost: here\r\n", "HTTP"},
        {"\x16\x03\x01\x02\x05\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
         "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
         "TLS"}};
    struct frame_header header;
    struct gp_error err;

    for (size_t i = 0; i < sizeof(knocks) / sizeof(knocks[0]); i++) {
        GP_CHECK_EQ(frame_header_decode(knocks[i].bytes, &header, &err), GP_EPROTO);
        GP_CHECK(strstr(err.text, knocks[i].name) != NULL);
    }
}

static int decode_length(uint16_t type, uint32_t length)
{
    const struct frame_header header = {.type = type, .length = length};
    unsigned char bytes[FRAME_HEADER_SIZE];
    struct frame_header back;

    frame_header_encode(&header, bytes);
    return frame_header_decode(bytes, &back, NULL);
}

GP_TEST(frame, has_a_bound_for_every_type)
{
    static const struct {
        uint16_t type;
        uint32_t max;
    } bounds[] = {
        {MSG_HELLO, FRAME_GREETING_MAX},         {MSG_CLOSE, FRAME_GREETING_MAX},
        {MSG_BATCH, (256u << 10) - 32},          {MSG_CREDIT, (256u << 10) - 32},
        {MSG_RAFT, FRAME_CONTROL_MAX},           {MSG_APP_SUBMIT, FRAME_CONTROL_MAX},
        {MSG_ARTEFACT_CHUNK, FRAME_CONTROL_MAX}, {65535, FRAME_CONTROL_MAX},
    };

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        GP_CHECK_EQ(frame_payload_max(bounds[i].type), bounds[i].max);
        GP_CHECK_EQ(decode_length(bounds[i].type, bounds[i].max), 0);
        GP_CHECK_EQ(decode_length(bounds[i].type, bounds[i].max + 1), GP_ETOOBIG);
        GP_CHECK_EQ(decode_length(bounds[i].type, UINT32_MAX), GP_ETOOBIG);
    }
}

GP_TEST(frame, finds_every_flipped_bit)
{
    unsigned char frame[FRAME_HEADER_SIZE + 24];
    const struct frame_header header = {.type = MSG_BATCH, .length = 24, .sequence = 7};

    frame_header_encode(&header, frame);
    memset(frame + FRAME_HEADER_SIZE, 0x5a, 24);
    GP_CHECK_EQ(frame_check(frame, frame + FRAME_HEADER_SIZE, 24), 0); /* not sealed */
    frame_seal(frame, 24);
    GP_CHECK_EQ(frame_check(frame, frame + FRAME_HEADER_SIZE, 24), 0);
    for (size_t bit = 0; bit < 8 * sizeof(frame); bit++) {
        if (bit == 8 * 11) {
            continue; /* the flag itself: a frame without it has no checksum to be wrong */
        }
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
        GP_CHECK_EQ(frame_check(frame, frame + FRAME_HEADER_SIZE, 24), GP_ECHECKSUM);
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

/* The value a stranger's first frame must have: a PING, sealed. */
GP_TEST(frame, has_the_checksum_of_the_protocol)
{
    unsigned char frame[FRAME_HEADER_SIZE];
    const struct frame_header header = {.type = MSG_PING};
    struct frame_header back;

    frame_header_encode(&header, frame);
    frame_seal(frame, 0);
    GP_REQUIRE_EQ(frame_header_decode(frame, &back, NULL), 0);
    GP_CHECK_EQ(back.crc, UINT32_C(0x03558bf0));
}
