/* Settings: from a file, the environment and flags. */
#include <unistd.h>

#include "app/config.h"
#include "capture.h"

/* A file with this text; its path is in the current folder of the test, to be removed. */
struct given {
    char path[32];
};

static void give(struct given *g, const char *text)
{
    int fd;

    (void)strcpy(g->path, "/tmp/gp-conf-XXXXXX");
    fd = mkstemp(g->path);
    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static int load(const struct config_sources *from, struct config *ret, struct buf *mistakes)
{
    struct gp_error err = {0};

    buf_clear(mistakes);
    return config_load(from, ret, mistakes, &err);
}

static int load_text(const char *text, struct config *ret, struct buf *mistakes)
{
    struct given g;
    struct config_sources from = {.path = g.path};
    int rc;

    give(&g, text);
    rc = load(&from, ret, mistakes);
    (void)unlink(g.path);
    return rc;
}

/* Checks what is said of a text, with the path of its file left out. */
static void check_mistakes(const char *text, const char *wanted)
{
    struct buf mistakes = {0};
    struct buf seen = {0};
    struct config config;
    const char *at;

    GP_CHECK_EQ(load_text(text, &config, &mistakes), GP_EINVAL);
    at = buf_c(&mistakes);
    while (*at) {
        const char *end = strchr(at, '\n') + 1;

        GP_REQUIRE(end != (char *)1);
        if (strncmp(at, "/tmp/gp-conf-", 13) == 0) {
            at += strlen("/tmp/gp-conf-XXXXXX:");
        }
        GP_REQUIRE_EQ(buf_append(&seen, at, (size_t)(end - at)), 0);
        at = end;
    }
    GP_CHECK_STR_EQ(buf_c(&seen), wanted);
    buf_deinit(&seen);
    buf_deinit(&mistakes);
}

static void print_json(const struct config *config, struct buf *out)
{
    GP_REQUIRE_EQ(fields_print_json(&config_fields, config, out), 0);
}

GP_TEST(config, nothing_said_gives_the_defaults)
{
    struct config config;
    struct buf mistakes = {0};

    GP_REQUIRE_EQ(load(&(struct config_sources){.path = ""}, &config, &mistakes), 0);
    GP_CHECK_STR_EQ(config.bind, "127.0.0.1");
    GP_REQUIRE_EQ(config.cluster.masters_count, 1);
    GP_CHECK_STR_EQ(config.cluster.masters[0], "127.0.0.1:3000");
    GP_CHECK_EQ(config.worker.slots, 100);
    GP_CHECK_EQ(config.log.level, LOG_LEVEL_INFO);
    GP_CHECK_EQ(config.limits.upload_bytes, 256 << 20);
    GP_CHECK_EQ(config.cluster.failure_timeout, 3000000000);
    config_deinit(&config);
    buf_deinit(&mistakes);
}

/* What users read is what the programs do. */
GP_TEST(config, the_shipped_file_is_the_reference_and_loads_to_the_defaults)
{
    struct config shipped;
    struct config defaults;
    struct buf mistakes = {0};
    struct buf a = {0};
    struct buf b = {0};
    struct capture c;
    FILE *file = fopen(GP_CONF_FILE, "re");
    char *text = calloc(1, 65536);

    GP_REQUIRE(file != NULL && text != NULL);
    GP_CHECK(fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    config_print_reference(capture_begin(&c));
    GP_CHECK_STR_EQ(capture_text(&c), text);
    capture_end(&c);
    free(text);

    GP_REQUIRE_EQ(load(&(struct config_sources){.path = GP_CONF_FILE}, &shipped, &mistakes), 0);
    GP_REQUIRE_EQ(load(&(struct config_sources){.path = ""}, &defaults, &mistakes), 0);
    print_json(&shipped, &a);
    print_json(&defaults, &b);
    GP_CHECK_STR_EQ(buf_c(&a), buf_c(&b));
    config_deinit(&shipped);
    config_deinit(&defaults);
    buf_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&mistakes);
}

GP_TEST(config, names_masters_that_cannot_be)
{
    check_mistakes("cluster:\n  masters:\n    - 10.0.0.1:3000\n    - 10.0.0.2:3000\n"
                   "    - 10.0.0.1:3000\n",
                   "5:7: cluster.masters[2]: 10.0.0.1:3000 stands there already\n");
    check_mistakes("cluster:\n  masters: []\n", "2:3: cluster.masters: at least one is needed\n");
}

/* Two are no better than one, and lost sooner; it is not forbidden. */
GP_TEST(config, warns_of_an_even_number_of_masters)
{
    struct config config;
    struct buf mistakes = {0};

    GP_REQUIRE_EQ(load_text("cluster:\n  masters: [a:1, b:1]\n", &config, &mistakes), 0);
    GP_CHECK(strstr(buf_c(&mistakes), ":2:3: cluster.masters: warning: 2 masters") != NULL);
    config_deinit(&config);
    GP_REQUIRE_EQ(load_text("cluster:\n  masters: [a:1, b:1, a:2]\n", &config, &mistakes), 0);
    GP_CHECK_EQ(buf_len(&mistakes), 0);
    config_deinit(&config);
    buf_deinit(&mistakes);
}

GP_TEST(config, a_file_changes_what_it_names)
{
    struct config config;
    struct buf mistakes = {0};

    GP_REQUIRE_EQ(load_text("cluster:\n  masters: [127.0.0.2:4000, \"[::1]:4001\"]\n"
                            "log: {level: debug, format: json}\n"
                            "limits:\n  upload_bytes: 64MiB\n  handshake_timeout: 500ms\n",
                            &config, &mistakes),
                  0);
    GP_REQUIRE_EQ(config.cluster.masters_count, 2);
    GP_CHECK_STR_EQ(config.cluster.masters[1], "[::1]:4001");
    GP_CHECK_EQ(config.log.level, LOG_LEVEL_DEBUG);
    GP_CHECK_EQ(config.log.format, LOG_FORMAT_JSON);
    GP_CHECK_EQ(config.limits.upload_bytes, 64 << 20);
    GP_CHECK_EQ(config.limits.handshake_timeout, 500000000);
    GP_CHECK_EQ(config.worker.slots, 100);
    config_deinit(&config);
    buf_deinit(&mistakes);
}

GP_TEST(config, empty_files_are_fine)
{
    struct config config;
    struct buf mistakes = {0};

    GP_REQUIRE_EQ(load_text("", &config, &mistakes), 0);
    config_deinit(&config);
    GP_REQUIRE_EQ(load_text("# nothing\n", &config, &mistakes), 0);
    config_deinit(&config);
    GP_REQUIRE_EQ(load_text("log:\n", &config, &mistakes), 0);
    config_deinit(&config);
    buf_deinit(&mistakes);
}

GP_TEST(config, all_mistakes_are_listed_with_their_place)
{
    check_mistakes("clutser: 1\n"
                   "log:\n"
                   "  levl: info\n"
                   "  format: yaml\n"
                   "worker:\n"
                   "  slots: 0\n"
                   "data:\n"
                   "  linger: 5\n",
                   "1:1: unknown name \"clutser\" (did you mean cluster?)\n"
                   "3:3: log: unknown name \"levl\" (did you mean level?)\n"
                   "4:3: log.format: one of text, json is wanted, not \"yaml\"\n"
                   "6:3: worker.slots: a whole number from 1 to 100000 is wanted, not 0\n"
                   "8:3: data.linger: a duration such as 3s from 0ns to 1s is wanted, not 5\n");
}

GP_TEST(config, text_that_is_no_yaml_has_a_place_too)
{
    struct config config;
    struct buf mistakes = {0};

    GP_CHECK_EQ(load_text("log:\n  level: [\n", &config, &mistakes), GP_EINVAL);
    GP_CHECK(strstr(buf_c(&mistakes), ":3:1: ") != NULL);
    GP_CHECK_EQ(load_text("- a\n- b\n", &config, &mistakes), GP_EINVAL);
    GP_CHECK(strstr(buf_c(&mistakes), ":1:1: an object is wanted") != NULL);
    buf_deinit(&mistakes);
}

GP_TEST(config, listening_beyond_this_machine_must_be_meant)
{
    static const char mistake[] = "10.0.0.1 is not a loopback address, and the cluster has no "
                                  "encryption yet (say insecure: true if the network can be "
                                  "trusted)\n";
    struct config config;
    struct buf mistakes = {0};
    char wanted[256];

    (void)snprintf(wanted, sizeof wanted, "1:1: bind: %s", mistake);
    check_mistakes("bind: 10.0.0.1\n", wanted);
    (void)snprintf(wanted, sizeof wanted, "1:1: advertise: %s", mistake);
    check_mistakes("advertise: 10.0.0.1\n", wanted);
    check_mistakes("insecure: true\nbind: 0.0.0.0\n",
                   "2:1: bind: others cannot reach a daemon by this address (say in advertise "
                   "which one they should use)\n");
    GP_REQUIRE_EQ(load_text("insecure: true\nbind: 10.0.0.1\n", &config, &mistakes), 0);
    config_deinit(&config);
    GP_REQUIRE_EQ(load_text("bind: 127.0.0.3\n", &config, &mistakes), 0);
    config_deinit(&config);
    buf_deinit(&mistakes);
}

GP_TEST(config, masters_are_addresses)
{
    check_mistakes("cluster:\n  masters: [\"a:1\", nowhere, \"b:0\", \"::1:3000\"]\n",
                   "2:20: cluster.masters[1]: \"nowhere\" is not host:port\n"
                   "2:29: cluster.masters[2]: \"b:0\" is not host:port\n"
                   "2:36: cluster.masters[3]: \"::1:3000\" is not host:port\n");
}

GP_TEST(config, flags_go_before_the_environment_and_it_before_the_file)
{
    static const char *const environment[] = {"HOME=/x",
                                              "GEARPUMP_LOG__LEVEL=warn",
                                              "GEARPUMP_WORKER__SLOTS=7",
                                              "GEARPUMP_DATA_DIR=/env",
                                              "GEARPUMP_PARENT_PID=1",
                                              "GEARPUMP_CLUSTER__MASTERS=a:1, b:2",
                                              NULL};
    static const struct config_override flags[] = {{"worker.slots", "8", "--slots"}};
    struct given g;
    struct config config;
    struct buf mistakes = {0};

    give(&g, "log: {level: debug, format: json}\nworker: {slots: 6}\n");
    GP_REQUIRE_EQ(load(&(struct config_sources){g.path, environment, flags, 1}, &config, &mistakes),
                  0);
    GP_CHECK_EQ(config.log.level, LOG_LEVEL_WARN);
    GP_CHECK_EQ(config.log.format, LOG_FORMAT_JSON);
    GP_CHECK_EQ(config.worker.slots, 8);
    GP_CHECK_STR_EQ(config.data_dir, "/env");
    GP_REQUIRE_EQ(config.cluster.masters_count, 2);
    GP_CHECK_STR_EQ(config.cluster.masters[1], "b:2");
    config_deinit(&config);
    buf_deinit(&mistakes);
    (void)unlink(g.path);
}

GP_TEST(config, mistakes_outside_the_file_name_their_origin)
{
    static const char *const environment[] = {"GEARPUMP_LOG__LEVLE=warn", "GEARPUMP_INSECURE=mabye",
                                              NULL};
    static const struct config_override flags[] = {{"worker.slots", "many", "--slots"}};
    struct config config;
    struct buf mistakes = {0};

    GP_CHECK_EQ(load(&(struct config_sources){"", environment, flags, 1}, &config, &mistakes),
                GP_EINVAL);
    GP_CHECK_STR_EQ(
        buf_c(&mistakes),
        "GEARPUMP_LOG__LEVLE: log: unknown name \"levle\" (did you mean level?)\n"
        "GEARPUMP_INSECURE: insecure: true or false is wanted, not \"mabye\"\n"
        "--slots: worker.slots: a whole number from 1 to 100000 is wanted, not \"many\"\n");
    buf_deinit(&mistakes);
}

GP_TEST(config, the_environment_may_name_the_file)
{
    struct given g;
    struct config config;
    struct buf mistakes = {0};
    char entry[64];
    const char *environment[] = {entry, NULL};

    give(&g, "worker: {slots: 6}\n");
    (void)snprintf(entry, sizeof entry, CONFIG_PATH_ENV "=%s", g.path);
    GP_REQUIRE_EQ(load(&(struct config_sources){.environment = environment}, &config, &mistakes),
                  0);
    GP_CHECK_EQ(config.worker.slots, 6);
    config_deinit(&config);
    (void)unlink(g.path);
    GP_CHECK_EQ(load(&(struct config_sources){.environment = environment}, &config, &mistakes),
                GP_ENOENT);
    buf_deinit(&mistakes);
}

GP_TEST(config, addresses_are_split_at_the_port)
{
    gp_str host;
    uint32_t port;

    GP_CHECK_EQ(config_split_address(GP_STR("h:1"), &host, &port), 0);
    GP_CHECK_EQ(port, 1);
    GP_CHECK_EQ(config_split_address(GP_STR("[::1]:65535"), &host, &port), 0);
    GP_CHECK_EQ(host.len, 3);
    GP_CHECK_EQ(config_split_address(GP_STR("h"), &host, &port), GP_EINVAL);
    GP_CHECK_EQ(config_split_address(GP_STR(":1"), &host, &port), GP_EINVAL);
    GP_CHECK_EQ(config_split_address(GP_STR("h:65536"), &host, &port), GP_EINVAL);
    GP_CHECK_EQ(config_split_address(GP_STR("h:0"), &host, &port), GP_EINVAL);
}
