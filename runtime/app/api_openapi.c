/*
 * api_openapi.c: the endpoints as an OpenAPI 3.0 document. Parameters and components come from
 * field tables, the rest from the table of endpoints.
 */
#include "app/api.h"

#include <string.h>

#include "app/tree.h"
#include "app/version.h"
#include "base/assert.h"
#include "base/str.h"

static struct value *schema_of(const struct fields *table, const char *except);
static struct value *shape_of(const char **at);

static struct value *type_is(const char *type)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "type", type);
    return tree_end(&t);
}

static struct value *long_integer(void)
{
    struct value *schema = type_is("integer");

    if (schema) {
        (void)value_set_str(schema, GP_STR("format"), GP_STR("int64"));
    }
    return schema;
}

static struct value *list_of_take(struct value *items)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "type", "array");
    tree_take(&t, "items", items);
    return tree_end(&t);
}

static struct value *enum_of(const char *const *names)
{
    struct value *list = value_new_list();
    struct tree t;

    for (; *names; names++) {
        tree_push_take(&list, value_new_str(gp_str_of(*names)));
    }
    tree_begin(&t);
    tree_text(&t, "type", "string");
    tree_take(&t, "enum", list);
    return tree_end(&t);
}

/* As show_fields() writes it. */
static struct value *schema_of_field(const struct field *field)
{
    switch (field->kind) {
    case FIELD_KIND_BOOL:
        return type_is("boolean");
    case FIELD_KIND_U32:
        return type_is("integer");
    case FIELD_KIND_I64:
    case FIELD_KIND_U64:
        return long_integer();
    case FIELD_KIND_DOUBLE:
        return type_is("number");
    case FIELD_KIND_ENUM:
        return enum_of(field->names);
    case FIELD_KIND_OBJECT:
        return schema_of(field->sub, NULL);
    case FIELD_KIND_LIST:
        return field->flags & FIELD_ROWS ? type_is("string")
                                         : list_of_take(schema_of(field->sub, NULL));
    case FIELD_KIND_TEXTS:
        return list_of_take(type_is("string"));
    case FIELD_KIND_TREE:
        return value_new_object();
    default: /* durations and sizes are text: "1s", "4MiB" */
        return type_is("string");
    }
}

static struct value *schema_of(const struct fields *table, const char *except)
{
    struct value *required = value_new_list();
    struct tree properties;
    struct tree t;

    tree_begin(&properties);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        struct value *schema;

        if (except && strcmp(field->name, except) == 0) {
            continue;
        }
        schema = schema_of_field(field);
        if (schema && field->doc) {
            (void)value_set_str(schema, GP_STR("description"), gp_str_of(field->doc));
        }
        tree_take(&properties, field->name, schema);
        tree_push_take(&required, value_new_str(gp_str_of(field->name)));
    }
    tree_begin(&t);
    tree_text(&t, "type", "object");
    tree_take(&t, "properties", tree_end(&properties));
    tree_take(&t, "required", required);
    return tree_end(&t);
}

static struct value *parse(const struct port *port, const char *json)
{
    struct value *tree = NULL;

    return port_json_parse(port, gp_str_of(json), &tree, NULL) < 0 ? NULL : tree;
}

static struct value *components(const struct port *port)
{
    const char *error = "{error:{code:text,what:text,why:text,try:text}}";
    struct tree schemas;
    struct tree t;

    tree_begin(&schemas);
    tree_take(&schemas, "application", schema_of(&msg_app_summary_fields, NULL));
    tree_take(&schemas, "worker", schema_of(&msg_worker_info_fields, "version"));
    tree_take(&schemas, "drained", schema_of(&msg_worker_drained_fields, NULL));
    tree_take(&schemas, "cluster_event", schema_of(&msg_cluster_event_fields, NULL));
    tree_take(&schemas, "error", shape_of(&error));
    tree_begin(&t);
    tree_take(&t, "schemas", tree_end(&schemas));
    tree_take(&t, "securitySchemes",
              parse(port, "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    return tree_end(&t);
}

/* ---- shapes: text int number bool any @component [shape] {name:shape,...} {*:shape} ----
 *
 * All members of an object are there but for those whose name ends with '?'; a word that does may
 * be null. Only the table of endpoints is read here, so a shape that is none is our own mistake. */

static struct value *object_shape(const char **at)
{
    struct value *required = value_new_list();
    struct value *rest = NULL;
    struct tree properties;
    struct tree t;

    tree_begin(&properties);
    while (**at != '}') {
        const size_t len = strcspn(*at, ":");
        char name[64];

        const bool is_optional = (*at)[len - 1] == '?';

        ASSERT(str_format(name, sizeof name, "%.*s", (int)(len - is_optional), *at) > 0);
        *at += len + 1;
        if (strcmp(name, "*") == 0) {
            rest = shape_of(at);
        } else {
            tree_take(&properties, name, shape_of(at));
        }
        if (!rest && !is_optional) {
            tree_push_take(&required, value_new_str(gp_str_of(name)));
        }
        *at += **at == ',';
    }
    (*at)++;
    tree_begin(&t);
    tree_text(&t, "type", "object");
    tree_take(&t, "properties", tree_end(&properties));
    if (rest) {
        tree_take(&t, "additionalProperties", rest);
        value_free(required);
    } else {
        tree_take(&t, "required", required);
    }
    return tree_end(&t);
}

static struct value *ref_to(gp_str name)
{
    char path[96];
    struct tree t;

    ASSERT(str_format(path, sizeof path, "#/components/schemas/%.*s", STR_ARG(name)) > 0);
    tree_begin(&t);
    tree_text(&t, "$ref", path);
    return tree_end(&t);
}

static struct value *word_shape(gp_str word)
{
    static const char *const types[][2] = {
        {"text", "string"}, {"number", "number"}, {"bool", "boolean"}};
    const bool is_nullable = str_ends_with(word, GP_STR("?"));
    struct value *schema = NULL;

    word.len -= is_nullable;
    if (str_eq(word, GP_STR("int"))) {
        schema = long_integer();
    }
    for (size_t i = 0; !schema && i < ARRAY_LEN(types); i++) {
        if (str_eq(word, gp_str_of(types[i][0]))) {
            schema = type_is(types[i][1]);
        }
    }
    if (schema && is_nullable) {
        (void)value_set_bool(schema, GP_STR("nullable"), true);
    }
    if (schema) {
        return schema;
    }
    ASSERT(str_eq(word, GP_STR("any")));
    return value_new_object();
}

static struct value *shape_of(const char **at)
{
    struct value *inner;
    gp_str word;

    if (**at == '{') {
        (*at)++;
        return object_shape(at);
    }
    if (**at == '[') {
        (*at)++;
        inner = shape_of(at);
        ASSERT(**at == ']');
        (*at)++;
        return list_of_take(inner);
    }
    word = (gp_str){*at, strcspn(*at, ",]}")};
    *at += word.len;
    return word.ptr[0] == '@' ? ref_to((gp_str){word.ptr + 1, word.len - 1}) : word_shape(word);
}

/* ---- operations ---- */

static bool is_in_path(const struct api_endpoint *e, const char *name)
{
    char wanted[64];

    (void)str_format(wanted, sizeof wanted, "{%s}", name);
    return strstr(e->path, wanted) != NULL;
}

static struct value *parameter(const struct api_endpoint *e, const struct field *field)
{
    const bool in_path = is_in_path(e, field->name);
    struct value *schema = schema_of_field(field);
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", field->name);
    tree_text(&t, "in", in_path ? "path" : "query");
    tree_bool(&t, "required", in_path || (field->flags & FIELD_REQUIRED) != 0);
    tree_text(&t, "description", field->doc);
    if (field->kind == FIELD_KIND_TEXTS) {
        tree_text(&t, "style", "form");
        tree_bool(&t, "explode", true);
    }
    tree_take(&t, "schema", schema);
    return tree_end(&t);
}

static struct value *content_take(const char *type, struct value *schema)
{
    struct tree media;
    struct tree t;

    tree_begin(&media);
    tree_take(&media, "schema", schema);
    tree_begin(&t);
    tree_take(&t, type, tree_end(&media));
    return tree_end(&t);
}

static struct value *response(const char *description, struct value *content)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "description", description);
    tree_take(&t, "content", content);
    return tree_end(&t);
}

static struct value *responses(const struct api_endpoint *e)
{
    const char *shape = e->answer;
    const char *type = e->answer               ? "application/json"
                       : e->flags & API_STREAM ? "text/event-stream"
                                               : "text/plain";
    char status[8];
    struct tree t;

    (void)str_format(status, sizeof status, "%u", e->status ? e->status : 200);
    tree_begin(&t);
    tree_take(&t, status,
              response(e->doc, content_take(type, shape ? shape_of(&shape) : type_is("string"))));
    tree_take(
        &t, "default",
        response("What went wrong.", content_take("application/json", ref_to(GP_STR("error")))));
    return tree_end(&t);
}

static struct value *operation(const struct port *port, const struct api_endpoint *e)
{
    struct value *parameters = value_new_list();
    struct tree t;

    for (size_t i = 0; i < e->params->count; i++) {
        tree_push_take(&parameters, parameter(e, &e->params->items[i]));
    }
    tree_begin(&t);
    tree_text(&t, "operationId", e->name);
    tree_text(&t, "summary", e->doc);
    tree_take(&t, "parameters", parameters);
    if (e->flags & API_UPLOADS) {
        tree_take(&t, "requestBody",
                  parse(port, "{\"required\":true,\"content\":{\"application/octet-stream\":{"
                              "\"schema\":{\"type\":\"string\",\"format\":\"binary\"}}}}"));
    }
    if (e->flags & API_MUTATES) {
        tree_take(&t, "security", parse(port, "[{\"token\":[]}]"));
    }
    tree_take(&t, "responses", responses(e));
    return tree_end(&t);
}

/* "POST" is "post" here. */
static const char *verb(const char *method)
{
    return strcmp(method, "GET") == 0 ? "get" : strcmp(method, "POST") == 0 ? "post" : "delete";
}

static struct value *paths(const struct port *port)
{
    struct tree t;

    tree_begin(&t);
    for (uint32_t i = 0; i < api_endpoint_count; i++) {
        const struct api_endpoint *e = &api_endpoints[i];
        struct value *path = t.object ? value_get(t.object, gp_str_of(e->path)) : NULL;
        struct tree one;

        if (path) {
            if (value_set_take(path, gp_str_of(verb(e->method)), operation(port, e)) < 0) {
                tree_take(&t, "", NULL);
            }
            continue;
        }
        tree_begin(&one);
        tree_take(&one, verb(e->method), operation(port, e));
        tree_take(&t, e->path, tree_end(&one));
    }
    return tree_end(&t);
}

static const char about[] =
    "What gpctl can do, over HTTP, by any master; answers are as those of gpctl -o json. Whatever "
    "changes something needs the token: Authorization: Bearer TOKEN. Integers are JSON numbers of "
    "up to 63 bits: a reader that knows doubles alone rounds those above 2^53. Durations and sizes "
    "in settings are text, as in the file: 30s, 4MiB. An order with a request_id that came before "
    "is answered as it was then. Errors have a code, what went wrong, why, and what to try; a "
    "request that is no proper HTTP is answered by a status alone.";

struct value *api_openapi(const struct port *port)
{
    struct tree info;
    struct tree t;

    tree_begin(&info);
    tree_text(&info, "title", "Gearpump");
    tree_text(&info, "version", VERSION_TEXT);
    tree_text(&info, "description", about);
    tree_begin(&t);
    tree_text(&t, "openapi", "3.0.3");
    tree_take(&t, "info", tree_end(&info));
    tree_take(&t, "paths", paths(port));
    tree_take(&t, "components", components(port));
    return tree_end(&t);
}
