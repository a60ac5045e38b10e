/* upload.c: see upload.h. */
#include "app/upload.h"

#include <unistd.h>

#include "app/progress.h"

struct uploading {
    struct progress progress;
    struct gp_error *err;
    bool is_over;
    int code;
    uint32_t id;
};

static void on_progress(void *user, uint64_t sent, uint64_t size)
{
    struct uploading *u = user;

    progress_at(&u->progress, sent, size);
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct uploading *u = user;

    u->is_over = true;
    u->code = code;
    if (code < 0) {
        *u->err = *err;
    } else {
        u->id = ((const struct msg_app_submitted *)msg)->id;
    }
}

int upload_job(struct ctl *ctl, const struct job *job, bool show_progress, uint32_t *ret_id,
               struct gp_error *err)
{
    struct uploading u = {.err = err};
    struct client_submit submit = {.path = job->note.path,
                                   .spec = job->spec,
                                   .on_progress = on_progress,
                                   .fn = on_submitted,
                                   .user = &u};
    bool is_shown = show_progress && !ctl->json && !ctl->is_quiet && isatty(STDERR_FILENO) != 0;
    int rc;

    progress_begin(&u.progress, is_shown ? stderr : NULL, "uploading");
    rc = client_submit(ctl->client, &submit, err);
    if (rc == 0) {
        rc = ctl_run_until(ctl, &u.is_over);
        if (rc < 0) { /* nothing may come back to what is on this stack */
            client_free(ctl->client);
            ctl->client = NULL;
            (void)gp_error_set(err, rc, "interrupted; the job may have been submitted");
        } else {
            rc = u.code;
        }
    }
    progress_end(&u.progress);
    *ret_id = u.id;
    return rc;
}
