/* Pieces of files. */
#include "gp_test.h"
#include "wire/artefact.h"
#include "wire/frame.h"

GP_TEST(artefact, carries_chunks)
{
    static const unsigned char layout[] = {1, 0, 0, 0, 0, 0, 0, 0,   2,
                                           1, 0, 0, 0, 0, 0, 0, 'a', 'b'};
    const struct artefact_chunk chunk = {1, 0x102, {"ab", 2}};
    struct artefact_chunk back;
    struct buf out = {0};

    GP_REQUIRE_EQ(artefact_chunk_encode(&chunk, &out), 0);
    GP_REQUIRE_EQ(buf_len(&out), sizeof(layout));
    GP_CHECK_MEM_EQ(buf_bytes(&out).ptr, layout, sizeof(layout));
    GP_REQUIRE_EQ(artefact_chunk_decode(buf_bytes(&out), &back), 0);
    GP_CHECK_EQ(back.upload, 1);
    GP_CHECK_EQ(back.offset, 0x102);
    GP_CHECK_EQ(back.bytes.len, 2);
    buf_deinit(&out);
}

GP_TEST(artefact, carries_pieces_within_their_file)
{
    struct artefact_piece piece = {10, 12, {"ab", 2}};
    struct artefact_piece back;
    struct buf out = {0};

    GP_REQUIRE_EQ(artefact_piece_encode(&piece, &out), 0);
    GP_REQUIRE_EQ(artefact_piece_decode(buf_bytes(&out), &back), 0);
    GP_CHECK_EQ(back.total, 12);
    piece.total = 11;
    buf_clear(&out);
    GP_REQUIRE_EQ(artefact_piece_encode(&piece, &out), 0);
    GP_CHECK_EQ(artefact_piece_decode(buf_bytes(&out), &back), GP_EPROTO);
    buf_deinit(&out);
}

GP_TEST(artefact, refuses_what_is_cut_or_too_long)
{
    static unsigned char bytes[ARTEFACT_HEADER_SIZE + FRAME_ARTEFACT_MAX + 1];
    struct artefact_chunk chunk;
    struct buf out = {0};

    for (size_t len = 0; len < ARTEFACT_HEADER_SIZE; len++) {
        GP_CHECK_EQ(artefact_chunk_decode(gp_bytes_of(bytes, len), &chunk), GP_EPROTO);
    }
    GP_CHECK_EQ(artefact_chunk_decode(gp_bytes_of(bytes, ARTEFACT_HEADER_SIZE), &chunk), 0);
    GP_CHECK_EQ(artefact_chunk_decode(gp_bytes_of(bytes, sizeof(bytes) - 1), &chunk), 0);
    GP_CHECK_EQ(artefact_chunk_decode(gp_bytes_of(bytes, sizeof(bytes)), &chunk), GP_EPROTO);
    chunk = (struct artefact_chunk){.bytes = {bytes, FRAME_ARTEFACT_MAX + 1}};
    GP_CHECK_EQ(artefact_chunk_encode(&chunk, &out), GP_ETOOBIG);
    GP_CHECK_EQ(buf_len(&out), 0);
    memset(bytes + 8, 0xff, 8); /* an offset that the length would wrap */
    GP_CHECK_EQ(artefact_chunk_decode(gp_bytes_of(bytes, ARTEFACT_HEADER_SIZE + 1), &chunk),
                GP_EPROTO);
    buf_deinit(&out);
}
