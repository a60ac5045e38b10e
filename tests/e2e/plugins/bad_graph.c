/*
 * bad_graph: a build function that makes the mistakes it is told: `--set mistakes=cycle,zero,...`;
 * `silent` fails without a word.
 */
#include <string.h>

#include <gearpump/gearpump.h>

static int32_t nothing_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return GP_END;
}

static int32_t nothing_process(void *self, uint32_t port, const struct gp_batch *in,
                               uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    *consumed = in->count;
    return GP_OK;
}

static const struct gp_processor from = {.size = sizeof from,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "from",
                                         .open = gp_open_stateless,
                                         .poll = nothing_poll};

static const struct gp_processor to = {.size = sizeof to,
                                       .kind = GP_KIND_PROCESSOR,
                                       .type = "to",
                                       .open = gp_open_stateless,
                                       .process = nothing_process};

static int makes(const struct gp_build *b, const char *mistake)
{
    return strstr(gp_config_text(b->config, "mistakes", ""), mistake) != NULL;
}

static int32_t build(const struct gp_build *b)
{
    gp_node source = gp_add(b, "source", &from, 1);
    gp_node first = gp_add(b, "first", &to, 1);
    gp_node second = gp_add(b, "second", &to, 1);

    gp_connect(b, source, first, GP_SHUFFLE);
    gp_connect(b, first, second, GP_SHUFFLE);
    if (makes(b, "cycle")) {
        gp_connect(b, second, first, GP_SHUFFLE);
    }
    if (makes(b, "duplicate")) {
        gp_connect(b, second, gp_add(b, "first", &to, 1), GP_SHUFFLE);
    }
    if (makes(b, "zero")) {
        gp_connect(b, second, gp_add(b, "third", &to, 0), GP_SHUFFLE);
    }
    if (makes(b, "plugin")) {
        gp_connect(b, second, gp_add_plugin(b, "fourth", "nowhere", "sink", 1), GP_SHUFFLE);
    }
    if (makes(b, "type")) {
        gp_connect(b, second, gp_add_plugin(b, "fifth", "file", "drain", 1), GP_SHUFFLE);
    }
    if (makes(b, "partitioner")) {
        gp_connect(b, second, gp_add(b, "sixth", &to, 1), "magic");
    }
    if (makes(b, "own")) {
        gp_mistake(b, "the parameter 'colour' is missing");
    }
    return makes(b, "own") || makes(b, "silent") ? GP_FAIL : GP_OK;
}

GP_APP("bad_graph", "1.0.0", build, &from, &to)
