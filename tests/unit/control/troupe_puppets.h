/*
 * troupe_puppets.h: what the files of the troupe share and tests need not see: the plan, the
 * puppets and how they begin and end, each in a simulated process.
 */
#ifndef TESTS_CONTROL_TROUPE_PUPPETS_H
#define TESTS_CONTROL_TROUPE_PUPPETS_H

#include "graph/plan.h"
#include "troupe.h"

#define APP    7u
#define TOKEN  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MASTER "10.0.0.1:3000"

extern const struct plan troupe_plan;

/* Messages have no const in them; nobody writes there. */
static inline char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* Endpoints of puppets all know TOKEN. */
int puppet_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err);
struct endpoint *puppet_endpoint(const struct port *port, enum role role, const char *name,
                                 const struct endpoint_events *events, void *user);

int puppet_master_begin(struct troupe *t, const struct port *port, struct gp_error *err);

int puppet_worker_begin(struct fake_worker *w, uint32_t id, const struct port *port,
                        struct gp_error *err);
void puppet_worker_end(struct fake_worker *w);

void puppet_executor_begin(struct fake_executor *e, const struct port *port, const char *appmaster);
void puppet_executor_end(struct fake_executor *e);

#endif
