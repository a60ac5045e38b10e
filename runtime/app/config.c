/*
 * config.c: see config.h.
 *
 * The file is parsed to a tree whose nodes know their lines. It is checked by decoding it strictly;
 * a node at fault is noted, taken out, and the rest decoded again, until all mistakes are known.
 * Overrides are checked one by one, so that each error names its origin, and then laid over the
 * tree; what is left decodes.
 */
#include "app/config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/str.h"
#include "base/value.h"
#include "edge/limits.h"
#include "edge/yaml.h"
#include "graph/place.h"

#define VARIABLE_PREFIX "GEARPUMP_"
#define KEY_MAX         CONFIG_KEY_MAX

struct loader {
    const char *path;   /* of the file; "" when there is none */
    struct value *tree; /* what is known so far */
    struct value *said; /* by overrides: key to origin */
    struct buf *mistakes;
    uint32_t mistake_count;
    struct gp_error *err;
};

/* ---- mistakes ---- */

/* "file:line:col: ", or the origin of an override, in front; the hint behind, in parentheses. */
static void remark(struct loader *l, const struct value *where, const char *origin,
                   const struct gp_error *mistake)
{
    struct buf *out = l->mistakes;
    uint32_t line = where ? value_line(where) : 0;
    int rc = 0;

    if (origin) {
        rc = buf_append_fmt(out, "%s: ", origin);
    } else if (line > 0) {
        rc = buf_append_fmt(out, "%s:%u:%u: ", l->path, line, value_column(where));
    }
    if (rc == 0 && mistake->hint[0]) {
        rc = buf_append_fmt(out, "%s (%s)\n", mistake->text, mistake->hint);
    } else if (rc == 0) {
        rc = buf_append_fmt(out, "%s\n", mistake->text);
    }
    (void)rc; /* without memory the list is shorter; the count is right */
}

static void note(struct loader *l, const struct value *where, const char *origin,
                 const struct gp_error *mistake)
{
    if (++l->mistake_count <= CONFIG_MISTAKES_MAX) {
        remark(l, where, origin, mistake);
    }
}

/* Takes the member that is, or has below it, the node at fault out of the tree. */
static bool take_out(struct value *tree, const struct value *fault)
{
    for (size_t i = 0; value_kind(tree) == VALUE_OBJECT && i < value_count(tree); i++) {
        struct value *child = value_at(tree, i);

        if (child == fault) {
            value_free(value_steal(tree, value_name_at(tree, i)));
            return true;
        }
        if (value_kind(child) == VALUE_OBJECT && take_out(child, fault)) {
            return true;
        }
        for (size_t k = 0; value_kind(child) == VALUE_LIST && k < value_count(child); k++) {
            if (value_at(child, k) == fault) {
                value_free(value_steal(tree, value_name_at(tree, i)));
                return true;
            }
        }
    }
    return false;
}

/* Finds all mistakes of a tree, which is cut down to what is right. */
static int check_tree(struct loader *l, struct value *tree, const char *origin)
{
    struct config config;
    struct gp_error mistake;
    const struct value *where;
    int rc;

    for (;;) {
        gp_error_clear(&mistake);
        rc = fields_decode_strict(&config_fields, tree, &config, &where, &mistake);
        if (rc == 0) {
            fields_deinit(&config_fields, &config);
            return 0;
        }
        if (rc != GP_EPROTO) {
            return rc;
        }
        note(l, where, origin, &mistake);
        if (!where || !take_out(tree, where)) {
            return 0;
        }
    }
}

/* ---- the file ---- */

static const char *variable(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') {
            return *environment + len + 1;
        }
    }
    return NULL;
}

/* "" when there is no file to read. */
static const char *choose_path(const struct config_sources *from)
{
    const char *path = from->path ? from->path : variable(from->environment, CONFIG_PATH_ENV);

    if (path) {
        return path;
    }
    return access(CONFIG_SYSTEM_PATH, F_OK) == 0 ? CONFIG_SYSTEM_PATH : "";
}

/* All of a file, up to one byte more than YAML may have, for the parser to refuse. */
static int read_file(const char *path, struct buf *out, struct gp_error *err)
{
    FILE *file = fopen(path, "re");
    size_t len;
    void *space;
    int rc;

    if (!file) {
        rc = gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
        gp_error_hint(err, "gpd help config > %s", path);
        return rc;
    }
    rc = buf_reserve(out, EDGE_YAML_SIZE_MAX_BYTES + 1, &space);
    if (rc == 0) {
        errno = 0;
        len = fread(space, 1, EDGE_YAML_SIZE_MAX_BYTES + 1, file);
        buf_commit(out, len);
        if (ferror(file) != 0) {
            rc = gp_error_set(err, GP_EIO, "%s: %s", path, strerror(errno));
        }
    }
    (void)fclose(file);
    return rc;
}

static int load_file(struct loader *l)
{
    struct buf text = {0};
    struct gp_error mistake = {0};
    int rc = read_file(l->path, &text, l->err);

    if (rc < 0) {
        goto cleanup;
    }
    rc = edge_yaml_parse(buf_str(&text), &l->tree, &mistake);
    if (rc == GP_ENOMEM) {
        goto cleanup;
    }
    if (rc < 0) {
        /* The text begins with line and column. */
        (void)gp_error_set(&mistake, rc, "%s:%s", l->path, mistake.text);
        l->mistake_count++;
        rc = buf_append_fmt(l->mistakes, "%s\n", mistake.text);
        goto cleanup;
    }
    if (value_kind(l->tree) != VALUE_NULL) { /* nothing but comments */
        rc = check_tree(l, l->tree, NULL);
    }
    if (value_kind(l->tree) != VALUE_OBJECT) {
        value_free(l->tree);
        l->tree = NULL;
    }
cleanup:
    buf_deinit(&text);
    return rc;
}

/* ---- overrides ---- */

/* Objects as the key's dots say, and the text at their end. GP_ENOMEM, GP_ETOOBIG. */
static int put(struct value *tree, gp_str key, gp_str text)
{
    gp_str head;
    gp_str rest;
    struct value *child;
    int rc;

    if (!str_cut(key, '.', &head, &rest)) {
        return value_set_str(tree, key, text);
    }
    child = value_get(tree, head);
    if (!child || value_kind(child) != VALUE_OBJECT) {
        child = value_new_object();
        rc = value_set_take(tree, head, child);
        if (rc < 0) {
            return rc;
        }
    }
    return put(child, rest, text);
}

static int override(struct loader *l, const struct config_override *o)
{
    struct value *alone = value_new_object();
    uint32_t before = l->mistake_count;
    struct gp_error mistake = {0};
    int rc = alone ? put(alone, gp_str_of(o->key), gp_str_of(o->text)) : GP_ENOMEM;

    if (rc == 0 && !str_is_utf8(gp_str_of(o->text))) { /* as the file's parser has it */
        (void)gp_error_set(&mistake, GP_EINVAL, "%s: it is not UTF-8", o->key);
        note(l, NULL, o->origin, &mistake);
    } else if (rc == 0) {
        rc = check_tree(l, alone, o->origin);
    } else if (rc != GP_ENOMEM) { /* more dots than any key has */
        (void)gp_error_set(&mistake, GP_EINVAL, "unknown key: it has too many parts");
        note(l, NULL, o->origin, &mistake);
        rc = 0;
    }
    if (rc == 0 && l->mistake_count == before) {
        rc = put(l->tree, gp_str_of(o->key), gp_str_of(o->text));
        rc = rc < 0 ? rc : value_set_str(l->said, gp_str_of(o->key), gp_str_of(o->origin));
    }
    value_free(alone);
    return rc;
}

/* Whether a name without dots is a key, so that GEARPUMP_BIND is ours and others are not. */
static bool is_top_level(gp_str key)
{
    for (size_t i = 0; i < config_fields.count; i++) {
        const struct field *field = &config_fields.items[i];

        if (field->kind != FIELD_KIND_OBJECT && str_eq(gp_str_of(field->name), key)) {
            return true;
        }
    }
    return false;
}

/* GEARPUMP_LOG__LEVEL to log.level. False: none of ours, or too long to be one. */
static bool variable_key(gp_str name, char key[KEY_MAX])
{
    size_t len = 0;
    bool has_dot = false;

    if (!str_starts_with(name, GP_STR(VARIABLE_PREFIX))) {
        return false;
    }
    for (size_t i = sizeof(VARIABLE_PREFIX) - 1; i < name.len; i++) {
        char c = name.ptr[i];

        if (len + 1 == KEY_MAX) {
            return false;
        }
        if (c == '_' && i + 1 < name.len && name.ptr[i + 1] == '_') {
            c = '.';
            has_dot = true;
            i++;
        }
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        key[len++] = c;
    }
    key[len] = '\0';
    return has_dot || is_top_level(gp_str_of(key));
}

static int apply_environment(struct loader *l, const char *const *environment)
{
    const char *masters = variable(environment, CONFIG_MASTERS_ENV);
    int rc = 0;

    if (masters) {
        rc = override(l, &(struct config_override){"cluster.masters", masters, CONFIG_MASTERS_ENV});
    }
    for (; rc == 0 && environment && *environment; environment++) {
        gp_str name;
        gp_str value;
        char key[KEY_MAX];
        char origin[KEY_MAX];

        if (!str_cut(gp_str_of(*environment), '=', &name, &value) || !variable_key(name, key)) {
            continue;
        }
        (void)str_format(origin, sizeof(origin), "%.*s", STR_ARG(name));
        rc = override(l, &(struct config_override){key, value.ptr, origin});
    }
    return rc;
}

/* ---- what spans several keys ---- */

bool config_host_is_loopback(gp_str host)
{
    return str_starts_with(host, GP_STR("127.")) || str_eq(host, GP_STR("::1")) ||
           str_eq(host, GP_STR("[::1]")) || str_eq(host, GP_STR("localhost"));
}

static bool is_wildcard(gp_str host)
{
    return str_eq(host, GP_STR("0.0.0.0")) || str_eq(host, GP_STR("::")) ||
           str_eq(host, GP_STR("[::]"));
}

int config_split_address(gp_str address, gp_str *ret_host, uint32_t *ret_port)
{
    gp_str host;
    gp_str digits;
    uint64_t port;

    if (!str_cut_last(address, ':', &host, &digits) || host.len == 0 ||
        str_to_u64(digits, &port) < 0 || port == 0 || port > 65535) {
        return GP_EINVAL;
    }
    if (str_starts_with(host, GP_STR("[")) && str_ends_with(host, GP_STR("]"))) {
        host = (gp_str){host.ptr + 1, host.len - 2};
    } else if (memchr(host.ptr, ':', host.len)) {
        return GP_EINVAL; /* an IPv6 address needs brackets */
    }
    *ret_host = host;
    *ret_port = (uint32_t)port;
    return 0;
}

static void note_at(struct loader *l, const char *key, const char *text, const char *hint)
{
    struct gp_error mistake = {0};

    (void)gp_error_set(&mistake, GP_EINVAL, "%s: %s", key, text);
    gp_error_hint(&mistake, "%s", hint);
    note(l, value_get(l->tree, gp_str_of(key)), NULL, &mistake);
}

static void check_open_host(struct loader *l, const struct config *config, const char *key,
                            const char *host)
{
    char text[512];

    if (*host && !config->insecure && !config_host_is_loopback(gp_str_of(host))) {
        (void)str_format(text, sizeof(text),
                         "%s is not a loopback address, and the cluster has no encryption yet",
                         host);
        note_at(l, key, text, "say insecure: true if the network can be trusted");
    }
}

bool config_is_same_address(const char *a, const char *b)
{
    gp_str host_a;
    gp_str host_b;
    uint32_t port_a;
    uint32_t port_b;

    return config_split_address(gp_str_of(a), &host_a, &port_a) == 0 &&
           config_split_address(gp_str_of(b), &host_b, &port_b) == 0 && port_a == port_b &&
           str_eq(host_a, host_b);
}

/* One of the masters: whether it is an address, and not that of an earlier one. */
static int check_master(const struct config *config, uint32_t i, struct gp_error *mistake)
{
    char *const *masters = config->cluster.masters;
    gp_str host;
    uint32_t port;

    if (config_split_address(gp_str_of(masters[i]), &host, &port) < 0) {
        return gp_error_set(mistake, GP_EINVAL, "cluster.masters[%u]: \"%s\" is not host:port", i,
                            masters[i]);
    }
    for (uint32_t k = 0; k < i; k++) {
        if (config_is_same_address(masters[k], masters[i])) {
            return gp_error_set(mistake, GP_EINVAL, "cluster.masters[%u]: %s stands there already",
                                i, masters[i]);
        }
    }
    return 0;
}

static void check_masters(struct loader *l, const struct config *config)
{
    struct value *node = value_get(value_get(l->tree, GP_STR("cluster")), GP_STR("masters"));
    uint32_t count = config->cluster.masters_count;
    struct gp_error mistake = {0};

    for (uint32_t i = 0; i < count; i++) {
        if (check_master(config, i, &mistake) < 0) {
            note(l, node && value_kind(node) == VALUE_LIST ? value_at(node, i) : node, NULL,
                 &mistake);
        }
    }
    if (count == 0) {
        (void)gp_error_set(&mistake, GP_EINVAL, "cluster.masters: at least one is needed");
        note(l, node, NULL, &mistake);
    } else if (count % 2 == 0 && l->mistake_count == 0) {
        (void)gp_error_set(&mistake, GP_EINVAL,
                           "cluster.masters: warning: %u masters survive the loss of no more than "
                           "%u would",
                           count, count - 1);
        gp_error_hint(&mistake, "take 1, 3 or 5");
        remark(l, node, NULL, &mistake);
    }
}

static void check_labels(struct loader *l, const struct config *config)
{
    struct value *node = value_get(value_get(l->tree, GP_STR("worker")), GP_STR("labels"));
    struct gp_error mistake = {0};

    for (uint32_t i = 0; i < config->worker.labels_count; i++) {
        if (!place_is_label(gp_str_of(config->worker.labels[i]))) {
            (void)gp_error_set(&mistake, GP_EINVAL,
                               "worker.labels[%u]: \"%s\" is not KEY=VALUE of letters, digits and "
                               ". _ / : -",
                               i, config->worker.labels[i]);
            note(l, node && value_kind(node) == VALUE_LIST ? value_at(node, i) : node, NULL,
                 &mistake);
        }
    }
}

static void check_together(struct loader *l, const struct config *config)
{
    check_open_host(l, config, "bind", config->bind);
    check_open_host(l, config, "advertise", config->advertise);
    check_open_host(l, config, "http.bind", config->http.bind);
    if (is_wildcard(gp_str_of(config->bind)) && !*config->advertise) {
        note_at(l, "bind", "others cannot reach a daemon by this address",
                "say in advertise which one they should use");
    }
    check_masters(l, config);
    check_labels(l, config);
}

/* ---- all together ---- */

static int decode(struct loader *l, struct config *ret)
{
    struct config config;
    int rc = fields_decode_strict(&config_fields, l->tree, &config, NULL, l->err);

    ASSERT(rc != GP_EPROTO); /* all mistakes were taken out */
    if (rc < 0) {
        return rc;
    }
    check_together(l, &config);
    if (l->mistake_count > 0) {
        fields_deinit(&config_fields, &config);
        return gp_error_set(l->err, GP_EINVAL, "%u mistake%s in the configuration",
                            l->mistake_count, l->mistake_count == 1 ? "" : "s");
    }
    *ret = config;
    return 0;
}

/* Adds what the file says and no override has replaced. prefix: "log.", or "". */
static int add_places(const struct loader *l, const struct value *tree, const char *prefix,
                      struct value *origins)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < value_count(tree); i++) {
        const struct value *child = value_at(tree, i);
        gp_str name = value_name_at(tree, i);
        char key[KEY_MAX];
        char place[EDGE_PATH_MAX + 16];

        if (value_kind(child) == VALUE_OBJECT) {
            (void)str_format(key, sizeof key, "%s%.*s.", prefix, STR_ARG(name));
            rc = add_places(l, child, key, origins);
        } else if (value_line(child) > 0) {
            (void)str_format(key, sizeof key, "%s%.*s", prefix, STR_ARG(name));
            (void)str_format(place, sizeof place, "%s:%u", l->path, value_line(child));
            rc = value_set_str(origins, gp_str_of(key), gp_str_of(place));
        }
    }
    return rc;
}

int config_load(const struct config_sources *from, struct config *ret, struct buf *mistakes,
                struct gp_error *err)
{
    struct loader l = {
        .path = choose_path(from), .said = value_new_object(), .mistakes = mistakes, .err = err};
    int rc = l.said ? 0 : GP_ENOMEM;

    if (rc == 0 && *l.path) {
        rc = load_file(&l);
    }
    if (rc == 0 && !l.tree) {
        l.tree = value_new_object();
        rc = l.tree ? 0 : GP_ENOMEM;
    }
    if (rc == 0) {
        rc = apply_environment(&l, from->environment);
    }
    for (uint32_t i = 0; rc == 0 && i < from->override_count; i++) {
        rc = override(&l, &from->overrides[i]);
    }
    if (rc == 0) {
        rc = add_places(&l, l.tree, "", l.said);
    }
    if (rc == 0) {
        rc = decode(&l, ret);
    }
    if (rc == 0) {
        ret->origins = l.said;
        l.said = NULL;
    }
    if (rc == GP_ENOMEM) {
        (void)gp_error_set(err, rc, "out of memory");
    }
    value_free(l.said);
    value_free(l.tree);
    return rc;
}

void config_deinit(struct config *config)
{
    value_free(config->origins);
    config->origins = NULL;
    fields_deinit(&config_fields, config);
}

int config_read_secret(const struct config *config, struct edge_secret *ret, struct gp_error *err)
{
    char path[EDGE_PATH_MAX];
    int rc;

    if (*config->cluster.secret_file) {
        return edge_secret_read_or_make(config->cluster.secret_file, ret, err);
    }
    rc = edge_secret_path(path, err);
    return rc < 0 ? rc : edge_secret_read_or_make(path, ret, err);
}

static const struct field *find_field(const struct fields *table, gp_str name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (str_eq(gp_str_of(table->items[i].name), name)) {
            return &table->items[i];
        }
    }
    return NULL;
}

bool config_is_default(gp_str section, gp_str name, gp_str value)
{
    const struct field *object = find_field(&config_fields, section);
    const struct field *field = object && object->sub ? find_field(object->sub, name) : NULL;
    gp_str otherwise = gp_str_of(field && field->otherwise ? field->otherwise : "");
    uint64_t a;
    uint64_t b;

    if (field && field->kind == FIELD_KIND_SIZE) { /* "64KiB" and "65536B" are the same */
        return str_to_size_bytes(value, &a) == 0 && str_to_size_bytes(otherwise, &b) == 0 && a == b;
    }
    return field && str_eq(value, otherwise);
}
