/*
 * A member of a group: its state, which every step is held against the rules, and its end of the
 * carrier. What the carrier does is drawn from the seed; a letter is put into the receiver's list
 * by the sender and taken out by the receiver's own timer, in its own loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "crew_internal.h"

#define STATE_BYTES 16u

/* ---- the state ---- */

static uint64_t chain_on(uint64_t chain, uint64_t index, gp_bytes command)
{
    uint64_t h = chain ^ (index * UINT64_C(0x9e3779b97f4a7c15));

    for (size_t i = 0; i < command.len && i < 64; i++) {
        h = (h ^ ((const unsigned char *)command.ptr)[i]) * UINT64_C(0x100000001b3);
    }
    return h ^ command.len;
}

/* The chain as of an index: barriers and changes of members do not move it. */
uint64_t crew_chain_at(const struct crew *crew, uint64_t index)
{
    while (index > 0 && crew->truth[index] == 0) {
        index--;
    }
    return index == 0 ? 0 : crew->chains[index];
}

static void learn(struct crew *crew, uint64_t index, uint64_t number, uint64_t chain)
{
    struct crew_command *command = &crew->commands[number];

    if (crew->truth[index] == 0) {
        crew->truth[index] = number + 1;
        crew->chains[index] = chain;
        if (command->index != 0) {
            crew_break(crew, "a command is in the log twice", number);
        }
        command->index = index;
        crew->truth_last = index > crew->truth_last ? index : crew->truth_last;
    } else if (crew->truth[index] != number + 1) {
        crew_break(crew, "two members applied different commands at an index", index);
    } else if (crew->chains[index] != chain) {
        crew_break(crew, "two members got to different states", index);
    }
}

static void on_apply(void *user, uint64_t index, gp_bytes bytes)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;
    uint64_t number;

    if (!m->has_begun || index <= m->index || index >= CREW_INDEXES_MAX) {
        crew_break(crew, "an index came twice in a life, or before it", index);
        return;
    }
    if (bytes.len < 8 || (number = get_u64_le(bytes.ptr)) >= crew->command_count) {
        crew_break(crew, "a command was made up", index);
        return;
    }
    m->chain = chain_on(m->chain, index, bytes);
    m->index = index;
    learn(crew, index, number, m->chain);
}

static int on_snapshot(void *user, struct buf *out)
{
    struct crew_member *m = user;
    int rc;

    if (m->refuses_snapshots) {
        return GP_EAGAIN;
    }
    m->crew->counts.snapshots++;
    rc = buf_append_u64(out, m->index);
    rc = rc < 0 ? rc : buf_append_u64(out, m->chain);
    return rc < 0 ? rc : buf_append_zero(out, m->padding);
}

static int on_restore(void *user, gp_bytes bytes)
{
    struct crew_member *m = user;

    m->lives++;
    m->has_begun = true;
    m->index = 0;
    m->chain = 0;
    if (bytes.len == 0) {
        return 0;
    }
    if (bytes.len < STATE_BYTES) {
        return GP_EPROTO;
    }
    m->crew->counts.installs++;
    m->index = get_u64_le(bytes.ptr);
    m->chain = get_u64_le((const char *)bytes.ptr + 8);
    if (m->index >= CREW_INDEXES_MAX || m->chain != crew_chain_at(m->crew, m->index)) {
        crew_break(m->crew, "a snapshot is of no state there was", m->index);
    }
    return 0;
}

/* One leader in a term, asked whenever anything might have changed. */
void crew_check_leader(struct crew_member *m)
{
    struct consensus_status status;
    struct crew *crew = m->crew;

    if (m->c == NULL) {
        return;
    }
    consensus_status(m->c, &status);
    if (status.role != CONSENSUS_LEADER || status.term >= CREW_TERMS_MAX) {
        return;
    }
    if (crew->leaders[status.term] == 0) {
        crew->leaders[status.term] = m->id;
        crew->counts.elections++;
        if (m->index < crew->acknowledged_last) {
            crew_break(crew, "a leader does not know all that was acknowledged", status.term);
        }
    } else if (crew->leaders[status.term] != m->id) {
        crew_break(crew, "two leaders in a term", status.term);
    }
}

static void on_change(void *user)
{
    crew_check_leader(user);
}

/* ---- the carrier ---- */

static void put_letter(struct crew_member *to, struct crew_letter *letter)
{
    struct crew_letter **at = &to->letters;

    while (*at != NULL && (*at)->due_ns <= letter->due_ns) {
        at = &(*at)->next;
    }
    letter->next = *at;
    *at = letter;
    doorbell_ring(to->bell);
}

static void post(struct crew *crew, uint32_t from, struct crew_member *to, gp_bytes bytes)
{
    struct crew_letter *letter = malloc(sizeof(*letter) + bytes.len);
    int64_t delay = rng_between(&crew->rng, MS / 10, 2 * MS);

    ASSERT(letter != NULL);
    if (rng_chance(&crew->rng, crew->carrier.late)) {
        crew->counts.late++;
        delay = rng_between(&crew->rng, MS, 300 * MS);
    }
    letter->due_ns = sim_now_ns(crew->sim) + delay;
    letter->from = from;
    letter->len = bytes.len;
    memcpy(letter->bytes, bytes.ptr, bytes.len);
    put_letter(to, letter);
}

static struct crew_member *member_of(struct crew *crew, const char *address)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        if (strcmp(crew->members[i].address, address) == 0) {
            return &crew->members[i];
        }
    }
    return NULL;
}

static void on_send(void *user, uint64_t member, const char *address, gp_bytes bytes)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;
    struct crew_member *to = member_of(crew, address);
    uint32_t copies = 1;

    if (crew->spy != NULL) {
        crew->spy(crew, member, bytes);
    }
    if (to == NULL && crew->spy != NULL) {
        return; /* a list of members that was made up */
    }
    if (to == NULL || to == m) {
        crew_break(crew, "a message to nobody", member);
        return;
    }
    if (bytes.len > CONSENSUS_FRAME_MAX) {
        crew_break(crew, "a frame is too big", bytes.len);
    }
    crew->counts.large += bytes.len > CONSENSUS_FRAME_MAX / 2;
    if (crew->cuts[m->number][to->number]) {
        crew->counts.cut++;
        return;
    }
    if (rng_chance(&crew->rng, crew->carrier.lost)) {
        crew->counts.lost++;
        return;
    }
    if (rng_chance(&crew->rng, crew->carrier.doubled)) {
        crew->counts.doubled++;
        copies = 2;
    }
    for (uint32_t i = 0; i < copies && to->c != NULL; i++) {
        post(crew, m->number, to, bytes);
    }
}

static void arm(struct crew_member *m)
{
    if (m->letters != NULL) {
        const int64_t delay = m->letters->due_ns - sim_now_ns(m->crew->sim);

        timer_start(m->timer, delay > 0 ? delay : 0);
    }
}

void crew_on_bell(void *user)
{
    arm(user);
}

void crew_on_timer(void *user)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;

    while (m->letters != NULL && m->letters->due_ns <= sim_now_ns(crew->sim)) {
        struct crew_letter *letter = m->letters;
        struct crew_member *from = &crew->members[letter->from];

        m->letters = letter->next;
        /* As a messenger would: who sent it is proven. */
        consensus_receive(m->c, from->id, from->address, gp_bytes_of(letter->bytes, letter->len));
        free(letter);
        crew_check_leader(m);
    }
    arm(m);
}

const struct consensus_events crew_events = {
    .send = on_send,
    .apply = on_apply,
    .snapshot = on_snapshot,
    .restore = on_restore,
    .on_change = on_change,
};
