/*
 * launch.h: what a worker tells a child when it starts it: `gpd appmaster JSON`, `gpd executor
 * JSON`.
 *
 * One argument holds a JSON object described by the tables here; secrets are not in it, they come
 * with the child's port (LAUNCH_TOKEN_ENV).
 */
#ifndef CONTROL_LAUNCH_H
#define CONTROL_LAUNCH_H

#include "port/port.h"
#include "wire/fields.h"

#define LAUNCH_TOKEN_ENV     "GEARPUMP_APP_TOKEN" /* the application token, 64 hex digits */
#define LAUNCH_ARG_MAX_BYTES 65536u

struct launch_appmaster {
    uint32_t app;
    uint32_t epoch;
    char *name;         /* of the application */
    char *sha256;       /* of its shared object */
    char *artefacts;    /* folder of the worker's store, to read from */
    char *worker;       /* address of that worker, to have plugins fetched into it */
    char *bind;         /* host to listen on */
    char *advertise;    /* host that others reach it by */
    struct value *data; /* settings of the data plane, for applications that set none; or NULL */
    char **masters;
    uint32_t masters_count;
};

struct launch_executor {
    uint32_t app;
    uint32_t epoch;
    uint32_t executor;
    uint32_t slots;
    uint32_t lanes;    /* 0: as many as this host's cores give its workers */
    uint32_t blocking; /* besides, for tasks whose calls may block */
    uint32_t pinned; /* core of the first lane, from 1; the others follow; 0: they are not bound */
    char *appmaster; /* its address */
    char *artefacts;
    char *bind;
    char *advertise;
    char *host;     /* name of the host: same name, same host */
    char *sockets;  /* folder for Unix sockets, mode 0700 */
    char **masters; /* who say where the appmaster is, once it is lost */
    uint32_t masters_count;
};

extern const struct fields launch_appmaster_fields;
extern const struct fields launch_executor_fields;

/* The JSON argument, appended with its terminating zero to be used as a C string (buf_c). */
int launch_print(const struct fields *table, const void *launch, struct buf *out);

/* The reverse; fields_deinit(table, ret) frees. GP_EINVAL, GP_EPROTO with the place. */
int launch_parse(const struct port *port, const struct fields *table, const char *arg, void *ret,
                 struct gp_error *err);

#endif
