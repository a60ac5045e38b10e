/* A folder that lasts as long as its process. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/process_dir.h"
#include "edge/world.h"
#include "gp_test.h"

struct place {
    struct edge_world *world;
    const struct port *port;
    char base[64];
};

static void place_begin(struct place *p)
{
    (void)strcpy(p->base, "/tmp/gp-process-XXXXXX");
    GP_REQUIRE(mkdtemp(p->base) != NULL);
    GP_REQUIRE_EQ(edge_world_new(NULL, &p->world, NULL), 0);
    p->port = edge_port(p->world);
}

static void place_end(struct place *p)
{
    process_dir_remove(p->port, p->base);
    GP_CHECK(access(p->base, F_OK) < 0);
    edge_world_free(p->world);
}

/* A process that has been: nobody else has its pid for a while. */
static long gone_pid(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        _exit(0);
    }
    GP_REQUIRE(pid > 0);
    (void)waitpid(pid, NULL, 0);
    return (long)pid;
}

static void make(const struct place *p, const char *prefix, long pid, char path[256])
{
    (void)snprintf(path, 256, "%s/%s%ld-abcdef", p->base, prefix, pid);
    GP_REQUIRE_EQ(mkdir(path, 0700), 0);
}

GP_TEST(process_dir, is_new_and_closed_to_others)
{
    struct place p;
    char a[EDGE_PATH_MAX];
    char b[EDGE_PATH_MAX];
    struct stat info;

    place_begin(&p);
    GP_REQUIRE_EQ(process_dir_make(p.port, p.base, "run-", a, NULL), 0);
    GP_REQUIRE_EQ(process_dir_make(p.port, p.base, "run-", b, NULL), 0);
    GP_CHECK(strcmp(a, b) != 0);
    GP_REQUIRE_EQ(stat(a, &info), 0);
    GP_CHECK_EQ(info.st_mode & 0777, 0700);
    process_dir_remove(p.port, a);
    GP_CHECK(access(a, F_OK) < 0);
    place_end(&p);
}

GP_TEST(process_dir, removes_what_dead_processes_left_and_nothing_else)
{
    struct place p;
    char left[256];
    char living[256];
    char other[256];
    char mine[EDGE_PATH_MAX];

    place_begin(&p);
    make(&p, "run-", gone_pid(), left);
    make(&p, "run-", (long)getppid(), living);
    make(&p, "else-", gone_pid(), other);
    GP_REQUIRE_EQ(process_dir_make(p.port, p.base, "run-", mine, NULL), 0);
    GP_CHECK(access(left, F_OK) < 0);
    GP_CHECK_EQ(access(living, F_OK), 0);
    GP_CHECK_EQ(access(other, F_OK), 0);
    place_end(&p);
}

GP_TEST(process_dir, a_base_that_cannot_be_used_is_named)
{
    struct place p;
    char path[EDGE_PATH_MAX] = "untouched";
    struct gp_error err = {0};

    place_begin(&p);
    GP_CHECK_EQ(process_dir_make(p.port, "/nowhere", "run-", path, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, "/nowhere") != NULL);
    GP_CHECK_STR_EQ(path, "untouched");
    place_end(&p);
}
