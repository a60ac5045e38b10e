#include "desk.h"

#include "base/str.h"
#include "edge/json.h"
#include "gp_test.h"

void desk_begin(struct desk *desk)
{
    struct sim_options options = {.seed = 1, .json_parse = edge_json_parse};
    const char *const args[] = {"tester", NULL};

    GP_REQUIRE_EQ(sim_new(&options, &desk->sim), 0);
    GP_REQUIRE_EQ(sim_host_add(desk->sim, "10.0.0.1", &desk->host), 0);
    GP_REQUIRE_EQ(sim_spawn(desk->host, args, &desk->proc), 0);
    desk->port = sim_proc_port(desk->proc);
}

void desk_end(struct desk *desk)
{
    sim_free(desk->sim);
}

struct walk {
    const struct desk *desk;
    const char *path;
    uint32_t files;
};

static int on_name(void *user, const char *name, int is_dir)
{
    struct walk *walk = user;
    char path[1024];

    if (!is_dir) {
        walk->files++;
        return 0;
    }
    (void)str_format(path, sizeof path, "%s/%s", walk->path, name);
    walk->files += desk_files(walk->desk, path);
    return 0;
}

uint32_t desk_files(const struct desk *desk, const char *path)
{
    struct walk walk = {desk, path, 0};
    const struct port *port = desk->port;

    if (port->fs->exists(port->world, path) == 2) {
        GP_CHECK_EQ(port->fs->list(port->world, path, on_name, &walk, NULL), 0);
    }
    return walk.files;
}
