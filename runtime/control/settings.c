/* settings.c: see settings.h. */
#include "control/settings.h"

#include "wire/messages.h"

int settings_reply(const struct settings_source *from, struct endpoint *ep,
                   struct reply_token token)
{
    struct msg_settings msg = {.settings = NULL};
    int rc;

    if (!from->list) {
        return GP_EUNSUPPORTED;
    }
    msg.settings = from->list(from->user);
    rc = msg.settings ? endpoint_reply(ep, token, &msg) : GP_ENOMEM;
    value_free(msg.settings);
    return rc;
}
