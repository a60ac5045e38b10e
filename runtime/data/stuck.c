/* stuck.c: see stuck.h. */
#include "data/stuck.h"

#include <stddef.h>

static bool is_same(const struct stuck_call *c, const struct crash_note *note)
{
    return CRASH_NOTE_GET(note, function) == c->function && CRASH_NOTE_GET(note, calls) == c->calls;
}

/* What is read in the midst of a change is another call at the next look. */
static void begin(struct stuck_call *c, const struct crash_note *note, int64_t now_ns)
{
    *c = (struct stuck_call){.calls = CRASH_NOTE_GET(note, calls),
                             .task = CRASH_NOTE_GET(note, task),
                             .processor = CRASH_NOTE_GET(note, processor),
                             .function = CRASH_NOTE_GET(note, function),
                             .began_ns = now_ns,
                             .looked_ns = now_ns};
    c->state = c->function && c->processor ? STUCK_OPEN : STUCK_NONE;
}

bool stuck_look(struct stuck_call *c, const struct crash_note *note, int64_t timeout_ns,
                int64_t now_ns)
{
    bool goes_on = (c->state == STUCK_OPEN || c->state == STUCK_STUCK) && is_same(c, note);

    if (!goes_on && c->state != STUCK_STUCK) {
        begin(c, note, now_ns);
        return false;
    }
    c->looked_ns = now_ns;
    if (!goes_on) {
        c->state = STUCK_RETURNED;
        return true;
    }
    if (c->state == STUCK_OPEN && timeout_ns > 0 && stuck_for_ns(c) >= timeout_ns) {
        c->state = STUCK_STUCK;
        return true;
    }
    return false;
}

int64_t stuck_for_ns(const struct stuck_call *c)
{
    return c->looked_ns - c->began_ns;
}
