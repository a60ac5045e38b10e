/*
 * Building a graph through the testkit; and what GP_APP makes of a file.
 */
#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "gp_test.h"

static int32_t nothing(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    *consumed = in->count;
    return GP_OK;
}

static const struct gp_processor drop = {.size = sizeof drop,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "drop",
                                         .open = gp_open_stateless,
                                         .process = nothing};

static int32_t build(const struct gp_build *b)
{
    gp_node in = gp_add_plugin(b, "in", "file", "source", 3);
    gp_node out = gp_add(b, "out", &drop, 1);

    gp_set(b, in, "path", gp_config_text(b->config, "input", "/dev/null"));
    gp_connect(b, in, out, NULL);
    gp_connect_ports(b, in, 1, out, 2, GP_HASH);
    if (gp_config_text(b->config, "wrong", NULL)) {
        gp_mistake(b, "all of it");
        return GP_FAIL;
    }
    return GP_OK;
}

GP_APP("build-test", "1.2.3", build, &drop)

GP_TEST(build, writes_the_graph_as_text)
{
    char text[512];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, NULL, 0, text, sizeof text), GP_OK);
    GP_CHECK_STR_EQ(text, "in file/source x3\n"
                          "out drop x1\n"
                          "in path=/dev/null\n"
                          "in:0 -> out:0 shuffle\n"
                          "in:1 -> out:2 hash\n");
}

GP_TEST(build, hands_over_parameters_and_reports_mistakes)
{
    static const struct gp_kit_pair pairs[] = {{"input", "/etc"}, {"wrong", "yes"}};
    char text[512];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, pairs, 2, text, sizeof text), GP_FAIL);
    GP_CHECK(strstr(text, "in path=/etc\n") != NULL);
    GP_CHECK(strstr(text, "mistake: all of it\n") != NULL);
}

GP_TEST(build, tells_when_the_text_does_not_fit)
{
    char text[20];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, NULL, 0, text, sizeof text), GP_FAIL);
    GP_CHECK_STR_EQ(text, "in file/source x3\no");
}

GP_TEST(build, finds_processors_by_type)
{
    GP_CHECK(gp_kit_find(&gp_entry, "drop") == &drop);
    GP_CHECK(gp_kit_find(&gp_entry, "source") == NULL);
}

/* gpctl reads the note, the runtime the symbol: they must agree. */
GP_TEST(build, note_and_entry_say_the_same)
{
    const struct gp_note *note = &gp_note_section_.desc;

    GP_CHECK_STR_EQ(note->name, gp_entry.name);
    GP_CHECK_STR_EQ(note->version, gp_entry.version);
    GP_CHECK_EQ(note->abi_major, gp_entry.abi_major);
    GP_CHECK_EQ(note->abi_minor, gp_entry.abi_minor);
    GP_CHECK_EQ(note->flags, GP_NOTE_APP);
    GP_CHECK_STR_EQ(note->services, GP_SERVICE_TASK);
    GP_CHECK_EQ(gp_note_section_.desc_size, sizeof *note);
    GP_CHECK_MEM_EQ(gp_note_section_.owner, GP_NOTE_OWNER, gp_note_section_.owner_size);
    GP_CHECK(gp_entry.get_factory("gp.unheard/1") == NULL);
}
