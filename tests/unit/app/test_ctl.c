/* Waiting for the loop, and being interrupted. */
#include <signal.h>

#include "app/ctl.h"
#include "gp_test.h"
#include "port/loop.h"

static void set(void *user)
{
    *(bool *)user = true;
}

/* The interrupt may come in the very step in which a wait ends well; the next one ends with it. */
GP_TEST(ctl, an_interrupt_between_two_waits_ends_the_next)
{
    const struct options options = {0};
    struct gp_error err = {0};
    struct timer *timer;
    struct ctl ctl;
    bool done = false;

    ctl_open(&ctl, &options);
    GP_REQUIRE_EQ(ctl_open_world(&ctl, &err), 0);
    GP_REQUIRE_EQ(ctl_watch_interrupts(&ctl, &err), 0);
    GP_REQUIRE_EQ(timer_new(edge_port(ctl.world)->loop, set, &done, &timer), 0);
    timer_start(timer, 50 * 1000 * 1000);
    GP_REQUIRE_EQ(raise(SIGTERM), 0);
    while (ctl.interrupts == 0) {
        edge_step(ctl.world, true);
    }
    GP_CHECK_EQ(ctl_run_until(&ctl, &done), GP_ECANCELED);
    GP_CHECK(!done);
    GP_CHECK_EQ(ctl.stop_signal, SIGTERM);
    GP_CHECK_EQ(ctl_run_until(&ctl, &done), 0); /* it ends one wait */
    GP_CHECK(done);
    timer_free(timer);
    ctl_close(&ctl);
}
