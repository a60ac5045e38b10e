/*
 * What every world must keep: the promises of runtime/port/ as tests, written once, run against the
 * real world and the simulated one.
 *
 * A world includes this header, fills a `struct conf`, and makes a test of every claim:
 *
 *     #define CASE(claim)                                                                        \
 *         GP_TEST(port, claim)                                                                   \
 *         {                                                                                      \
 *             struct conf c = ...;                                                               \
 *             conformance_##claim(&c);                                                           \
 *             ... the world ends with nothing left in it ...                                     \
 *         }
 *     CONFORMANCE_CLAIMS(CASE)
 *
 * and links gp_conformance. A claim holds in both worlds or it is no promise of port.
 */
#ifndef TESTS_PORT_CONFORMANCE_H
#define TESTS_PORT_CONFORMANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

struct conf {
    const struct port *port;
    struct loop *loop; /* port->loop */
    /* Lets the main loop go on, waiting for something to happen; false when the test's time (of its
     * world) is over. */
    bool (*step)(struct conf *c);
    void *world;
    const char *folder; /* exists, is empty, absolute and short: for files and Unix sockets */
};

/* Steps until cond holds; fails the test if it never does. Main thread. */
#define CONF_WAIT(c, cond)                                                                         \
    do {                                                                                           \
        bool gp_in_time_ = true;                                                                   \
        while (gp_in_time_ && !(cond)) {                                                           \
            gp_in_time_ = (c)->step(c);                                                            \
        }                                                                                          \
        GP_REQUIRE(gp_in_time_ || (cond));                                                         \
    } while (0)

/* Lets the world's time pass. */
void conf_pass(struct conf *c, int64_t duration_ns);

/* c->folder and a name below it. */
const char *conf_path(const struct conf *c, const char *name, char *out, size_t size);

#define CONFORMANCE_CLAIMS(X)                                                                      \
    /* conformance_loop.c */                                                                       \
    X(timer_fires_once_and_not_too_early)                                                          \
    X(timer_of_no_delay_fires_later)                                                               \
    X(timer_started_again_moves)                                                                   \
    X(timer_stopped_stays_silent)                                                                  \
    X(timer_may_be_freed_in_its_callback)                                                          \
    X(clocks_never_go_back)                                                                        \
    X(doorbell_is_heard_on_its_loop)                                                               \
    /* conformance_net.c */                                                                        \
    X(listen_on_port_0_tells_the_port)                                                             \
    X(listen_says_what_is_wrong)                                                                   \
    X(connect_to_nobody_is_refused)                                                                \
    X(connect_freed_early_is_silent)                                                               \
    X(unix_socket_is_a_file)                                                                       \
    X(bytes_arrive_whole_and_in_order)                                                             \
    X(bytes_go_both_ways)                                                                          \
    X(reader_pauses_and_resumes)                                                                   \
    X(paused_reader_hears_of_the_end_later)                                                        \
    X(end_writes_what_is_queued)                                                                   \
    X(end_gives_up_after_a_second)                                                                 \
    X(free_cancels_each_write_once)                                                                \
    X(write_to_a_closed_peer_fails)                                                                \
    X(listener_may_be_freed_while_accepting)                                                       \
    /* conformance_runner.c */                                                                     \
    X(runner_calls_come_in_order)                                                                  \
    X(runner_that_cannot_begin_only_exits)                                                         \
    X(runner_sleeps_until_woken)                                                                   \
    X(runner_woken_while_up_turns_again)                                                           \
    X(runner_asks_before_sleeping)                                                                 \
    X(runner_hears_its_loop_while_busy)                                                            \
    X(runner_has_streams_of_its_own)                                                               \
    /* conformance_fs.c */                                                                         \
    X(file_is_written_whole_and_read_whole)                                                        \
    X(file_too_big_is_not_read)                                                                    \
    X(file_is_read_and_written_in_places)                                                          \
    X(file_flags_are_heeded)                                                                       \
    X(file_lives_on_without_its_name)                                                              \
    X(rename_replaces)                                                                             \
    X(folders_are_made_listed_and_removed)                                                         \
    X(missing_files_are_missing)                                                                   \
    X(random_bytes_differ)

#define CONFORMANCE_DECLARE(claim) void conformance_##claim(struct conf *c);
CONFORMANCE_CLAIMS(CONFORMANCE_DECLARE)
#undef CONFORMANCE_DECLARE

#endif
