/* ctl_inspect.c: gpctl inspect and version: what needs no cluster. */
#include "app/ctl.h"
#include "app/plugin_note.h"
#include "app/show.h"
#include "app/table.h"
#include "app/tree.h"
#include "app/version.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

/* ---- version ---- */

int ctl_version(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;

    (void)spec;
    (void)options;
    if (!ctl->json) {
        (void)printf("gpctl %s (plugin ABI %s)\n", VERSION_TEXT, VERSION_ABI_TEXT);
        return EXIT_STATUS_OK;
    }
    return ctl_print_take(ctl, show_version());
}

/* ---- inspect ---- */

static struct value *services_list(const struct plugin_note *note)
{
    struct value *list = value_new_list();
    gp_str rest = gp_str_of(note->elf.note.services);
    gp_str word;

    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (word.len > 0) {
            tree_push_take(&list, value_new_str(word));
        }
    }
    return list;
}

static struct value *needed_list(const struct plugin_note *note)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < note->elf.needed_count; i++) {
        tree_push_take(&list, value_new_str(gp_str_of(note->elf.needed[i])));
    }
    return list;
}

static struct value *note_tree(const struct plugin_note *note)
{
    const struct gp_note *n = &note->elf.note;
    struct tree t;
    char text[64];

    tree_begin(&t);
    tree_text(&t, "name", n->name);
    tree_text(&t, "version", n->version);
    (void)str_format(text, sizeof text, "%u.%u", n->abi_major, n->abi_minor);
    tree_text(&t, "abi", text);
    tree_bool(&t, "app", (n->flags & GP_NOTE_APP) != 0);
    tree_take(&t, "services", services_list(note));
    tree_text(&t, "machine", elf_machine_name(note->elf.machine, text, sizeof text));
    tree_text(&t, "glibc", plugin_note_glibc(note, text));
    tree_take(&t, "needed", needed_list(note));
    tree_text(&t, "sha256", note->sha256);
    tree_u64(&t, "size", note->size);
    return tree_end(&t);
}

static int print_note(const struct plugin_note *note)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    const struct gp_note *n = &note->elf.note;
    char text[64];
    char size[UNITS_TEXT_MAX];
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    table_cell(&t, "name");
    table_cell(&t, "%s", n->name);
    table_cell(&t, "version");
    table_cell(&t, "%s", n->version);
    table_cell(&t, "kind");
    table_cell(&t, "%s", (n->flags & GP_NOTE_APP) ? "application" : "plugin");
    table_cell(&t, "plugin ABI");
    table_cell(&t, "%u.%u", n->abi_major, n->abi_minor);
    table_cell(&t, "machine");
    table_cell(&t, "%s", elf_machine_name(note->elf.machine, text, sizeof text));
    table_cell(&t, "glibc");
    table_cell(&t, "%s", plugin_note_glibc(note, text));
    table_cell(&t, "services");
    table_cell(&t, "%s", n->services);
    table_cell(&t, "size");
    table_cell(&t, "%s", units_bytes(note->size, size));
    table_cell(&t, "sha256");
    table_cell(&t, "%s", note->sha256);
    for (uint32_t i = 0; i < note->elf.needed_count; i++) {
        table_cell(&t, "%s", i == 0 ? "needs" : " ");
        table_cell(&t, "%s", note->elf.needed[i]);
    }
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    return rc < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}

int ctl_inspect(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    const char *path = options->operands[0];
    struct plugin_note note;
    struct gp_error err = {0};
    int status;

    (void)spec;
    if (plugin_note_read(path, &note, &err) < 0) {
        return ctl_fail(ctl, &err, "cannot inspect %s", path);
    }
    status = ctl->json ? ctl_print_take(ctl, note_tree(&note)) : print_note(&note);
    plugin_note_deinit(&note);
    return status;
}
