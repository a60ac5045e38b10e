/*
 * A chain of processors of other plugins, told by parameters: from, via (may be absent) and to,
 * each as PLUGIN/TYPE, joined by shuffle edges unless edge says otherwise. The processors are
 * called from, via and to, so that --set from.path=... reaches them.
 */
#include <gearpump/gearpump.h>

static gp_node add(const struct gp_build *b, const char *name)
{
    const char *what = gp_config_text(b->config, name, NULL);
    char plugin[GP_NAME_MAX_BYTES + 1];
    size_t len = what ? strcspn(what, "/") : 0;

    if (!what || what[len] != '/' || len > GP_NAME_MAX_BYTES) {
        gp_mistake(b, "from, via and to are PLUGIN/TYPE");
        return 0;
    }
    memcpy(plugin, what, len);
    plugin[len] = '\0';
    return gp_add_plugin(b, name, plugin, what + len + 1, 1);
}

static int32_t build(const struct gp_build *b)
{
    const char *edge = gp_config_text(b->config, "edge", GP_SHUFFLE);
    gp_node from = add(b, "from");
    gp_node to = add(b, "to");

    if (gp_config_text(b->config, "via", NULL)) {
        gp_node via = add(b, "via");
        gp_connect(b, from, via, edge);
        from = via;
    }
    gp_connect(b, from, to, edge);
    return GP_OK;
}

/* A catalogue has one table at least. */
static int32_t process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static const struct gp_processor pass = {.size = sizeof pass,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "pass",
                                         .open = gp_open_stateless,
                                         .process = process};

GP_APP("chain", "1.0.0", build, &pass)
