/*
 * gpd.c: the daemon program: which roles there are, and main().
 */
#include "app/gpd.h"

#include <string.h>

#include "app/completion.h"
#include "app/man.h"
#include "app/version.h"
#include "base/str.h"

#define DAEMON_OPTIONS                                                                             \
    {"host", 0, "HOST", "address to listen on (bind, 127.0.0.1)", OPTION_VALUE},                   \
        {"data", 0, "DIR", "folder for plugins and logs (data_dir, ~/.local/state/gearpump)",      \
         OPTION_VALUE},                                                                            \
        {"config", 'c', "FILE", "settings ($GEARPUMP_CONFIG, " CONFIG_SYSTEM_PATH ")",             \
         OPTION_VALUE},                                                                            \
        {"set", 0, "SETTING=VALUE", "one setting, as `gpd help config` names it", OPTION_LIST},    \
        {"ready-file", 0, "FILE", "written once it is ready: addresses and pid as JSON",           \
         OPTION_VALUE},                                                                            \
        {"log-level", 0, "debug|info|warn|error|off", "how much is logged (log.level, info)",      \
         OPTION_VALUE},                                                                            \
    {                                                                                              \
        "log-format", 0, "text|json", "how it looks (log.format, text)", OPTION_VALUE              \
    }

#define WORKER_OPTIONS                                                                             \
    {"slots", 0, "N", "tasks that a worker hosts (worker.slots, 100)", OPTION_VALUE},              \
    {                                                                                              \
        "lanes", 0, "N", "threads of each executor (worker.lanes, by the cores)", OPTION_VALUE     \
    }

static const struct option_spec local_options[] = {
    {"port", 0, "N", "of the master; 0: any that is free (3000)", OPTION_VALUE},
    {"workers", 0, "N", "how many (4)", OPTION_VALUE},
    WORKER_OPTIONS,
    DAEMON_OPTIONS,
    {0},
};

static const struct option_spec master_options[] = {
    {"port", 0, "N", "to listen on; 0: any that is free (as cluster.masters says, 3000)",
     OPTION_VALUE},
    DAEMON_OPTIONS,
    {0},
};

static const struct option_spec worker_options[] = {
    {"masters", 0, "HOST:PORT[,..]", "the masters to look for (cluster.masters, 127.0.0.1:3000)",
     OPTION_VALUE},
    {"name", 0, "NAME", "what people call it (worker.name, its address)", OPTION_VALUE},
    WORKER_OPTIONS,
    DAEMON_OPTIONS,
    {0},
};

static int show_help(const struct command_spec *spec, const struct options *options, void *context);
static int show_version(const struct command_spec *spec, const struct options *options,
                        void *context);
static int check_config(const struct command_spec *spec, const struct options *options,
                        void *context);

static const struct command_spec commands[] = {
    {.name = "local",
     .operands = "",
     .summary = "a whole cluster on this machine: a master and its workers in one process",
     .details = "When it is ready it prints one line: gpd ready master=HOST:PORT workers=N "
                "http=URL. The page is at URL.\nLogs go to stderr. TERM and INT end it and all "
                "jobs on it; a second INT at once.",
     .examples = "  $ gpd local\n"
                 "  $ gpd local --port 0 --workers 2 --data /tmp/cluster --ready-file /tmp/ready\n"
                 "  $ gpd local --set cluster.failure_timeout=10s --log-level warn\n",
     .options = local_options,
     .run = gpd_local},
    {.name = "master",
     .operands = "",
     .summary = "the registry and scheduler of a cluster",
     .details =
         "Of 3 or 5 that cluster.masters lists on each host, one leads; what they were told is "
         "kept while\nmost of them live. Each finds itself in the list by its host and port.",
     .examples = "  $ gpd master --config /etc/gearpump/gearpump.yaml\n"
                 "  $ gpd master --host 127.0.0.2 --port 3000\n",
     .options = master_options,
     .run = gpd_master},
    {.name = "worker",
     .operands = "",
     .summary = "offers slots of this host to a cluster",
     .details = "It looks for its master for ever and may be started before it.",
     .examples = "  $ gpd worker --config /etc/gearpump/gearpump.yaml\n"
                 "  $ gpd worker --masters 127.0.0.2:3000 --host 127.0.0.3 --slots 20\n",
     .options = worker_options,
     .run = gpd_worker},
    {.name = "appmaster",
     .operands = "JSON",
     .summary = "started by workers",
     .operands_min = 1,
     .operands_max = 1,
     .hidden = true,
     .run = gpd_child},
    {.name = "executor",
     .operands = "JSON",
     .summary = "started by workers",
     .operands_min = 1,
     .operands_max = 1,
     .hidden = true,
     .run = gpd_child},
    {.name = "check-config",
     .operands = "FILE",
     .summary = "looks for mistakes in a configuration file, and lists them all",
     .examples = "  $ gpd check-config conf/gearpump.yaml\n",
     .operands_min = 1,
     .operands_max = 1,
     .run = check_config},
    {.name = "version",
     .operands = "",
     .summary = "the version of this program",
     .examples = "  $ gpd version\n",
     .run = show_version},
    {.name = "help",
     .operands = "[ROLE|config]",
     .summary = "this, all about a role, or every key of the configuration",
     .examples = "  $ gpd help local\n  $ gpd help config > gearpump.yaml\n",
     .operands_max = 1,
     .run = show_help},
    {0},
};

static const struct program_spec program = {
    .name = "gpd",
    .summary = "the daemon of Gearpump, in one of its roles",
    .commands = commands,
};

static int usage_error(const struct gp_error *err)
{
    return fail_print(stderr, FAIL_PLAIN, "wrong usage of gpd", err, "gpd help");
}

static int show_help(const struct command_spec *spec, const struct options *options, void *context)
{
    const struct command_spec *about = NULL;
    struct gp_error err = {0};

    (void)spec;
    (void)context;
    if (options->operand_count == 0) {
        program_help(&program, stdout);
        (void)printf("\n%s", exit_status_help());
    } else if (strcmp(options->operands[0], "config") == 0) {
        config_print_reference(stdout);
    } else {
        about = program_find(&program, options->operands[0], &err);
        if (!about) {
            return usage_error(&err);
        }
        command_help(&program, about, stdout);
    }
    return EXIT_STATUS_OK;
}

static int show_version(const struct command_spec *spec, const struct options *options,
                        void *context)
{
    (void)spec;
    (void)options;
    (void)context;
    (void)printf("gpd %s (plugin ABI %s)\n", VERSION_TEXT, VERSION_ABI_TEXT);
    return EXIT_STATUS_OK;
}

/* The file alone: the environment of whoever checks is not that of the daemon. */
static int check_config(const struct command_spec *spec, const struct options *options,
                        void *context)
{
    const struct config_sources from = {.path = options->operands[0]};
    struct config config;
    struct buf mistakes = {0};
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;
    int rc = config_load(&from, &config, &mistakes, &err);

    (void)spec;
    (void)context;
    if (rc == 0) {
        (void)fprintf(stderr, "%.*s", STR_ARG(buf_str(&mistakes))); /* warnings */
        (void)printf("%s: OK\n", from.path);
        config_deinit(&config);
    } else if (rc == GP_EINVAL) {
        char what[sizeof err.text];

        (void)str_format(what, sizeof what, "%s", err.text);
        (void)gp_error_set(&err, rc, "%s", buf_c(&mistakes));
        gp_error_hint(&err, "gpd help config");
        status = gpd_fail(&err, "%s", what);
    } else {
        status = gpd_fail(&err, "cannot check %s", from.path);
    }
    buf_deinit(&mistakes);
    return status;
}

int main(int argc, char **argv)
{
    char version_command[] = "version";
    const struct command_spec *command;
    struct options options;
    struct gp_error err = {0};

    edge_process_begin();
    if (argc > 2 && strcmp(argv[1], COMPLETION_WORD) == 0) {
        completion_answer(&program, argc - 2, argv + 2, NULL, stdout);
        return EXIT_STATUS_OK;
    }
    if (argc > 1 && strcmp(argv[1], MAN_WORD) == 0) {
        return man_main(&program, argc - 2, argv + 2, stdout);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        argv[1] = version_command; /* as everywhere */
    }
    if (program_parse(&program, argc, argv, &command, &options, &err) < 0) {
        return usage_error(&err);
    }
    if (options.help && command) {
        command_help(&program, command, stdout);
        return EXIT_STATUS_OK;
    }
    if (options.help) {
        return show_help(NULL, &options, NULL);
    }
    if (!command) {
        (void)gp_error_set(&err, GP_EINVAL, "no role or command was given, such as local");
        return usage_error(&err);
    }
    return command->run(command, &options, NULL);
}
