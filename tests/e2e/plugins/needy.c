/* needy: an application that cannot do without a service which no host offers. */
#define GP_REQUIRED_SERVICES "gp.nonsense/9"
#include <gearpump/gearpump.h>

static int32_t needy_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return GP_END;
}

static const struct gp_processor needy = {.size = sizeof needy,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "needy",
                                          .open = gp_open_stateless,
                                          .poll = needy_poll};

static int32_t build(const struct gp_build *b)
{
    (void)gp_add(b, "needy", &needy, 1);
    return GP_OK;
}

GP_APP("needy", "1.0.0", build, &needy)
