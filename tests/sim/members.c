#include "members.h"

#include "base/str.h"

#define SECOND   INT64_C(1000000000)
#define ASK_NS   (20 * SECOND)
#define AGAIN_NS (SECOND / 2)
#define REMOVALS 4u /* that are tried: without enough others it is refused */

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct members *mm = user;

    (void)msg;
    (void)err;
    mm->is_asked = false;
    mm->code = code;
    mm->asked++;
    if (mm->phase == MEMBERS_REMOVING) {
        /* It may have happened though nobody could say so: adding it again shows. */
        mm->was_removed = mm->was_removed || code == 0 || code == GP_ENOENT;
        if (mm->was_removed || mm->asked >= REMOVALS) {
            mm->phase = MEMBERS_ADDING;
            mm->next_ns += mm->pause_ns;
        }
    } else if (code == 0 || code == GP_EEXIST) {
        mm->phase = MEMBERS_WHOLE;
    }
}

void members_begin(struct members *mm, const struct cluster *c, uint32_t who, int64_t after_ns)
{
    *mm = (struct members){.phase = MEMBERS_REMOVING,
                           .who = who,
                           .next_ns = sim_now_ns(c->sim) + after_ns,
                           .pause_ns = after_ns};
    (void)str_format(mm->address, sizeof mm->address, "%s:3000",
                     sim_host_name(c->masters[who].host));
}

void members_step(struct members *mm, struct cluster *c)
{
    const struct msg_master_ref ref = {mm->address};
    const int64_t now_ns = sim_now_ns(c->sim);

    if (members_is_over(mm) || mm->is_asked || now_ns < mm->next_ns || !c->client) {
        return;
    }
    mm->next_ns = now_ns + AGAIN_NS;
    mm->is_asked =
        client_ask_for(c->client,
                       mm->phase == MEMBERS_REMOVING ? MSG_MASTER_REMOVE : MSG_MASTER_ADD, &ref,
                       ASK_NS, on_answer, mm) >= 0;
}

bool members_is_over(const struct members *mm)
{
    return mm->phase == MEMBERS_NONE || mm->phase == MEMBERS_WHOLE;
}
