/*
 * Settings: lines KEY=TEXT as flags give them and NAME=TEXT as the environment does (those in
 * capitals), up to an empty line, then a file. All mistakes are told, each in a line; what is taken
 * can be used.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/config.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *environment[CONFIG_OVERRIDES_MAX + 1];
    uint32_t environment_count;
    struct config_override overrides[CONFIG_OVERRIDES_MAX];
    uint32_t override_count;
};

static void take_line(struct input *in, char *line)
{
    char *equals = strchr(line, '=');

    if (line[0] >= 'A' && line[0] <= 'Z') {
        if (in->environment_count < CONFIG_OVERRIDES_MAX) {
            in->environment[in->environment_count++] = line;
        }
    } else if (equals != NULL && in->override_count < CONFIG_OVERRIDES_MAX) {
        *equals = '\0';
        in->overrides[in->override_count++] = (struct config_override){line, equals + 1, line};
    }
}

/* The path of a file of that content. */
static void make_file(const char *bytes, size_t len, char path[32])
{
    static int fd = -1; /* one for all inputs */

    fd = fd >= 0 ? fd : memfd_create("config", MFD_CLOEXEC);
    ASSERT(fd >= 0 && ftruncate(fd, 0) == 0);
    ASSERT(pwrite(fd, bytes, len, 0) == (ssize_t)len);
    (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input *in = calloc(1, sizeof(*in));
    char *text = malloc(size + 1);
    char *at = text;
    struct gp_error err = {0};
    struct buf mistakes = {0};
    struct config_sources from;
    struct config config;
    char path[32];
    int rc;

    ASSERT(in != NULL && text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        if (end == at) {
            at++;
            break;
        }
        take_line(in, at);
    }
    make_file(at, (size_t)(text + size - at), path);
    from = (struct config_sources){path, in->environment, in->overrides, in->override_count};
    rc = config_load(&from, &config, &mistakes, &err);
    if (rc == 0) {
        ASSERT(config.bind != NULL && config.data.batch_bytes > 0);
        config_deinit(&config);
    } else {
        ASSERT(rc == GP_EINVAL && err.text[0] != '\0' && buf_len(&mistakes) > 0);
    }
    buf_deinit(&mistakes);
    free(text);
    free(in);
    return 0;
}
