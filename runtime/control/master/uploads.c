/*
 * uploads.c: artefacts, in and out.
 *
 * A client offers a hash; unless it is here and sound, it sends chunks in order, each acknowledged;
 * the last one is acknowledged only after the file is checked, on disk and under its name. An
 * upload belongs to its connection and is dropped with it: the client that comes back offers again.
 */
#include "base/str.h"
#include "control/master/internal.h"
#include "control/plugin_files.h"
#include "wire/artefact.h"

/* An offer, while what is here under that name is looked at. */
struct offered {
    struct pending pending;
    struct reply_token token;
    uint64_t peer;
    struct msg_artefact_offer offer;
};

static void offered_deinit(void *pending)
{
    fields_deinit(&msg_artefact_offer_fields, &((struct offered *)pending)->offer);
}

static int upload_begin(struct master *m, uint64_t peer, const struct msg_artefact_offer *offer,
                        struct msg_artefact_place *ret, struct gp_error *err)
{
    struct upload *upload = NULL;
    int rc;

    for (uint32_t i = 0; i < UPLOADS_MAX && !upload; i++) {
        upload = m->uploads[i].id == 0 ? &m->uploads[i] : NULL;
    }
    if (!upload) {
        return gp_error_set(err, GP_EFULL, "%u uploads are under way; try again", UPLOADS_MAX);
    }
    rc = artefact_begin(&m->artefacts, gp_str_of(offer->sha256), offer->size, &upload->in, err);
    if (rc < 0) {
        return rc;
    }
    upload->id = ++m->next_upload;
    upload->peer = peer;
    *ret = (struct msg_artefact_place){.upload = upload->id};
    return 0;
}

static void on_checked(void *user, int code, const struct gp_error *why)
{
    struct offered *o = user;
    struct master *m = o->pending.master;
    struct msg_artefact_place place = {.have = code >= 0};
    struct gp_error err;

    (void)why; /* whatever it is, a sound one is wanted */
    if (code < 0) {
        code = group_check_leads(m, &err);
    }
    if (code >= 0 && !place.have && !endpoint_peer(m->ep, o->peer)) { /* who would end it? */
        code = gp_error_set(&err, GP_ECLOSED, "who offered it is gone");
    }
    if (code >= 0 && !place.have) {
        code = room_give_way(m, upload_begin(m, o->peer, &o->offer, &place, &err), &err);
    }
    if (code >= 0) {
        (void)endpoint_reply(m->ep, o->token, &place);
    } else {
        (void)endpoint_reply_error(m->ep, o->token, &err);
    }
    pending_free(o);
}

int uploads_offer(struct master *m, struct peer *peer, struct msg_artefact_offer *offer,
                  struct reply_token token, struct gp_error *err)
{
    struct offered *o = pending_new(m, sizeof *o);

    if (!o) {
        return gp_error_set(err, GP_ENOMEM, "taking an upload");
    }
    o->pending.deinit = offered_deinit;
    o->token = token;
    o->peer = peer_id(peer);
    o->offer = *offer;
    *offer = (struct msg_artefact_offer){0};
    artefacts_check(&m->artefacts, gp_str_of(o->offer.sha256), on_checked, o);
    return 0;
}

static void upload_end(struct upload *upload)
{
    artefact_drop(&upload->in);
    *upload = (struct upload){0};
}

static struct upload *upload_find(struct master *m, uint64_t id, uint64_t peer)
{
    for (uint32_t i = 0; i < UPLOADS_MAX && id != 0; i++) {
        if (m->uploads[i].id == id && m->uploads[i].peer == peer) {
            return &m->uploads[i];
        }
    }
    return NULL;
}

int uploads_chunk(struct master *m, struct peer *peer, gp_bytes payload,
                  struct msg_artefact_received *ret, struct gp_error *err)
{
    struct artefact_chunk chunk;
    struct upload *upload;
    int rc = artefact_chunk_decode(payload, &chunk);

    if (rc < 0) {
        return gp_error_set(err, rc, "a chunk of an artefact: %s", error_sentence(rc));
    }
    upload = upload_find(m, chunk.upload, peer_id(peer));
    if (!upload) {
        return gp_error_set(err, GP_ENOENT, "no upload %llu of yours",
                            (unsigned long long)chunk.upload);
    }
    rc = artefact_write(&upload->in, chunk.offset, chunk.bytes, err);
    ret->received = upload->in.received;
    if (rc >= 0 && upload->in.received == upload->in.size) {
        rc = artefact_commit(&upload->in, err);
        if (rc >= 0) {
            LOG_INFO(master_log(m), "artefact.stored", KV_STR("sha256", upload->in.sha256),
                     KV_U64("size_bytes", upload->in.size));
        }
        upload_end(upload);
    } else if (rc < 0) {
        upload_end(upload);
    }
    return rc;
}

void uploads_peer_down(struct master *m, uint64_t peer)
{
    for (uint32_t i = 0; i < UPLOADS_MAX; i++) {
        if (m->uploads[i].id != 0 && m->uploads[i].peer == peer) {
            LOG_WARN(master_log(m), "upload.cut", KV_STR("sha256", m->uploads[i].in.sha256),
                     KV_U64("received_bytes", m->uploads[i].in.received),
                     KV_U64("size_bytes", m->uploads[i].in.size));
            upload_end(&m->uploads[i]);
        }
    }
}

int uploads_get(struct master *m, const struct msg_artefact_get *get, struct buf *ret,
                struct gp_error *err)
{
    const struct port *port = m->port;
    char path[ARTEFACT_PATH_MAX];
    struct file *file = NULL;
    struct artefact_piece piece = {.offset = get->offset};
    struct buf block = {0};
    uint32_t max = get->max < CHUNK_BYTES ? get->max : CHUNK_BYTES;
    void *space;
    int64_t n;
    int rc;

    if (!artefacts_find(&m->artefacts, gp_str_of(get->sha256), path, sizeof path)) {
        return gp_error_set(err, GP_ENOENT, "no artefact %s here", get->sha256);
    }
    rc = port->fs->open(port->world, path, FS_READ, 0, &file, err);
    if (rc < 0) {
        return rc;
    }
    n = port->fs->size(port->world, file);
    piece.total = n < 0 ? 0 : (uint64_t)n;
    rc = n < 0 ? (int)n : buf_reserve(&block, max, &space);
    if (rc >= 0 && get->offset < piece.total) {
        n = port->fs->read_at(port->world, file, get->offset, space, max);
        rc = n < 0 ? (int)n : 0;
        piece.bytes = gp_bytes_of(space, n < 0 ? 0 : (size_t)n);
    }
    port->fs->close(port->world, file);
    if (rc >= 0) {
        rc = artefact_piece_encode(&piece, ret);
    }
    buf_deinit(&block);
    return rc < 0
               ? gp_error_set(err, rc, "reading artefact %s: %s", get->sha256, error_sentence(rc))
               : 0;
}

/* A plugin's name becomes part of a path: letters, digits, '_' and '-' only. */
static bool plugin_name_is_valid(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    return len > 0 && len <= GP_NAME_MAX_BYTES;
}

static int no_such_plugin(const struct master *m, const char *name, struct gp_error *err)
{
    struct plugin_files files = {.count = 0};
    char meant[STR_MEANT_MAX] = "";

    for (uint32_t i = 0; i < m->plugin_dir_count && !*meant; i++) {
        (void)plugin_files_read(&files, m->port->fs, m->port->world, m->plugin_dirs[i]);
        (void)plugin_files_meant(&files, name, meant); /* without memory less is meant */
    }
    plugin_files_deinit(&files);
    (void)gp_error_set(err, GP_ENOENT, "no plugin '%s' on the master%s", name, meant);
    gp_error_hint(err, "put %s.so into a folder of plugins.path", name);
    return GP_ENOENT;
}

int uploads_resolve(struct master *m, const char *name, struct msg_plugin_resolved *ret,
                    struct gp_error *err)
{
    const struct port *port = m->port;
    char sha[SHA256_HEX_SIZE];
    char path[ARTEFACT_PATH_MAX];
    struct gp_note note;
    int rc = 0;

    if (!plugin_name_is_valid(name)) {
        return gp_error_set(err, GP_EINVAL, "'%s' is not the name of a plugin", name);
    }
    for (uint32_t i = 0; i < m->plugin_dir_count; i++) {
        if (str_format(path, sizeof path, "%s/%s.so", m->plugin_dirs[i], name) < 0 ||
            port->fs->exists(port->world, path) != 1) {
            continue;
        }
        rc = artefacts_add_file(&m->artefacts, path, sha, sizeof sha, &ret->size, err);
        if (rc >= 0) {
            rc = artefacts_note(&m->artefacts, gp_str_of(sha), &note, err);
        }
        if (rc < 0) {
            gp_error_prefix(err, "plugin '%s' (%s)", name, path);
            return rc;
        }
        ret->name = str_dup(gp_str_of(note.name));
        ret->version = str_dup(gp_str_of(note.version));
        ret->sha256 = str_dup(gp_str_of(sha));
        return ret->name && ret->version && ret->sha256 ? 0
                                                        : gp_error_set(err, GP_ENOMEM, "resolving");
    }
    return no_such_plugin(m, name, err);
}
