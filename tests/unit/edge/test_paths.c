#include <fcntl.h>
#include <pthread.h>

#include "edge/paths.h"
#include "rig.h"

static void use_home(struct rig *rig)
{
    (void)unsetenv("XDG_RUNTIME_DIR");
    (void)unsetenv("XDG_CONFIG_HOME");
    (void)unsetenv("XDG_STATE_HOME");
    GP_REQUIRE_EQ(setenv("HOME", rig_path(rig, "home"), 1), 0);
}

GP_TEST(paths, follow_home_and_xdg)
{
    struct rig rig;
    char path[EDGE_PATH_MAX];
    char expected[128];

    rig_begin(&rig, NULL);
    use_home(&rig);
    GP_CHECK_EQ(edge_data_dir(path, NULL), 0);
    GP_CHECK_STR_EQ(path, rig_path(&rig, "home/.local/state/gearpump"));
    GP_CHECK_EQ(edge_secret_path(path, NULL), 0);
    GP_CHECK_STR_EQ(path, rig_path(&rig, "home/.config/gearpump/secret"));

    (void)setenv("XDG_STATE_HOME", "/xdg/data", 1);
    (void)setenv("XDG_CONFIG_HOME", "relative", 1); /* counts as unset */
    GP_CHECK_EQ(edge_data_dir(path, NULL), 0);
    GP_CHECK_STR_EQ(path, "/xdg/data/gearpump");
    GP_CHECK_EQ(edge_secret_path(path, NULL), 0);
    GP_CHECK_STR_EQ(path, rig_path(&rig, "home/.config/gearpump/secret"));

    (void)unsetenv("HOME"); /* the user's entry is asked */
    (void)unsetenv("XDG_STATE_HOME");
    if (edge_data_dir(path, NULL) == 0) {
        GP_CHECK_EQ(path[0], '/');
    }
    (void)snprintf(expected, sizeof(expected), "/tmp/gearpump-%u", (unsigned)geteuid());
    (void)setenv("XDG_RUNTIME_DIR", rig_path(&rig, "missing"), 1);
    if (edge_runtime_dir(path, NULL) == 0) {
        GP_CHECK_STR_EQ(path, expected);
    }
    rig_end(&rig);
}

GP_TEST(paths, the_runtime_folder_is_private)
{
    struct rig rig;
    struct gp_error err = {0};
    struct stat info;
    char path[EDGE_PATH_MAX];

    rig_begin(&rig, NULL);
    (void)rig_path(&rig, "");
    (void)setenv("XDG_RUNTIME_DIR", rig.folder, 1);
    GP_REQUIRE_EQ(edge_runtime_dir(path, &err), 0);
    GP_CHECK_STR_EQ(path, rig_path(&rig, "gearpump"));
    GP_REQUIRE_EQ(stat(path, &info), 0);
    GP_CHECK_EQ(info.st_mode & 07777, 0700);
    GP_CHECK_EQ(edge_runtime_dir(path, &err), 0); /* again */

    GP_REQUIRE_EQ(chmod(path, 0750), 0);
    GP_CHECK_EQ(edge_runtime_dir(path, &err), GP_EACCES);
    GP_CHECK(strstr(err.hint, "chmod 700") != NULL);
    GP_REQUIRE_EQ(rmdir(path), 0);
    GP_REQUIRE_EQ(symlink(rig.folder, path), 0); /* not a folder, though it leads to one */
    GP_CHECK_EQ(edge_runtime_dir(path, &err), GP_EACCES);
    rig_end(&rig);
}

GP_TEST(paths, a_secret_is_made_once)
{
    struct rig rig;
    struct edge_secret first;
    struct edge_secret again;
    struct gp_error err = {0};
    struct stat info;
    char path[EDGE_PATH_MAX];

    rig_begin(&rig, NULL);
    use_home(&rig);
    GP_REQUIRE_EQ(edge_secret_path(path, NULL), 0);
    GP_CHECK_EQ(edge_secret_read(path, &first, &err), GP_ENOENT);
    GP_REQUIRE_EQ(edge_secret_read_or_make(path, &first, &err), 0);
    GP_CHECK_EQ(first.len, 64);
    GP_REQUIRE_EQ(stat(path, &info), 0);
    GP_CHECK_EQ(info.st_mode & 07777, 0600);
    GP_REQUIRE_EQ(edge_secret_read_or_make(path, &again, &err), 0);
    GP_CHECK_EQ(again.len, 64);
    GP_CHECK_MEM_EQ(first.text, again.text, 64);
    rig_end(&rig);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    GP_REQUIRE_EQ(fchmod(fd, mode), 0);
    (void)close(fd);
}

GP_TEST(paths, a_secret_that_is_none_is_refused)
{
    struct rig rig;
    struct edge_secret secret;
    struct gp_error err = {0};
    char path[EDGE_PATH_MAX];
    char long_text[EDGE_SECRET_SIZE_MAX + 2];

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "secret"));
    put_file(path, "  0123456789abcdef0123456789abcdef\n", 0600);
    GP_CHECK_EQ(edge_secret_read(path, &secret, &err), 0);
    GP_CHECK_EQ(secret.len, 32);
    put_file(path, "0123456789abcdef0123456789abcdef", 0640);
    GP_CHECK_EQ(edge_secret_read_or_make(path, &secret, &err), GP_EACCES);
    GP_CHECK(strstr(err.hint, "chmod 600") != NULL);
    put_file(path, "0123456789abcdef0123456789abcde\n", 0600);
    GP_CHECK_EQ(edge_secret_read_or_make(path, &secret, &err), GP_EINVAL);
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    put_file(path, long_text, 0600);
    GP_CHECK_EQ(edge_secret_read(path, &secret, &err), GP_EINVAL);
    GP_CHECK(edge_secret_read(rig.folder, &secret, &err) < 0);
    GP_CHECK(edge_secret_read_or_make("secret", &secret, &err) < 0);
    rig_end(&rig);
}

struct racer {
    const char *path;
    struct edge_secret secret;
    int rc;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    r->rc = edge_secret_read_or_make(r->path, &r->secret, NULL);
    return NULL;
}

GP_TEST(paths, all_who_make_a_secret_at_once_agree)
{
    enum { ROUNDS = 20, RACERS = 4 };
    struct rig rig;

    rig_begin(&rig, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        struct racer racers[RACERS];
        pthread_t threads[RACERS];
        char path[EDGE_PATH_MAX];
        char name[32];

        (void)snprintf(name, sizeof(name), "r%d/secret", round);
        strcpy(path, rig_path(&rig, name));
        for (int i = 0; i < RACERS; i++) {
            racers[i].path = path;
            GP_REQUIRE_EQ(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            GP_REQUIRE_EQ(pthread_join(threads[i], NULL), 0);
            GP_CHECK_EQ(racers[i].rc, 0);
            GP_CHECK_MEM_EQ(racers[i].secret.text, racers[0].secret.text, 64);
        }
    }
    rig_end(&rig);
}
