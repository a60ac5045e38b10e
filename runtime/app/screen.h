/*
 * screen.h: a terminal as a whole: pictures out, keys in.
 *
 * A guardian owns the terminal: screen_begin() forks, and what goes on is the child, which only draws
 * and reads. The parent sets the terminal up, waits, and puts it back however the child ends: by its
 * return, a signal, a crash or a SIGKILL. It stops and goes on with its child (^Z, fg), passes SIGTERM
 * on, and prints last what the child wrote to stderr, which would else be lost behind the picture. So
 * there is no handler that would have to restore anything, and no state outside of functions.
 *
 * The few sequences used are those that every terminal of the last thirty years understands (xterm's
 * alternate screen, cursor, erase, colours); a table of terminals would add a library for nothing.
 */
#ifndef APP_SCREEN_H
#define APP_SCREEN_H

#include "app/picture.h"
#include "base/error.h"
#include "port/loop.h"

/* Whether stdin and stdout are a terminal that can do this. */
bool screen_is_possible(void);

/*
 * Forks: to be called before anything starts a thread. 0 in the child, which goes on and ends by
 * exit; 1 in the guardian, when the child has ended: *ret_status is what this process is to answer.
 * Negative: there is no child. GP_EIO.
 */
int screen_begin(int *ret_status, struct gp_error *err);

struct screen;

/* In the child. on_keys: bytes as the terminal sent them; len 0: it is gone. on_resized: the size may
 * have changed. Colours unless NO_COLOR is set. GP_ENOMEM, GP_EIO. */
int screen_new(struct loop *loop, void (*on_keys)(void *user, gp_str sent),
               void (*on_resized)(void *user), void *user, struct screen **ret,
               struct gp_error *err);

/* NULL is fine. */
void screen_free(struct screen *s);

/* As it is now; 80x24 when the terminal does not know. */
void screen_size(uint32_t *ret_rows, uint32_t *ret_columns);

/* Shows it instead of the one before. */
void screen_show(struct screen *s, const struct picture *p);

#endif
