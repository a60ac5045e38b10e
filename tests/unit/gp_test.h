/*
 * The one header of every unit test.
 *
 *     GP_TEST(account, refuses_when_credit_is_spent)
 *     {
 *         GP_CHECK_EQ(account_draw(&a, 1), GP_EAGAIN);
 *     }
 *
 * A test is a plain function. Criterion runs it in a process of its own; built with GP_TEST_PLAIN,
 * where Criterion cannot go (the thread sanitizer), plain_runner.c calls it in this one. Both take
 * --list and --filter 'suite/claim', a pattern as the shell knows it.
 *
 * GP_CHECK... notes a failure and goes on; GP_REQUIRE... ends the test and so belongs on the
 * test's own thread. Arguments are evaluated once. The _EQ forms compare integers of at most 64
 * bits as signed ones, so they hold UINT64_MAX and -1 equal.
 */
#ifndef GP_TEST_H
#define GP_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often: a sanitizer finds in few what it would in many. */
#ifdef GP_TEST_SLOW
#define GP_FEWER(many, few) (few)
#else
#define GP_FEWER(many, few) (many)
#endif

#ifdef GP_TEST_PLAIN

struct gp_test_case {
    const char *suite;
    const char *claim;
    void (*body)(void);
    struct gp_test_case *next;
};

void gp_test_register(struct gp_test_case *test);
void gp_test_failed(const char *file, int line, bool fatal, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gp_test_skip(const char *reason) __attribute__((noreturn));

#define GP_TEST(suite, claim)                                                                      \
    static void gp_test_##suite##_##claim(void);                                                   \
    __attribute__((constructor)) static void gp_test_register_##suite##_##claim(void)              \
    {                                                                                              \
        static struct gp_test_case self = {#suite, #claim, gp_test_##suite##_##claim, NULL};       \
        gp_test_register(&self);                                                                   \
    }                                                                                              \
    static void gp_test_##suite##_##claim(void)

#define GP_TEST_CHECK_FAILED(...)   gp_test_failed(__FILE__, __LINE__, false, __VA_ARGS__)
#define GP_TEST_REQUIRE_FAILED(...) gp_test_failed(__FILE__, __LINE__, true, __VA_ARGS__)
#define GP_SKIP(reason)             gp_test_skip(reason)

#else

#include <criterion/criterion.h>

#define GP_TEST(suite, claim)                                                                      \
    static void gp_test_##suite##_##claim(void);                                                   \
    Test(suite, claim)                                                                             \
    {                                                                                              \
        gp_test_##suite##_##claim();                                                               \
    }                                                                                              \
    static void gp_test_##suite##_##claim(void)

#define GP_TEST_CHECK_FAILED(...)   cr_expect(0, __VA_ARGS__)
#define GP_TEST_REQUIRE_FAILED(...) cr_assert(0, __VA_ARGS__)
#define GP_SKIP(reason)             cr_skip_test(reason)

#endif

#define GP_TEST_COND(failed, cond)                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            failed("not true: %s", #cond);                                                         \
        }                                                                                          \
    } while (0)

#define GP_TEST_INT(failed, a, op, b)                                                              \
    do {                                                                                           \
        const long long gp_a_ = (long long)(a);                                                    \
        const long long gp_b_ = (long long)(b);                                                    \
        if (!(gp_a_ op gp_b_)) {                                                                   \
            failed("%s " #op " %s: left is %lld, right is %lld", #a, #b, gp_a_, gp_b_);            \
        }                                                                                          \
    } while (0)

#define GP_TEST_STR(failed, a, b)                                                                  \
    do {                                                                                           \
        const char *gp_a_ = (a);                                                                   \
        const char *gp_b_ = (b);                                                                   \
        if (gp_a_ == NULL || gp_b_ == NULL ? gp_a_ != gp_b_ : strcmp(gp_a_, gp_b_) != 0) {         \
            failed("%s is \"%s\", %s is \"%s\"", #a, gp_a_ ? gp_a_ : "(null)", #b,                 \
                   gp_b_ ? gp_b_ : "(null)");                                                      \
        }                                                                                          \
    } while (0)

#define GP_TEST_MEM(failed, a, b, size)                                                            \
    do {                                                                                           \
        const unsigned char *gp_a_ = (const unsigned char *)(a);                                   \
        const unsigned char *gp_b_ = (const unsigned char *)(b);                                   \
        const size_t gp_size_ = (size_t)(size);                                                    \
        size_t gp_i_ = 0;                                                                          \
        while (gp_i_ < gp_size_ && gp_a_[gp_i_] == gp_b_[gp_i_]) {                                 \
            gp_i_++;                                                                               \
        }                                                                                          \
        if (gp_i_ < gp_size_) {                                                                    \
            failed("%s and %s differ at byte %zu of %zu: 0x%02x and 0x%02x", #a, #b, gp_i_,        \
                   gp_size_, gp_a_[gp_i_], gp_b_[gp_i_]);                                          \
        }                                                                                          \
    } while (0)

#define GP_CHECK(cond)              GP_TEST_COND(GP_TEST_CHECK_FAILED, cond)
#define GP_CHECK_EQ(a, b)           GP_TEST_INT(GP_TEST_CHECK_FAILED, a, ==, b)
#define GP_CHECK_NE(a, b)           GP_TEST_INT(GP_TEST_CHECK_FAILED, a, !=, b)
#define GP_CHECK_STR_EQ(a, b)       GP_TEST_STR(GP_TEST_CHECK_FAILED, a, b)
#define GP_CHECK_MEM_EQ(a, b, size) GP_TEST_MEM(GP_TEST_CHECK_FAILED, a, b, size)
#define GP_TEST_FAIL(...)           GP_TEST_CHECK_FAILED(__VA_ARGS__)

#define GP_REQUIRE(cond)              GP_TEST_COND(GP_TEST_REQUIRE_FAILED, cond)
#define GP_REQUIRE_EQ(a, b)           GP_TEST_INT(GP_TEST_REQUIRE_FAILED, a, ==, b)
#define GP_REQUIRE_NE(a, b)           GP_TEST_INT(GP_TEST_REQUIRE_FAILED, a, !=, b)
#define GP_REQUIRE_STR_EQ(a, b)       GP_TEST_STR(GP_TEST_REQUIRE_FAILED, a, b)
#define GP_REQUIRE_MEM_EQ(a, b, size) GP_TEST_MEM(GP_TEST_REQUIRE_FAILED, a, b, size)

#endif
