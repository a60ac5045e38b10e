/* usage.c: see usage.h. Nothing here fails: what cannot be read is not known. */
#include "edge/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 4096

/* The beginning of a file of /proc, terminated; "": not known. */
static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd); /* it was only read */
    }
}

static uint64_t cpu_ns(void)
{
    struct rusage usage = {0};

    if (getrusage(RUSAGE_SELF, &usage) < 0) {
        return 0;
    }
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * UINT64_C(1000000000) +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* Its second number, in pages. */
static uint64_t rss_bytes(void)
{
    char text[TEXT_MAX];
    const char *blank;

    read_text("/proc/self/statm", text, sizeof(text));
    blank = strchr(text, ' ');
    return blank != NULL ? strtoull(blank, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Without the one that counts them. */
static uint32_t list_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint32_t count = 0;

    if (dir == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.';
    }
    (void)closedir(dir); /* it was only read */
    return count > 0 ? count - 1 : 0;
}

/* A kernel that counts them itself says so in the folder's size. */
static uint32_t count_fds(void)
{
    struct stat info;

    if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
        return (uint32_t)info.st_size;
    }
    return list_fds();
}

/* "MemTotal:   16384 kB" in bytes. */
static uint64_t memory_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

void edge_usage(struct port_usage *ret)
{
    *ret = (struct port_usage){.cpu_ns = cpu_ns(), .rss_bytes = rss_bytes(), .fds = count_fds()};
}

void edge_host_usage(struct port_host_usage *ret)
{
    char text[TEXT_MAX];
    double load = 0;

    read_text("/proc/meminfo", text, sizeof(text));
    ret->memory_total = memory_of(text, "MemTotal:");
    ret->memory_free = memory_of(text, "MemAvailable:");
    ret->load_1m = getloadavg(&load, 1) == 1 ? load : 0;
}
