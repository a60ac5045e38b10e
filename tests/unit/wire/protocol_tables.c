/*
 * Prints the tables of PROTOCOL.md: errors, messages, and the objects inside them, from the tables
 * that encode and decode them. protocol.sh compares the two.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "wire/messages.h"

#define OBJECTS_MAX 128

/* Objects inside messages, each described once, in the order in which they are met. */
struct objects {
    const struct fields *list[OBJECTS_MAX];
    size_t count;
};

static void add_object(struct objects *objects, const struct fields *table)
{
    for (size_t i = 0; i < objects->count; i++) {
        if (objects->list[i] == table) {
            return;
        }
    }
    ASSERT(objects->count < OBJECTS_MAX);
    objects->list[objects->count++] = table;
}

/* How it looks in JSON, and its bounds. */
static void print_kind(const struct field *f)
{
    const unsigned long long max = (unsigned long long)f->max;
    char text[512];

    switch (f->kind) {
    case FIELD_KIND_BOOL:
        (void)printf("boolean");
        break;
    case FIELD_KIND_U32:
        if (f->max != 0) {
            (void)printf("number, %lld to %llu", (long long)f->min, max);
        } else {
            (void)printf("number, 32 bits");
        }
        break;
    case FIELD_KIND_U64:
        (void)printf("number in text, 64 bits");
        break;
    case FIELD_KIND_I64:
        (void)printf("number, signed, 64 bits");
        break;
    case FIELD_KIND_DOUBLE:
        (void)printf("number, real");
        break;
    case FIELD_KIND_TEXT:
        (void)printf("text, at most %llu bytes", max);
        break;
    case FIELD_KIND_TREE:
        (void)printf("any");
        break;
    case FIELD_KIND_OBJECT:
        (void)printf("[%s](#object-%s)", f->sub->name, f->sub->name);
        break;
    case FIELD_KIND_LIST:
        (void)printf("%s of at most %llu [%s](#object-%s)",
                     (f->flags & FIELD_ROWS) != 0 ? "rows" : "list", max, f->sub->name,
                     f->sub->name);
        break;
    case FIELD_KIND_TEXTS:
        (void)printf("list of at most %llu texts", max);
        break;
    default:
        (void)printf("%s", field_describe(f, text, sizeof(text)));
        break;
    }
}

static void print_fields(const struct fields *table, struct objects *objects)
{
    (void)printf("| field | kind | | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->items[i];

        (void)printf("| `%s` | ", f->name);
        print_kind(f);
        (void)printf(" | %s%s | %s |\n", (f->flags & FIELD_REQUIRED) != 0 ? "required" : "",
                     (f->flags & FIELD_NONEMPTY) != 0 ? ", not empty" : "", f->doc);
        if (f->sub != NULL) {
            add_object(objects, f->sub);
        }
    }
    (void)printf("\n");
}

static void print_part(const char *what, const struct fields *table, struct objects *objects)
{
    if (table == &none_fields) {
        return;
    }
    if (table == &binary_fields) {
        (void)printf("%s: binary, see above.\n\n", what);
    } else if (table->count == 0) {
        (void)printf("%s: `{}`\n\n", what);
    } else {
        (void)printf("%s:\n\n", what);
        print_fields(table, objects);
    }
}

static void print_roles(uint32_t roles)
{
    const char *comma = "";

    if (roles == ROLE_ANY) {
        (void)printf("anybody");
        return;
    }
    for (uint32_t role = 0; role_names[role] != NULL; role++) {
        if ((roles & ROLE_BIT(role)) != 0) {
            (void)printf("%s%s", comma, role_names[role]);
            comma = ", ";
        }
    }
}

static void print_message(const struct message_type_info *info, struct objects *objects)
{
    static const char *const patterns[] = {"frame", "tell", "ask"};

    (void)printf("#### %u `%s`\n\n%s, sent by ", info->type, info->name, patterns[info->pattern]);
    print_roles(info->from);
    (void)printf(".\n\n");
    if (info->payload == &none_fields) {
        (void)printf("Payload: none.\n\n");
    }
    print_part("Payload", info->payload, objects);
    print_part("Reply", info->reply, objects);
}

static void print_errors(void)
{
    (void)printf("### Error codes\n\n| code | name | meaning |\n|---|---|---|\n");
#define ERROR_ROW(name, value, sentence)                                                           \
    (void)printf("| %d | `%s` | %s |\n", value, #name, sentence);
    ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
    (void)printf("\n");
}

static void print_names(const char *title, const char *const *names)
{
    (void)printf("%s:", title);
    for (size_t i = 0; names[i] != NULL; i++) {
        (void)printf("%s `%s`", i > 0 ? "," : "", names[i]);
    }
    (void)printf("\n\n");
}

int main(void)
{
    size_t count;
    const struct message_type_info *types = message_types(&count);
    struct objects objects = {.count = 0};

    print_errors();
    (void)printf("### Messages\n\n");
    for (size_t i = 0; i < count; i++) {
        print_message(&types[i], &objects);
    }
    (void)printf("### Objects\n\n");
    for (size_t i = 0; i < objects.count; i++) {
        (void)printf("#### Object `%s`\n\n", objects.list[i]->name);
        print_fields(objects.list[i], &objects);
    }
    (void)printf("### Names\n\n");
    print_names("Roles", role_names);
    print_names("States of an application", app_state_names);
    print_names("Priorities of an application", app_priority_names);
    print_names("Kinds of edges", edge_kind_names);
    print_names("Roles of masters", master_role_names);
    return 0;
}
