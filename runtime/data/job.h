/*
 * job.h: what an executor runs: the plan, its plugins, and the tables that lanes need, with one
 * owner.
 *
 * Loads every plugin of the plan from the artefact store; each processor finds its table, its
 * parameters (its own, then the application's) and the host services. Made by the control thread
 * before lanes start, then only read, freed after they ended.
 */
#ifndef DATA_JOB_H
#define DATA_JOB_H

#include "data/engine.h"
#include "data/options.h"
#include "graph/placement.h"
#include "graph/plugin_load.h"
#include "wire/messages_executor.h"

struct job;

/*
 * From the appmaster's assignment. artefacts is the folder of the store; otherwise: options that
 * the application does not set. GP_EPROTO: the assignment does not hold; GP_EABI and the like: a
 * plugin does not load; GP_ENOENT: a plugin lacks a processor.
 */
int job_new(const struct port *port, const struct msg_executor_assign *msg, const char *artefacts,
            const struct data_options *otherwise, struct job **ret, struct gp_error *err);
void job_free(struct job *job); /* NULL is fine */

const struct plan *job_plan(const struct job *job);

/* Borrows from the job; where tasks are is the caller's to fill (data/desired.h). */
void job_describe(const struct job *job, struct engine_job *ret);

#endif
