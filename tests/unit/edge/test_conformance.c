/*
 * The promises of port in the real world.
 */
#include "edge/signals.h"
#include "port/conformance.h"
#include "rig.h"

static bool step(struct conf *c)
{
    struct rig *rig = c->world;

    edge_step(rig->world, true);
    return !rig->expired;
}

static void check_claim(void (*claim)(struct conf *c))
{
    struct rig rig;
    struct conf c;

    edge_process_begin(); /* a broken pipe is no signal */
    rig_begin(&rig, NULL);
    (void)rig_path(&rig, ""); /* makes the folder */
    c = (struct conf){
        .port = rig.port,
        .loop = rig.loop,
        .step = step,
        .world = &rig,
        .folder = rig.folder,
    };
    timer_start(rig.watchdog, RIG_PATIENCE_NS);
    claim(&c);
    rig_end(&rig);
}

#define CASE(claim)                                                                                \
    GP_TEST(edge_port, claim)                                                                      \
    {                                                                                              \
        check_claim(conformance_##claim);                                                          \
    }
CONFORMANCE_CLAIMS(CASE)
