/* Every code has an explanation, under every name that errors print. */
#include <string.h>

#include "app/explain.h"
#include "app/fail.h"
#include "capture.h"

static const int codes[] = {
#define CODE(name, value, sentence) (value),
    ERROR_LIST(CODE)
#undef CODE
};

GP_TEST(explain, knows_every_code_by_number_name_and_word)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const struct explanation *e = explain_find(error_name(codes[i]), NULL);

        GP_REQUIRE(e != NULL);
        GP_CHECK_EQ(e->code, codes[i]);
        GP_CHECK(strlen(e->means) > 10 && strlen(e->causes) > 3 && strlen(e->remedy) > 10);
        GP_CHECK_STR_EQ(explain_word(codes[i]), e->word);
        GP_CHECK(explain_find(e->word, NULL) == e);
        GP_CHECK(explain_find(error_name(codes[i]) + 3, NULL) == e);
    }
}

GP_TEST(explain, has_one_explanation_a_word)
{
    uint32_t count;
    const struct explanation *all = explain_all(&count);

    for (uint32_t i = 0; i < count; i++) {
        GP_CHECK(explain_find(all[i].word, NULL) == &all[i]);
        GP_CHECK(strspn(all[i].word, "abcdefghijklmnopqrstuvwxyz_") == strlen(all[i].word));
    }
}

/* What an error prints is what a person copies. */
GP_TEST(explain, takes_what_errors_print)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct gp_error err = {.code = codes[i]};
        struct capture c;
        char line[64] = "";

        (void)fail_print(capture_begin(&c), FAIL_PLAIN, "cannot", &err, NULL);
        (void)memcpy(line, capture_text(&c), strcspn(capture_text(&c), ":"));
        GP_REQUIRE(explain_find(line, NULL) != NULL);
        GP_CHECK_EQ(explain_find(line, NULL)->code, codes[i]);
        capture_end(&c);
    }
}

GP_TEST(explain, knows_every_exit_code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        GP_CHECK(explain_exit_status(exit_status_of(codes[i])) != NULL);
    }
    GP_CHECK(explain_exit_status(0) != NULL);
    GP_CHECK(explain_exit_status(77) == NULL);
}

GP_TEST(explain, asks_what_was_meant)
{
    struct gp_error err = {0};

    GP_CHECK(explain_find("not_fuond", &err) == NULL);
    GP_CHECK_EQ(err.code, GP_ENOENT);
    GP_CHECK(strstr(err.text, "did you mean 'not_found'?") != NULL);
    GP_CHECK(explain_find("", &err) == NULL);
    GP_CHECK(explain_find("[", &err) == NULL);
    GP_CHECK(explain_find("Not-Found", &err) != NULL);
}
