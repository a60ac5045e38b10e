/*
 * terminal.h: a terminal as a whole screen: text out, keys in.
 *
 * A guardian owns the terminal: edge_terminal_begin() forks, and what goes on is the child, which
 * only draws and reads. The parent sets the terminal up, waits, and puts it back however the child
 * ends: by its return, a signal, a crash or a SIGKILL. It stops and goes on with its child (^Z,
 * fg), passes SIGTERM on, and prints last what the child wrote to stderr, which would else be lost
 * behind the picture. So there is no handler that would have to restore anything, and no state
 * outside of functions.
 *
 * The few sequences used are those that every terminal of the last thirty years understands
 * (xterm's alternate screen, the cursor, wrapping); a table of terminals would add a library for
 * nothing.
 */
#ifndef EDGE_TERMINAL_H
#define EDGE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"
#include "port/loop.h"

/* Whether stdin and stdout are a terminal that can do this. */
bool edge_terminal_is_possible(void);

/*
 * Forks: to be called before anything starts a thread. 0 in the child, which goes on and ends by
 * exit; 1 in the guardian, when the child has ended: *ret_status is what this process is to answer.
 * Negative: there is no child. GP_EIO.
 */
int edge_terminal_begin(int *ret_status, struct gp_error *err);

struct edge_terminal;

/* In the child. on_keys: bytes as the terminal sent them; len 0: it is gone. on_resized: the size
 * may have changed. Both on the loop's thread. GP_ENOMEM, GP_EIO. */
int edge_terminal_new(struct loop *loop, void (*on_keys)(void *user, gp_str sent),
                      void (*on_resized)(void *user), void *user, struct edge_terminal **ret,
                      struct gp_error *err);

/* NULL is fine. */
void edge_terminal_free(struct edge_terminal *t);

/* As it is now; 80x24 when the terminal does not know. */
void edge_terminal_size(uint32_t *ret_rows, uint32_t *ret_columns);

/* To stdout, whole: waits while the terminal is slow. */
void edge_terminal_write(gp_str text);

#endif
