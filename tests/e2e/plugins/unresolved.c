/* unresolved: an application that calls a function which nobody has. */
#include <gearpump/gearpump.h>

int32_t e2e_missing_function(void);

static int32_t unresolved_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return e2e_missing_function();
}

static const struct gp_processor unresolved = {.size = sizeof unresolved,
                                               .kind = GP_KIND_PROCESSOR,
                                               .type = "unresolved",
                                               .open = gp_open_stateless,
                                               .poll = unresolved_poll};

static int32_t build(const struct gp_build *b)
{
    (void)gp_add(b, "unresolved", &unresolved, 1);
    return GP_OK;
}

GP_APP("unresolved", "1.0.0", build, &unresolved)
