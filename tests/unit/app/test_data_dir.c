/* The folder of a daemon and its lock. */
#include <sys/stat.h>
#include <unistd.h>

#include "app/data_dir.h"
#include "gp_test.h"

/* A folder of its own, removed with what a test is known to leave in it. */
struct place {
    char path[64];
};

static void place_begin(struct place *p)
{
    (void)strcpy(p->path, "/tmp/gp-data-XXXXXX");
    GP_REQUIRE(mkdtemp(p->path) != NULL);
}

static void place_end(struct place *p)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", p->path);
    GP_CHECK_EQ(system(command), 0);
}

GP_TEST(data_dir, is_made_for_its_owner_alone)
{
    struct place p;
    struct data_dir dir;
    struct stat info;
    char base[128];

    place_begin(&p);
    (void)snprintf(base, sizeof base, "%s/a/b", p.path);
    GP_REQUIRE_EQ(data_dir_take(&dir, base, "master", NULL), 0);
    GP_CHECK(strncmp(dir.path, base, strlen(base)) == 0);
    GP_CHECK_STR_EQ(dir.path + strlen(base), "/master");
    GP_REQUIRE_EQ(stat(dir.path, &info), 0);
    GP_CHECK_EQ(info.st_mode & 0777, 0700);
    data_dir_release(&dir);
    place_end(&p);
}

GP_TEST(data_dir, has_one_daemon_at_a_time)
{
    struct place p;
    struct data_dir first;
    struct data_dir second;
    struct gp_error err = {0};
    char pid[16];

    place_begin(&p);
    GP_REQUIRE_EQ(data_dir_take(&first, p.path, "", &err), 0);
    GP_CHECK_STR_EQ(first.path, p.path);
    GP_CHECK_EQ(data_dir_take(&second, p.path, "", &err), GP_EEXIST);
    (void)snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    GP_CHECK(strstr(err.text, p.path) != NULL);
    GP_CHECK(strstr(err.text, pid) != NULL);
    GP_CHECK(err.hint[0] != '\0');
    data_dir_release(&second); /* never taken */
    data_dir_release(&first);
    GP_CHECK_EQ(data_dir_take(&second, p.path, "", &err), 0);
    data_dir_release(&second);
    place_end(&p);
}

GP_TEST(data_dir, the_first_free_number_is_taken)
{
    struct place p;
    struct data_dir dirs[3];

    place_begin(&p);
    GP_REQUIRE_EQ(data_dir_take_free(&dirs[0], p.path, "worker", NULL), 0);
    GP_REQUIRE_EQ(data_dir_take_free(&dirs[1], p.path, "worker", NULL), 0);
    GP_CHECK(strstr(dirs[0].path, "/worker-1") != NULL);
    GP_CHECK(strstr(dirs[1].path, "/worker-2") != NULL);
    data_dir_release(&dirs[0]);
    GP_REQUIRE_EQ(data_dir_take_free(&dirs[2], p.path, "worker", NULL), 0);
    GP_CHECK(strstr(dirs[2].path, "/worker-1") != NULL);
    data_dir_release(&dirs[1]);
    data_dir_release(&dirs[2]);
    place_end(&p);
}

GP_TEST(data_dir, a_file_in_the_way_is_named)
{
    struct place p;
    struct data_dir dir;
    struct gp_error err = {0};
    char path[128];
    FILE *file;

    place_begin(&p);
    (void)snprintf(path, sizeof path, "%s/file", p.path);
    file = fopen(path, "we");
    GP_REQUIRE(file != NULL);
    (void)fclose(file);
    GP_CHECK(data_dir_take(&dir, path, "below", &err) < 0);
    GP_CHECK(strstr(err.text, path) != NULL);
    GP_CHECK_STR_EQ(dir.path, "");
    place_end(&p);
}

GP_TEST(data_dir, a_relative_path_is_below_the_current_folder)
{
    struct place p;
    struct data_dir dir;

    place_begin(&p);
    GP_REQUIRE_EQ(chdir(p.path), 0);
    GP_REQUIRE_EQ(data_dir_take(&dir, "here", "", NULL), 0);
    GP_CHECK_EQ(dir.path[0], '/');
    GP_CHECK(strstr(dir.path, "/here") != NULL);
    data_dir_release(&dir);
    GP_CHECK_EQ(chdir("/"), 0);
    place_end(&p);
}
