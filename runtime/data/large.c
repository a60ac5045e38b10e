#include "data/large.h"

#include "data/stage.h"
#include "data/task.h"

int32_t large_emit(struct task *t, const struct stage_port *port, const struct gp_msg *m,
                   uint64_t hash)
{
    (void)port;
    (void)m;
    (void)hash;
    t->api.service->fail(&t->api, GP_STR("large messages are not possible yet"));
    return GP_FAIL;
}

int large_on_fragment(struct inlink *link, const struct batch_element *e)
{
    (void)link;
    (void)e;
    return GP_EPROTO;
}

int large_on_request(struct inlink *link, const struct batch_element *e)
{
    (void)link;
    (void)e;
    return GP_EPROTO;
}

enum step step_large(struct task *t, int64_t *budget)
{
    (void)t;
    (void)budget;
    UNREACHABLE();
}
