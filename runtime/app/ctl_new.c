/*
 * ctl_new.c: gpctl new: a small project that builds, passes its test and can be submitted.
 *
 * The files are compiled in (template.h). They are written into a folder beside the one that was
 * asked for, which then takes its name: either the whole project is there or nothing. A folder that
 * is there, which must be empty, is filled instead, as somebody may stand in it.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ctl.h"
#include "app/template.h"
#include "app/tree.h"
#include "app/version.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/str.h"

#define FILE_SIZE_MAX (1u << 20)
#define FOLDER_MODE   0777u /* cut by the umask: it is the user's own */
#define FILE_MODE     0644u /* which is not: a file that is replaced whole has this mode */

struct project {
    const struct port *port;
    const char *name;
    const char *language;
    char path[PATH_MAX];      /* where it will stand */
    char temporary[PATH_MAX]; /* where it is made: beside that, or the same */
};

/* ---- what was asked for ---- */

/* As a job may be called, and beginning with a letter: crates and modules want that. */
static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return name[len] == '\0' && len > 0 && len <= GP_NAME_MAX_BYTES && name[0] >= 'a' &&
           name[0] <= 'z';
}

static bool is_language(const char *language)
{
    for (const struct template_file *f = template_files; f->language; f++) {
        if (strcmp(f->language, language) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse_language(const char *language, struct gp_error *err)
{
    struct buf known;
    const char *last = "";
    int rc;

    buf_init(&known, 256);
    for (const struct template_file *f = template_files; f->language; f++) {
        if (strcmp(f->language, last) != 0) {
            (void)buf_append_fmt(&known, "%s%s", last[0] ? ", " : "", f->language);
            last = f->language;
        }
    }
    rc = gp_error_set(err, GP_EINVAL, "--lang %s: there is no project in that language", language);
    gp_error_hint(err, "one of %s", buf_c(&known));
    buf_deinit(&known);
    return rc;
}

/* The folder as an absolute path, and where it is made before it has that name: beside it, so also
 * if a shell completed it with a slash. */
static int find_place(struct project *p, const char *folder, struct gp_error *err)
{
    char here[PATH_MAX] = "";
    size_t len = strlen(folder);

    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    if (folder[0] != '/' && !getcwd(here, sizeof here)) {
        return gp_error_set(err, error_from_errno(errno), "cannot tell which folder this is: %s",
                            strerror(errno));
    }
    len = len == 1 && folder[0] == '.' ? 0 : len;
    if (str_format(p->path, sizeof p->path, "%s%s%.*s", here, here[0] && len > 0 ? "/" : "",
                   (int)len, folder) < 0 ||
        str_format(p->temporary, sizeof p->temporary, "%s.new-%ld", p->path, (long)getpid()) < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: the path is too long", folder);
    }
    return 0;
}

static int on_entry(void *user, const char *name, int is_dir)
{
    (void)user;
    (void)name;
    (void)is_dir;
    return GP_EEXIST;
}

static int check_place(struct project *p, struct gp_error *err)
{
    const struct fs_ops *fs = p->port->fs;
    int there = fs->exists(p->port->world, p->path);
    int rc = there == 1 ? GP_EEXIST : 0;

    if (there == 2) {
        (void)str_format(p->temporary, sizeof p->temporary, "%s", p->path);
        rc = fs->list(p->port->world, p->path, on_entry, NULL, err);
    }
    if (rc == GP_EEXIST) {
        rc = gp_error_set(err, rc, "%s: %s", p->path,
                          there == 1 ? "there is a file of that name" : "that folder is not empty");
        gp_error_hint(err, "choose another name, or another folder with --dir");
    }
    return rc;
}

/* ---- writing ---- */

/* The text with names put in for @name@ and @version@. */
static int fill_in(const struct project *p, const struct template_file *f, struct buf *out)
{
    const char *at = (const char *)f->text;
    const char *end = at + f->len;
    int rc = 0;

    while (rc >= 0 && at < end) {
        const char *mark = memchr(at, '@', (size_t)(end - at));
        gp_str rest = {mark ? mark : end, mark ? (size_t)(end - mark) : 0};
        rc = buf_append(out, at, (size_t)(rest.ptr - at));
        at = rest.ptr;
        if (rc < 0 || at == end) {
            break;
        }
        if (str_starts_with(rest, GP_STR("@name@"))) {
            rc = buf_append_c(out, p->name);
            at += strlen("@name@");
        } else if (str_starts_with(rest, GP_STR("@version@"))) {
            rc = buf_append_c(out, VERSION_TEXT);
            at += strlen("@version@");
        } else {
            rc = buf_append(out, at++, 1);
        }
    }
    return rc;
}

static int write_file(const struct project *p, const struct template_file *f, struct gp_error *err)
{
    const struct port *port = p->port;
    char path[PATH_MAX];
    struct buf text;
    int rc = str_format(path, sizeof path, "%s/%s", p->temporary, f->path);
    char *slash;

    if (rc < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: the path is too long", p->path);
    }
    slash = strrchr(path, '/');
    *slash = '\0';
    rc = port->fs->make_dirs(port->world, path, FOLDER_MODE, err);
    *slash = '/';
    if (rc < 0) {
        return rc;
    }
    buf_init(&text, FILE_SIZE_MAX);
    rc = fill_in(p, f, &text);
    rc = rc < 0 ? gp_error_set(err, rc, "%s", error_sentence(rc))
                : port->fs->write_file(port->world, path, buf_bytes(&text), FILE_MODE, err);
    buf_deinit(&text);
    return rc;
}

/* What was written of it; a folder that was there stays. */
static void remove_project(const struct project *p)
{
    const struct fs_ops *fs = p->port->fs;
    const bool was_there = strcmp(p->path, p->temporary) == 0;
    char path[PATH_MAX];

    for (const struct template_file *f = template_files; was_there && f->language; f++) {
        const bool is_below = strchr(f->path, '/') != NULL;
        const int len = (int)strcspn(f->path, "/");

        if (strcmp(f->language, p->language) == 0 &&
            str_format(path, sizeof path, "%s/%.*s", p->path, len, f->path) > 0) {
            (void)(is_below ? fs->remove_tree : fs->remove)(p->port->world, path, NULL);
        }
    }
    if (!was_there) {
        (void)fs->remove_tree(p->port->world, p->temporary, NULL);
    }
}

static int write_project(const struct project *p, struct gp_error *err)
{
    int rc = 0;

    for (const struct template_file *f = template_files; f->language && rc >= 0; f++) {
        if (strcmp(f->language, p->language) == 0) {
            rc = write_file(p, f, err);
        }
    }
    if (rc >= 0 && strcmp(p->path, p->temporary) != 0) {
        rc = p->port->fs->rename(p->port->world, p->temporary, p->path, err);
    }
    if (rc < 0) {
        remove_project(p);
    }
    return rc < 0 ? rc : 0;
}

static int make_project(struct ctl *ctl, struct project *p, struct gp_error *err)
{
    const char *folder = options_text(ctl->options, "dir");
    int rc;

    if (!is_name(p->name)) {
        rc = gp_error_set(err, GP_EINVAL, "'%s' is no name for a job", p->name);
        gp_error_hint(err, "a letter, then letters, digits, _ and -, all in lower case, %u at most",
                      GP_NAME_MAX_BYTES);
        return rc;
    }
    if (!is_language(p->language)) {
        return refuse_language(p->language, err);
    }
    rc = ctl_open_world(ctl, err);
    if (rc < 0) {
        return rc;
    }
    p->port = edge_port(ctl->world);
    rc = find_place(p, folder ? folder : p->name, err);
    if (rc == 0) {
        rc = check_place(p, err);
    }
    return rc < 0 ? rc : write_project(p, err);
}

/* ---- telling ---- */

static int tell(const struct ctl *ctl, const struct project *p)
{
    struct value *files = value_new_list();
    struct tree t;

    for (const struct template_file *f = template_files; f->language; f++) {
        if (strcmp(f->language, p->language) != 0) {
            continue;
        }
        if (ctl->json) {
            tree_push_take(&files, value_new_str(gp_str_of(f->path)));
        } else {
            (void)printf("%s/%s\n", p->path, f->path);
        }
    }
    if (!ctl->json) {
        value_free(files);
        ctl_say(ctl, "README.md says how to build, test and submit it.");
        return EXIT_STATUS_OK;
    }
    tree_begin(&t);
    tree_text(&t, "name", p->name);
    tree_text(&t, "language", p->language);
    tree_text(&t, "path", p->path);
    tree_take(&t, "files", files);
    return ctl_print_take(ctl, tree_end(&t));
}

int ctl_new(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    const char *language = options_text(options, "lang");
    struct project p = {.name = options->operands[0], .language = language ? language : "c"};
    struct gp_error err = {0};

    (void)spec;
    if (make_project(ctl, &p, &err) < 0) {
        return ctl_fail(ctl, &err, "cannot make the project %s", p.name);
    }
    return tell(ctl, &p);
}
