/*
 * api_plugins.c: GET /api/v1/plugins: what this master finds in its folders of plugins, and would
 * give to a graph that names it.
 *
 * Their notes are read, and none of their code is run: what processors a plugin brings, and what
 * each can be told, only loading it could tell, which gpctl plugins does in a process of its own.
 * The members that are here are as there. A file that is no plugin says why; one behind another of
 * its name is hidden.
 *
 * One folder or one file is read in a turn of the loop, as a disk may be slow and files many.
 */
#include <limits.h>
#include <stdlib.h>

#include "app/api.h"
#include "app/plugin_dirs.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/str.h"
#include "control/artefacts.h"
#include "control/plugin_files.h"

struct listing {
    struct timer *timer; /* for the next turn */
    struct plugin_dirs shipped;
    uint32_t dir; /* the next of those of the settings and then the shipped ones */
    const char *folder;
    struct plugin_files files; /* of folder, */
    uint32_t file;             /* the next of them */
    struct value *list;
};

static void listing_free(struct api_call *call)
{
    struct listing *l = call->state;

    timer_free(l->timer);
    plugin_files_deinit(&l->files);
    value_free(l->list);
    free(l);
}

static bool is_hidden(const struct listing *l, gp_str name)
{
    for (size_t i = 0; l->list && i < value_count(l->list); i++) {
        if (str_eq(tree_text_of(value_at(l->list, i), "name"), name)) {
            return true;
        }
    }
    return false;
}

static void add_file(struct listing *l, const struct port *port, const char *name)
{
    char path[EDGE_PATH_MAX + NAME_MAX + 2];
    struct gp_error err = {0};
    struct gp_note note = {0};
    struct tree t;
    int rc;

    if (!l->list || value_count(l->list) == PLUGIN_FILES_MAX ||
        str_format(path, sizeof path, "%s/%s" PLUGIN_FILE_SUFFIX, l->folder, name) < 0) {
        return;
    }
    rc = artefact_note_of(port, path, &note, &err);
    tree_begin(&t);
    tree_text(&t, "name", name);
    tree_text(&t, "version", note.version);
    tree_bool(&t, "app", (note.flags & GP_NOTE_APP) != 0);
    tree_text(&t, "file", path);
    tree_text(&t, "services", note.services);
    tree_text(&t, "state", rc < 0 ? "broken" : is_hidden(l, gp_str_of(name)) ? "hidden" : "ok");
    tree_text(&t, "why", err.text);
    tree_push_take(&l->list, tree_end(&t));
}

static const char *next_folder(struct listing *l, const struct config_plugins *plugins)
{
    const uint32_t i = l->dir++;

    if (i < plugins->path_count) {
        return plugins->path[i];
    }
    return i - plugins->path_count < l->shipped.count ? l->shipped.list[i - plugins->path_count]
                                                      : NULL;
}

static void on_turn(void *user)
{
    struct api_call *call = user;
    const struct port *port = api_port(call->api);
    struct listing *l = call->state;
    struct value *list = l->list;

    if (l->file < l->files.count) {
        add_file(l, port, l->files.names[l->file++]);
    } else if ((l->folder = next_folder(l, &api_config(call->api)->plugins)) != NULL) {
        l->file = 0;
        (void)plugin_files_read(&l->files, port->fs, port->world, l->folder);
    } else {
        l->list = NULL;
        api_answer_take(call, show_under_take("plugins", list)); /* may be the end of the call */
        return;
    }
    timer_start(l->timer, 0);
}

int api_plugins(struct api_call *call, struct gp_error *err)
{
    struct listing *l = calloc(1, sizeof *l);
    int rc;

    (void)err;
    if (!l) {
        return GP_ENOMEM;
    }
    call->state = l;
    call->state_free = listing_free;
    plugin_dirs_find(&l->shipped);
    l->list = value_new_list();
    rc = l->list ? timer_new(api_port(call->api)->loop, on_turn, call, &l->timer) : GP_ENOMEM;
    if (rc == 0) {
        timer_start(l->timer, 0);
    }
    return rc;
}
