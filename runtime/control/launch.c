/* launch.c: see launch.h. */
#include "control/launch.h"

#include "base/str.h"

#define ADDRESS_MAX 136
#define PATH_MAX_   4096
#define MUST        FIELD_REQUIRED
#define FULL        (FIELD_REQUIRED | FIELD_NONEMPTY)

static const struct field appmaster_items[] = {
    FIELD_COUNT(struct launch_appmaster, app, MUST, 0, "id of the application"),
    FIELD_COUNT(struct launch_appmaster, epoch, MUST, 0, "number of this life of its appmaster"),
    FIELD_TEXT(struct launch_appmaster, name, MUST, 255, "name of the application"),
    FIELD_TEXT(struct launch_appmaster, sha256, FULL, 64, "of its shared object"),
    FIELD_TEXT(struct launch_appmaster, artefacts, FULL, PATH_MAX_, "folder with the plugins"),
    FIELD_TEXT(struct launch_appmaster, worker, FULL, ADDRESS_MAX, "where its worker listens"),
    FIELD_TEXT(struct launch_appmaster, bind, FULL, ADDRESS_MAX, "host to listen on"),
    FIELD_TEXT(struct launch_appmaster, advertise, FIELD_OPTIONAL, ADDRESS_MAX,
               "host that others use"),
    FIELD_TREE(struct launch_appmaster, data, FIELD_OPTIONAL,
               "settings of the data plane, for applications that set none"),
    FIELD_TEXTS(struct launch_appmaster, masters, FULL, 9, ADDRESS_MAX, "where the masters listen"),
};
const struct fields launch_appmaster_fields =
    FIELDS("appmaster", struct launch_appmaster, appmaster_items);

static const struct field executor_items[] = {
    FIELD_COUNT(struct launch_executor, app, MUST, 0, "id of the application"),
    FIELD_COUNT(struct launch_executor, epoch, MUST, 0, "of its appmaster"),
    FIELD_COUNT(struct launch_executor, executor, MUST, 0, "id in the application, from 1"),
    FIELD_COUNT(struct launch_executor, slots, MUST, 0, "tasks it may run"),
    FIELD_COUNT(struct launch_executor, lanes, FIELD_OPTIONAL, 256,
                "threads; 0: by the host's cores"),
    FIELD_COUNT(struct launch_executor, blocking, FIELD_OPTIONAL, 256,
                "threads besides, for tasks whose calls may block"),
    FIELD_COUNT(struct launch_executor, pinned, FIELD_OPTIONAL, UINT16_MAX,
                "core of the first of the other threads, from 1; 0: they are not bound to any"),
    FIELD_TEXT(struct launch_executor, appmaster, FULL, ADDRESS_MAX, "where its appmaster listens"),
    FIELD_TEXT(struct launch_executor, artefacts, FULL, PATH_MAX_, "folder with the plugins"),
    FIELD_TEXT(struct launch_executor, bind, FULL, ADDRESS_MAX, "host to listen on"),
    FIELD_TEXT(struct launch_executor, advertise, FIELD_OPTIONAL, ADDRESS_MAX,
               "host that others use"),
    FIELD_TEXT(struct launch_executor, host, FULL, 255, "name of this host"),
    FIELD_TEXT(struct launch_executor, sockets, FIELD_OPTIONAL, PATH_MAX_,
               "folder for Unix sockets"),
    FIELD_TEXTS(struct launch_executor, masters, FIELD_OPTIONAL, 9, ADDRESS_MAX,
                "who say where the appmaster is, once it is lost"),
};
const struct fields launch_executor_fields =
    FIELDS("executor", struct launch_executor, executor_items);

int launch_print(const struct fields *table, const void *launch, struct buf *out)
{
    return fields_print_json(table, launch, out);
}

int launch_parse(const struct port *port, const struct fields *table, const char *arg, void *ret,
                 struct gp_error *err)
{
    struct value *tree = NULL;
    gp_str text = gp_str_of(arg);
    int rc;

    if (text.len > LAUNCH_ARG_MAX_BYTES) {
        return gp_error_set(err, GP_ETOOBIG, "the argument of '%s' is too long", table->name);
    }
    rc = port_json_parse(port, text, &tree, err);
    if (rc >= 0) {
        rc = fields_decode(table, tree, ret, err);
    }
    if (rc < 0) {
        gp_error_prefix(err, "%s (workers start it; people do not)", table->name);
    }
    value_free(tree);
    return rc;
}
