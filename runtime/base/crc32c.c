/*
 * CRC32C: folding with wide carry-less products where the processor has them, its crc32 instruction
 * where it has that, a table elsewhere.
 *
 * Chains. crc32 on x86 takes 3 cycles but a new one can start each cycle, so one chain over a
 * buffer reaches a third of what the processor can do. Long buffers are therefore cut into three
 * stripes of equal length whose checksums run side by side:
 *
 *     |  stripe a  |  stripe b  |  stripe c  |  next triple ...
 *
 * crc(abc) = crc(a) * x^(16 n) + crc(b) * x^(8 n) + crc(c) modulo the polynomial, n being the bytes
 * of a stripe (Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction",
 * 2011). One carry-less product and one crc32 do such a multiplication.
 *
 * Folding. A block of 256 bytes that is followed by n more counts as much as the block times x^(8
 * n). So 256 bytes in four registers of 512 bits are multiplied by x^2048, kept short by the
 * polynomial, and added to the next 256, and so on: what is left at the end is one block with the
 * remainder of all. A product takes both halves of each 128 bits, the half that comes first being
 * 64 bits farther from the end. Eight products for 256 bytes: twice as fast as chains.
 *
 * Both. Products and crc32 are done by different units of the processor, so long buffers are folded
 * in their first two thirds while chains run over four stripes of the rest: a third faster again.
 *
 * No state: what the processor can do is asked at each call, which reads two words.
 */
#include "base/crc32c.h"

#include <stdbool.h>

#include "base/endian.h"

/*
 * nibble_table[k][n]: the checksum (without the inversions) of the four bits n followed by k times
 * four zero bits. 1 KiB, so it stays in the first cache; eight bytes cost sixteen independent
 * looks.
 */
static const uint32_t nibble_table[16][16] = {
    {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
     0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
     0xf36e6f75},
    {0x00000000, 0xf26b8303, 0xe13b70f7, 0x1350f3f4, 0xc79a971f, 0x35f1141c, 0x26a1e7e8, 0xd4ca64eb,
     0x8ad958cf, 0x78b2dbcc, 0x6be22838, 0x9989ab3b, 0x4d43cfd0, 0xbf284cd3, 0xac78bf27,
     0x5e133c24},
    {0x00000000, 0x3fc5f181, 0x7f8be302, 0x404e1283, 0xff17c604, 0xc0d23785, 0x809c2506, 0xbf59d487,
     0xfbc3faf9, 0xc4060b78, 0x844819fb, 0xbb8de87a, 0x04d43cfd, 0x3b11cd7c, 0x7b5fdfff,
     0x449a2e7e},
    {0x00000000, 0x13a29877, 0x274530ee, 0x34e7a899, 0x4e8a61dc, 0x5d28f9ab, 0x69cf5132, 0x7a6dc945,
     0x9d14c3b8, 0x8eb65bcf, 0xba51f356, 0xa9f36b21, 0xd39ea264, 0xc03c3a13, 0xf4db928a,
     0xe7790afd},
    {0x00000000, 0x70a27d8a, 0xe144fb14, 0x91e6869e, 0xc76580d9, 0xb7c7fd53, 0x26217bcd, 0x56830647,
     0x8b277743, 0xfb850ac9, 0x6a638c57, 0x1ac1f1dd, 0x4c42f79a, 0x3ce08a10, 0xad060c8e,
     0xdda47104},
    {0x00000000, 0xa541927e, 0x4f6f520d, 0xea2ec073, 0x9edea41a, 0x3b9f3664, 0xd1b1f617, 0x74f06469,
     0x38513ec5, 0x9d10acbb, 0x773e6cc8, 0xd27ffeb6, 0xa68f9adf, 0x03ce08a1, 0xe9e0c8d2,
     0x4ca15aac},
    {0x00000000, 0xe964b13d, 0xd725148b, 0x3e41a5b6, 0xaba65fe7, 0x42c2eeda, 0x7c834b6c, 0x95e7fa51,
     0x52a0c93f, 0xbbc47802, 0x8585ddb4, 0x6ce16c89, 0xf90696d8, 0x106227e5, 0x2e238253,
     0xc747336e},
    {0x00000000, 0xdd45aab8, 0xbf672381, 0x62228939, 0x7b2231f3, 0xa6679b4b, 0xc4451272, 0x1900b8ca,
     0xf64463e6, 0x2b01c95e, 0x49234067, 0x9466eadf, 0x8d665215, 0x5023f8ad, 0x32017194,
     0xef44db2c},
    {0x00000000, 0x8f2261d3, 0x1ba8b557, 0x948ad484, 0x37516aae, 0xb8730b7d, 0x2cf9dff9, 0xa3dbbe2a,
     0x6ea2d55c, 0xe180b48f, 0x750a600b, 0xfa2801d8, 0x59f3bff2, 0xd6d1de21, 0x425b0aa5,
     0xcd796b76},
    {0x00000000, 0x38116fac, 0x7022df58, 0x4833b0f4, 0xe045beb0, 0xd854d11c, 0x906761e8, 0xa8760e44,
     0xc5670b91, 0xfd76643d, 0xb545d4c9, 0x8d54bb65, 0x2522b521, 0x1d33da8d, 0x55006a79,
     0x6d1105d5},
    {0x00000000, 0xc00c303e, 0x85f4168d, 0x45f826b3, 0x0e045beb, 0xce086bd5, 0x8bf04d66, 0x4bfc7d58,
     0x1c08b7d6, 0xdc0487e8, 0x99fca15b, 0x59f09165, 0x120cec3d, 0xd200dc03, 0x97f8fab0,
     0x57f4ca8e},
    {0x00000000, 0xef306b19, 0xdb8ca0c3, 0x34bccbda, 0xb2f53777, 0x5dc55c6e, 0x697997b4, 0x8649fcad,
     0x6006181f, 0x8f367306, 0xbb8ab8dc, 0x54bad3c5, 0xd2f32f68, 0x3dc34471, 0x097f8fab,
     0xe64fe4b2},
    {0x00000000, 0x9c5bfaa6, 0x3d5b83bd, 0xa100791b, 0x7ab7077a, 0xe6ecfddc, 0x47ec84c7, 0xdbb77e61,
     0xf56e0ef4, 0x6935f452, 0xc8358d49, 0x546e77ef, 0x8fd9098e, 0x1382f328, 0xb2828a33,
     0x2ed97095},
    {0x00000000, 0x68032cc8, 0xd0065990, 0xb8057558, 0xa5e0c5d1, 0xcde3e919, 0x75e69c41, 0x1de5b089,
     0x4e2dfd53, 0x262ed19b, 0x9e2ba4c3, 0xf628880b, 0xebcd3882, 0x83ce144a, 0x3bcb6112,
     0x53c84dda},
    {0x00000000, 0x847609b4, 0x0d006599, 0x89766c2d, 0x1a00cb32, 0x9e76c286, 0x1700aeab, 0x9376a71f,
     0x34019664, 0xb0779fd0, 0x3901f3fd, 0xbd77fa49, 0x2e015d56, 0xaa7754e2, 0x230138cf,
     0xa777317b},
    {0x00000000, 0x493c7d27, 0x9278fa4e, 0xdb448769, 0x211d826d, 0x6821ff4a, 0xb3657823, 0xfa590504,
     0x423b04da, 0x0b0779fd, 0xd043fe94, 0x997f83b3, 0x632686b7, 0x2a1afb90, 0xf15e7cf9,
     0xb86201de},
};

/* In all below `crc` is the register, that is the checksum inverted. */

static uint32_t table_u8(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = (crc >> 4) ^ nibble_table[0][crc & 15];
    return (crc >> 4) ^ nibble_table[0][crc & 15];
}

static uint32_t table_u64(uint32_t crc, uint64_t word)
{
    uint32_t next = 0;

    word ^= crc;
    for (int i = 0; i < 16; i++) {
        next ^= nibble_table[15 - i][(word >> (4 * i)) & 15];
    }
    return next;
}

static uint32_t by_table(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *at = (const uint8_t *)ptr;

    crc = ~crc;
    for (; len >= 8; len -= 8, at += 8) {
        crc = table_u64(crc, get_u64_le(at));
    }
    for (; len > 0; len--, at++) {
        crc = table_u8(crc, *at);
    }
    return ~crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

/*
 * Stripes of two lengths: long ones make the joining cheap, short ones keep the rest of the buffer
 * from falling back to one chain. The factors are x^(8 n - 33) modulo the polynomial,
 * bit-reflected, for one and for two stripes; the product and its reduction bring in the missing
 * x^33.
 */
struct stripes {
    size_t size;
    uint32_t shift_one;
    uint32_t shift_two;
};

static const struct stripes stripes_long = {4096, 0x82f89c77, 0x54a86326};
static const struct stripes stripes_short = {256, 0xb9e02b86, 0xdd7e3b0c};

/* crc times factor times x^33, modulo the polynomial. */
HARDWARE static uint64_t multiply(uint64_t crc, uint32_t factor)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                           _mm_cvtsi32_si128((int32_t)factor), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Takes as many triples of stripes as there are; moves *at and *len past them. */
HARDWARE static uint64_t hardware_triples(uint64_t crc, const struct stripes *stripes,
                                          const uint8_t **at, size_t *len)
{
    size_t size = stripes->size;

    while (*len >= 3 * size) {
        const uint8_t *p = *at;
        uint64_t b = 0;
        uint64_t c = 0;

        for (size_t i = 0; i < size; i += 8) {
            crc = _mm_crc32_u64(crc, get_u64_le(p + i));
            b = _mm_crc32_u64(b, get_u64_le(p + size + i));
            c = _mm_crc32_u64(c, get_u64_le(p + 2 * size + i));
        }
        crc = multiply(crc, stripes->shift_two) ^ multiply(b, stripes->shift_one) ^ c;
        *at += 3 * size;
        *len -= 3 * size;
    }
    return crc;
}

HARDWARE static uint64_t hardware(uint64_t crc, const uint8_t *at, size_t len)
{
    crc = hardware_triples(crc, &stripes_long, &at, &len);
    crc = hardware_triples(crc, &stripes_short, &at, &len);
    for (; len >= 8; len -= 8, at += 8) {
        crc = _mm_crc32_u64(crc, get_u64_le(at));
    }
    for (; len > 0; len--, at++) {
        crc = _mm_crc32_u8((uint32_t)crc, *at);
    }
    return crc;
}

static uint32_t by_chains(uint32_t crc, const void *ptr, size_t len)
{
    return ~(uint32_t)hardware((uint32_t)~crc, (const uint8_t *)ptr, len);
}

static bool has_chains(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#define WIDE       __attribute__((target("avx512f,vpclmulqdq,sse4.2,pclmul")))
#define FOLD_BYTES ((size_t)256)

/* Steps of folding that have four stripes beside them, 32 bytes of each a step: as much as a full
 * frame of data holds. The shifts are by one to four stripes. */
#define BESIDE_STEPS       170
#define BESIDE_STRIPE      (BESIDE_STEPS * (size_t)32)
#define BESIDE_BYTES       (BESIDE_STEPS * FOLD_BYTES + 4 * BESIDE_STRIPE)
#define BESIDE_SHIFT_ONE   0xfa0f2bd0
#define BESIDE_SHIFT_TWO   0x0c8774a7
#define BESIDE_SHIFT_THREE 0xa5ac2348
#define BESIDE_SHIFT_FOUR  0xecce298e

/*
 * a times x^n, plus what follows it n bits on in the message. The low half of each 128 bits is
 * multiplied by x^(n + 64), the high half by x^n; the factors are those powers less 33, as above.
 */
WIDE static inline __m512i fold(__m512i a, uint32_t factor_low, uint32_t factor_high, __m512i next)
{
    const __m512i factors = _mm512_set4_epi32(0, (int)factor_high, 0, (int)factor_low);
    const __m512i low = _mm512_clmulepi64_epi128(a, factors, 0x00);
    const __m512i high = _mm512_clmulepi64_epi128(a, factors, 0x11);

    return _mm512_xor_si512(_mm512_xor_si512(low, high), next);
}

/* One step: by FOLD_BYTES. */
WIDE static inline __m512i fold_step(__m512i a, const uint8_t *next)
{
    return fold(a, 0xdcb17aa4, 0xb9e02b86, _mm512_loadu_si512(next));
}

/* What folding has come to: as many bytes as it folds at once. */
struct folded {
    __m512i a, b, c, d;
};

WIDE static inline struct folded fold_begin(uint32_t crc, const uint8_t *at)
{
    return (struct folded){
        _mm512_xor_si512(_mm512_loadu_si512(at),
                         _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc))),
        _mm512_loadu_si512(at + 64),
        _mm512_loadu_si512(at + 128),
        _mm512_loadu_si512(at + 192),
    };
}

/* All four onto the last, by 192, 128 and 64 bytes. */
WIDE static inline uint64_t fold_end(struct folded f)
{
    uint8_t rest[64];

    f.d = fold(f.a, 0xa87ab8a8, 0xab7aff2a, f.d);
    f.d = fold(f.b, 0x6992cea2, 0x0d3b6092, f.d);
    f.d = fold(f.c, 0x740eef02, 0x9e4addf8, f.d);
    _mm512_storeu_si512(rest, f.d);
    return hardware(0, rest, sizeof(rest));
}

WIDE static inline struct folded fold_on(struct folded f, const uint8_t *next)
{
    return (struct folded){fold_step(f.a, next), fold_step(f.b, next + 64),
                           fold_step(f.c, next + 128), fold_step(f.d, next + 192)};
}

/* len >= FOLD_BYTES */
WIDE static uint64_t fold_all(uint32_t crc, const uint8_t *at, size_t len)
{
    struct folded f = fold_begin(crc, at);

    for (at += FOLD_BYTES, len -= FOLD_BYTES; len >= FOLD_BYTES;
         at += FOLD_BYTES, len -= FOLD_BYTES) {
        f = fold_on(f, at);
    }
    return hardware(fold_end(f), at, len);
}

/* The next word of four stripes. */
WIDE static inline void chain_words(uint64_t crc[4], const uint8_t *at)
{
    crc[0] = _mm_crc32_u64(crc[0], get_u64_le(at));
    crc[1] = _mm_crc32_u64(crc[1], get_u64_le(at + BESIDE_STRIPE));
    crc[2] = _mm_crc32_u64(crc[2], get_u64_le(at + 2 * BESIDE_STRIPE));
    crc[3] = _mm_crc32_u64(crc[3], get_u64_le(at + 3 * BESIDE_STRIPE));
}

/* BESIDE_BYTES: the first part folded, the rest in four stripes beside it. */
WIDE static uint64_t fold_beside_chains(uint32_t crc, const uint8_t *at)
{
    const uint8_t *stripes = at + BESIDE_STEPS * FOLD_BYTES;
    uint64_t chains[4] = {0, 0, 0, 0};
    struct folded f = fold_begin(crc, at);

    for (size_t step = 1;; step++, stripes += 32) {
        chain_words(chains, stripes);
        chain_words(chains, stripes + 8);
        chain_words(chains, stripes + 16);
        chain_words(chains, stripes + 24);
        if (step == BESIDE_STEPS) {
            break;
        }
        f = fold_on(f, at + step * FOLD_BYTES);
    }
    return multiply(fold_end(f), BESIDE_SHIFT_FOUR) ^ multiply(chains[0], BESIDE_SHIFT_THREE) ^
           multiply(chains[1], BESIDE_SHIFT_TWO) ^ multiply(chains[2], BESIDE_SHIFT_ONE) ^
           chains[3];
}

static uint32_t by_folding(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *at = (const uint8_t *)ptr;

    if (len < 2 * FOLD_BYTES) {
        return by_chains(crc, ptr, len);
    }
    crc = ~crc;
    while (len >= BESIDE_BYTES) {
        crc = (uint32_t)fold_beside_chains(crc, at);
        at += BESIDE_BYTES;
        len -= BESIDE_BYTES;
    }
    return ~(uint32_t)(len >= FOLD_BYTES ? fold_all(crc, at, len) : hardware(crc, at, len));
}

static bool has_folding(void)
{
    return has_chains() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("vpclmulqdq");
}

crc32c_fn crc32c_way(enum crc32c_way way)
{
    switch (way) {
    case CRC32C_FOLDING:
        return has_folding() ? by_folding : NULL;
    case CRC32C_CHAINS:
        return has_chains() ? by_chains : NULL;
    default:
        return by_table;
    }
}

uint32_t crc32c(uint32_t crc, const void *ptr, size_t len)
{
    if (has_folding()) {
        return by_folding(crc, ptr, len);
    }
    return has_chains() ? by_chains(crc, ptr, len) : by_table(crc, ptr, len);
}

#else

crc32c_fn crc32c_way(enum crc32c_way way)
{
    return way == CRC32C_TABLE ? by_table : NULL;
}

uint32_t crc32c(uint32_t crc, const void *ptr, size_t len)
{
    return by_table(crc, ptr, len);
}

#endif
