/*
 * upload.h: a job on its way to a master, with a bar on a terminal that shows how far it is.
 */
#ifndef APP_UPLOAD_H
#define APP_UPLOAD_H

#include "app/ctl.h"
#include "app/job.h"

/* Uploads and submits; *ret_id is the application. Codes as client_submit(); GP_ECANCELED. */
int upload_job(struct ctl *ctl, const struct job *job, bool show_progress, uint32_t *ret_id,
               struct gp_error *err);

#endif
