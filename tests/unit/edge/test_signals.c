#include <signal.h>

#include "edge/signals.h"
#include "rig.h"

struct stops {
    int signals[4];
    int count;
};

static void on_stop(void *user, int signal, int count)
{
    struct stops *s = user;

    s->count++;
    GP_CHECK_EQ(count, s->count);
    s->signals[(count - 1) % 4] = signal;
}

/* The next one of the kind ends the process. */
static bool is_deadly(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

GP_TEST(signals, asking_to_stop_is_told_and_counted)
{
    struct rig rig;
    struct stops s = {0};
    struct edge_signals *signals = NULL;
    struct gp_error err = {0};

    edge_process_begin();
    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(edge_signals_new(rig.world, on_stop, &s, &signals, &err), 0);
    GP_REQUIRE_EQ(raise(SIGTERM), 0);
    RIG_PUMP_UNTIL(&rig, s.count == 1);
    GP_REQUIRE_EQ(raise(SIGINT), 0);
    RIG_PUMP_UNTIL(&rig, s.count == 2);
    GP_CHECK_EQ(s.signals[0], SIGTERM);
    GP_CHECK_EQ(s.signals[1], SIGINT);
    GP_CHECK(is_deadly(SIGTERM)); /* whatever the loop is held up by */
    GP_CHECK(is_deadly(SIGINT));
    edge_signals_free(signals);
    edge_signals_free(NULL);
    rig_end(&rig);
}

GP_TEST(signals, a_broken_pipe_is_no_signal)
{
    int fds[2];

    edge_process_begin();
    GP_REQUIRE_EQ(pipe(fds), 0);
    (void)close(fds[0]);
    GP_CHECK(write(fds[1], "x", 1) < 0);
    (void)close(fds[1]);
}
