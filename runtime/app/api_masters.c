/* api_masters.c: how each master is, as gpctl masters says: see survey.h. */
#include <stdlib.h>

#include "app/api.h"
#include "app/survey.h"

struct asking_masters {
    struct survey survey;
    struct client *client; /* of this call alone: it asks by address */
};

static void free_survey(struct api_call *call)
{
    struct asking_masters *state = call->state;

    if (state) {
        client_free(state->client);
        free(state);
    }
}

/* From inside the client, which is freed with the call. */
static void on_done(void *user)
{
    struct api_call *call = user;
    struct asking_masters *state = call->state;
    struct gp_error err = {0};

    if (survey_judge(&state->survey, &err) < 0) {
        api_fail(call, &err);
    } else {
        api_answer_take(call, survey_tree(&state->survey));
    }
}

int api_masters_show(struct api_call *call, struct gp_error *err)
{
    struct asking_masters *state = calloc(1, sizeof *state);
    const char *const *masters;
    uint32_t count;
    int rc;

    if (!state) {
        return GP_ENOMEM;
    }
    call->state = state;
    call->state_free = free_survey;
    masters = api_masters(call->api, &count);
    rc = api_client_new(call->api, &state->client, err);
    return rc < 0 ? rc
                  : survey_begin(&state->survey, state->client, masters, count, on_done, call, err);
}
