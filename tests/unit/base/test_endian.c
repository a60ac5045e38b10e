/* Little-endian at any address. */
#include "base/endian.h"
#include "gp_test.h"

GP_TEST(endian, puts_the_lowest_byte_first_at_any_address)
{
    for (size_t offset = 0; offset < 8; offset++) {
        unsigned char bytes[32] = {0};
        unsigned char *at = bytes + offset;

        put_u16_le(at, 0x0102);
        GP_CHECK_EQ(at[0], 2);
        GP_CHECK_EQ(get_u16_le(at), 0x0102);
        put_u32_le(at, 0x01020304);
        GP_CHECK_EQ(at[0], 4);
        GP_CHECK_EQ(at[3], 1);
        GP_CHECK_EQ(get_u32_le(at), 0x01020304);
        put_u64_le(at, UINT64_C(0xf102030405060708));
        GP_CHECK_EQ(at[0], 8);
        GP_CHECK_EQ(at[7], 0xf1);
        GP_CHECK(get_u64_le(at) == UINT64_C(0xf102030405060708));
    }
}
