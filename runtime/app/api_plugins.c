/*
 * api_plugins.c: GET /api/v1/plugins: what this master finds in its folders of plugins, and would give
 * to a graph that names it.
 *
 * Their notes are read, and none of their code is run: what processors a plugin brings, and what
 * each can be told, only loading it could tell, which gpctl plugins does in a process of its own. The
 * members that are here are as there. A file that is no plugin says why; one behind another of its
 * name is hidden.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/plugin_dirs.h"
#include "app/tree.h"
#include "base/str.h"
#include "control/artefacts.h"

#define PLUGINS_MAX 256u
#define SUFFIX      ".so"

struct listing {
    const struct port *port;
    const char *dir;
    struct value *list;
};

static bool is_hidden(const struct listing *l, gp_str name)
{
    for (size_t i = 0; l->list && i < value_count(l->list); i++) {
        if (str_eq(value_as_str(value_get(value_at(l->list, i), GP_STR("name"))), name)) {
            return true;
        }
    }
    return false;
}

static int on_entry(void *user, const char *name, int is_dir)
{
    struct listing *l = user;
    gp_str stem = gp_str_of(name);
    char path[EDGE_PATH_MAX + NAME_MAX + 2];
    struct gp_error err = {0};
    struct gp_note note = {0};
    struct tree t;
    int rc;

    if (is_dir || !str_ends_with(stem, GP_STR(SUFFIX)) || !l->list ||
        value_count(l->list) == PLUGINS_MAX ||
        str_format(path, sizeof path, "%s/%s", l->dir, name) < 0) {
        return 0;
    }
    stem.len -= strlen(SUFFIX); /* the file is called as the plugin is: that is how it is found */
    rc = artefact_note_of(l->port, path, &note, &err);
    tree_begin(&t);
    tree_take(&t, "name", value_new_str(stem));
    tree_text(&t, "version", note.version);
    tree_bool(&t, "app", (note.flags & GP_NOTE_APP) != 0);
    tree_text(&t, "file", path);
    tree_text(&t, "services", note.services);
    tree_text(&t, "state", rc < 0 ? "broken" : is_hidden(l, stem) ? "hidden" : "ok");
    tree_text(&t, "why", err.text);
    tree_push_take(&l->list, tree_end(&t));
    return 0;
}

/* One that is not there has none. */
static void read_folder(struct listing *l, const char *dir)
{
    l->dir = dir;
    (void)l->port->fs->list(l->port->world, dir, on_entry, l, NULL);
}

int api_plugins(struct api_call *call, struct gp_error *err)
{
    const struct config_plugins *plugins = &api_config(call->api)->plugins;
    struct listing l = {.port = api_port(call->api), .list = value_new_list()};
    struct plugin_dirs shipped;
    struct tree t;

    (void)err;
    plugin_dirs_find(&shipped);
    for (uint32_t i = 0; i < plugins->path_count; i++) {
        read_folder(&l, plugins->path[i]);
    }
    for (uint32_t i = 0; i < shipped.count; i++) {
        read_folder(&l, shipped.list[i]);
    }
    tree_begin(&t);
    tree_take(&t, "plugins", l.list);
    api_answer_take(call, tree_end(&t));
    return 0;
}
