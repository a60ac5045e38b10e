/*
 * gpctl.c: the client program: what commands there are, and main().
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app/completion.h"
#include "app/ctl_watch.h"
#include "app/man.h"
#include "edge/signals.h"

#define OUTPUT_OPTION                                                                              \
    {                                                                                              \
        "output", 'o', "table|json", "for people or for programs (table)", OPTION_VALUE            \
    }

static const struct option_spec common_options[] = {
    {"master", 'm', "HOST:PORT[,..]", "the masters (cluster.masters, 127.0.0.1:3000)",
     OPTION_VALUE},
    OUTPUT_OPTION,
    {"config", 'c', "FILE", "settings ($GEARPUMP_CONFIG, " CONFIG_SYSTEM_PATH ")", OPTION_VALUE},
    {"verbose", 'v', NULL, "also say on stderr what connections do", OPTION_FLAG},
    {"quiet", 'q', NULL, "no remarks and no progress; lists show ids alone", OPTION_FLAG},
    {"color", 0, "auto|always|never", "(auto: on terminals, unless NO_COLOR is set)", OPTION_VALUE},
    {0},
};

#define JOB_OPTIONS                                                                                \
    {"name", 0, "NAME", "its name, unique among those that run (as the plugin is called)",         \
     OPTION_VALUE},                                                                                \
        {"set", 0, "KEY=VALUE", "a parameter of the job; PROCESSOR.KEY=VALUE for one processor",   \
         OPTION_LIST},                                                                             \
    {                                                                                              \
        "parallelism", 0, "PROCESSOR=N", "tasks of a processor, instead of what the graph says",   \
            OPTION_LIST                                                                            \
    }

#define REQUEST_ID_OPTION                                                                          \
    {                                                                                              \
        "request-id", 0, "TEXT", "the same again makes no second application, but answers its id", \
            OPTION_VALUE                                                                           \
    }

#define DETACH_OPTION                                                                              \
    {                                                                                              \
        "detach", 'd', NULL, "do not even wait until it runs; its mistakes show in gpctl list -a", \
            OPTION_FLAG                                                                            \
    }

static const struct option_spec restart_options[] = {
    DETACH_OPTION,
    REQUEST_ID_OPTION,
    {0},
};

static const struct option_spec submit_options[] = {
    JOB_OPTIONS,
    {"executors", 0, "N", "processes that host its tasks (one per worker with room)", OPTION_VALUE},
    {"priority", 0, "low|normal|high", "which goes first when slots are short (normal)",
     OPTION_VALUE},
    {"place", 0, "PROCESSOR=WHERE",
     "its tasks on worker:NAME alone, or on those with label:KEY=VALUE", OPTION_LIST},
    {"no-wait-for-slots", 0, NULL, "fail if there are too few, instead of waiting for them",
     OPTION_FLAG},
    {"wait", 'w', NULL, "follow it to the end; exit code 8 if it fails", OPTION_FLAG},
    DETACH_OPTION,
    REQUEST_ID_OPTION,
    {"timeout", 0, "TIME", "with --wait: give up after this time, as 90s or 5m (never)",
     OPTION_VALUE},
    {0},
};

static const struct option_spec run_options[] = {
    JOB_OPTIONS,
    {"executors", 0, "N", "groups of lanes that do not share memory (1)", OPTION_VALUE},
    {"lanes", 0, "N", "threads of each (as many as there are cores)", OPTION_VALUE},
    {0},
};

static const struct option_spec simulate_options[] = {
    {"seed", 0, "N", "what happens is drawn from it; the same seed does the same (1)",
     OPTION_VALUE},
    {"faults", 0, "kill|pause|partition|disk|slow|clock|all|none[,..]",
     "what may happen (kill,partition,disk,slow)", OPTION_VALUE},
    {"fault-count", 0, "N", "how many (one for each two seconds)", OPTION_VALUE},
    {"duration", 0, "TIME", "simulated time of the job, as 30s; then all is healed (10s)",
     OPTION_VALUE},
    {"workers", 0, "N", "workers of the cluster, each on a host of its own (3)", OPTION_VALUE},
    {"masters", 0, "N", "masters of the cluster (3)", OPTION_VALUE},
    {"lanes", 0, "N", "threads of each executor (2)", OPTION_VALUE},
    {"executors", 0, "N", "processes that host its tasks (one per worker)", OPTION_VALUE},
    JOB_OPTIONS,
    {0},
};

#define DIR_OPTION                                                                                 \
    {                                                                                              \
        "dir", 0, "DIR", "look for plugins here, too, and first", OPTION_LIST                      \
    }

static const struct option_spec validate_options[] = {
    JOB_OPTIONS,
    DIR_OPTION,
    {"timeout", 0, "TIME", "what takes longer does not return (10s)", OPTION_VALUE},
    {0},
};

static const struct option_spec plugins_options[] = {
    DIR_OPTION,
    {0},
};

static const struct option_spec list_options[] = {
    {"all", 'a', NULL, "those that ended, too", OPTION_FLAG},
    CTL_WATCH_OPTION,
    {0},
};

static const struct option_spec watch_options[] = {
    CTL_WATCH_OPTION,
    {0},
};

static const struct option_spec events_options[] = {
    {"follow", 'f', NULL, "go on as more happens", OPTION_FLAG},
    {0},
};

static const struct option_spec logs_options[] = {
    {"follow", 'f', NULL, "go on as more is written, until the job ends", OPTION_FLAG},
    {"executor", 0, "EXECUTOR", "of this executor alone; 0 is the appmaster (all)", OPTION_VALUE},
    {"level", 0, "debug|info|warn|error", "as bad as this and worse (debug)", OPTION_VALUE},
    {"since", 0, "TIME", "written since then, as 2026-01-31T09:30:00Z, or how long ago, as 5m",
     OPTION_VALUE},
    {"tail", 0, "N", "begin with the last N lines of each executor (all)", OPTION_VALUE},
    {0},
};

static const struct option_spec metrics_options[] = {
    CTL_WATCH_OPTION,
    {"window", 0, "latest|5m|24h", "the past: 5m by seconds, 24h by minutes (latest)",
     OPTION_VALUE},
    {0},
};

static const struct option_spec top_options[] = {
    {"interval", 0, "TIME", "between two looks, a second or more (1s)", OPTION_VALUE},
    {"count", 0, "N", "print this many tables instead of filling the screen", OPTION_VALUE},
    {0},
};

#define WAIT_OPTIONS                                                                               \
    {"wait", 'w', NULL, "until nothing is under way any more", OPTION_FLAG},                       \
    {                                                                                              \
        "timeout", 0, "TIME", "with --wait: give up after this time, as 90s or 5m (never)",        \
            OPTION_VALUE                                                                           \
    }

static const struct option_spec drain_options[] = {
    {"undo", 0, NULL, "it takes tasks again", OPTION_FLAG},
    {"force", 0, NULL, "move tasks that keep state and have no snapshot, too: they lose it",
     OPTION_FLAG},
    WAIT_OPTIONS,
    {0},
};

static const struct option_spec rebalance_options[] = {
    {"force", 0, NULL, "move tasks that keep state and have no snapshot, too: they lose it",
     OPTION_FLAG},
    WAIT_OPTIONS,
    {0},
};

static const struct option_spec config_options[] = {
    {"from", 0, "master|HOST:PORT",
     "those of a daemon that runs: of the master that answers, or there", OPTION_VALUE},
    {0},
};

static const struct option_spec new_options[] = {
    {"lang", 0, "c|c++|rust|go", "its language (c)", OPTION_VALUE},
    {"dir", 0, "DIR", "the folder to make; it may be there, if it is empty (NAME)", OPTION_VALUE},
    {0},
};

static int show_help(const struct command_spec *spec, const struct options *options, void *context);

static const struct command_spec commands[] = {
    {.name = "new",
     .operands = "NAME",
     .summary = "write a small project: a job, its build file, its test",
     .details =
         "It builds, passes its test and can be submitted as it is; README.md in it says how. "
         "Needed are the\nheaders, as installed with Gearpump, and a compiler of the language.",
     .examples = "  $ gpctl new sensors\n"
                 "  $ gpctl new sensors --lang rust --dir src/sensors\n",
     .options = new_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_new},
    {.name = "submit",
     .operands = "APP.so",
     .summary = "start an application on the cluster",
     .details = "Uploads the shared object, unless the cluster has it already, and starts it. "
                "Prints the id of the\napplication, and ends when its tasks run, with exit code 8 "
                "if its graph or a parameter is wrong.\nPaths among its parameters are those of "
                "the hosts it runs on: write them in full.\nWhile slots are too few for all of its "
                "tasks it waits: by priority, then by age; gpctl list says why.",
     .examples = "  $ gpctl submit build/examples/wordcount.so\n"
                 "  $ gpctl submit wordcount.so --set input=/usr/share/common-licenses --set "
                 "output=/tmp/counts --wait\n"
                 "  $ gpctl submit wordcount.so --name words --parallelism count=8 --executors 2\n"
                 "  $ gpctl submit wordcount.so --priority high --place read=label:disk=ssd\n"
                 "  $ gpctl submit wordcount.so --request-id nightly-2026-01-31\n",
     .options = submit_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_submit},
    {.name = "run",
     .operands = "APP.so",
     .summary = "run an application in this process, with no cluster",
     .details = "Every role is inside this one process, so a debugger sees all of it. What tasks "
                "log goes to\nstderr. Exit code 8 if the job fails.",
     .examples = "  $ gpctl run build/examples/wordcount.so --set input=/etc/services --set "
                 "output=counts\n"
                 "  $ gpctl run sol.so --set seconds=5 --lanes 1\n"
                 "  $ gdb --args gpctl run app.so\n",
     .options = run_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_run},
    {.name = "simulate",
     .operands = "APP.so",
     .summary = "run an application on a simulated cluster with faults",
     .details = "Masters, workers and executors are the real ones; hosts, disks, network and "
                "clocks are simulated, and\ngo wrong as --seed has it: processes are killed, links "
                "cut, disks full, torn or slow. Printed are a\ntimeline in simulated time and what "
                "became of the job once all was healed. The same seed, file and\nflags do the same "
                "again; the trace at the end proves it.\n\n"
                "The application is real code in a process of its own: its crash, or a call that "
                "does not return, is a\nfinding (exit code 8, as for a job that fails or stalls). "
                "What it reads and writes through libc is\nreal as well, and so is the time it "
                "asks libc for; threads of its own are not simulated.",
     .examples = "  $ gpctl simulate app.so --seed 7\n"
                 "  $ gpctl simulate build/examples/sol.so --set seconds=5 --faults kill,pause "
                 "--duration 20s\n"
                 "  $ for seed in $(seq 100); do gpctl simulate app.so --seed $seed >/dev/null || "
                 "echo $seed; done\n",
     .options = simulate_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_simulate},
    {.name = "list",
     .operands = "",
     .summary = "applications that run",
     .examples = "  $ gpctl list\n  $ gpctl list -a -o json\n  $ gpctl list --watch=5s\n"
                 "  $ gpctl list -q | xargs -n 1 gpctl kill\n",
     .options = list_options,
     .run = ctl_list},
    {.name = "describe",
     .operands = "ID|NAME",
     .summary = "all about one application",
     .details = "Its graph, where its tasks run, what flows along its edges and how fast, and the "
                "last error. --watch\nends when the application has.",
     .examples = "  $ gpctl describe wordcount\n  $ gpctl describe 7 -o json\n"
                 "  $ gpctl describe wordcount --watch\n",
     .options = watch_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_describe},
    {.name = "metrics",
     .operands = "APP",
     .summary = "rates, shares of time, latencies of each processor",
     .details = "APP is an id or a name. How it was in the last interval; IN and OUT count from "
                "the start. P50 and\nP99 are of the time from the source to there, sampled when "
                "metrics.enabled is set. --watch ends when\nthe application has.",
     .examples = "  $ gpctl metrics wordcount\n"
                 "  $ gpctl metrics wordcount --watch\n"
                 "  $ gpctl metrics 7 -o json --window 5m\n",
     .options = metrics_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_metrics},
    {.name = "top",
     .operands = "[APP]",
     .summary = "watch applications, their processors, their slowest tasks",
     .details = "On a terminal it fills the screen: arrows select, enter opens, escape goes back, "
                "< and > choose what\nis sorted by, ? explains the rest. Where stdout is no "
                "terminal, or with --count or -o json, it prints one\ntable or object an interval: "
                "of the applications, or of the processors of APP, until it is interrupted\nor APP "
                "ends. P50 and P99 are sampled when metrics.enabled is set. NO_COLOR is obeyed.",
     .examples = "  $ gpctl top\n"
                 "  $ gpctl top wordcount\n"
                 "  $ gpctl top wordcount --count 10 --interval 5s | tee rates\n"
                 "  $ gpctl top -o json --count 1\n",
     .options = top_options,
     .operands_max = 1,
     .run = ctl_top},
    {.name = "kill",
     .operands = "ID|NAME",
     .summary = "end an application",
     .examples = "  $ gpctl kill wordcount\n",
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_kill},
    {.name = "restart",
     .operands = "ID|NAME",
     .summary = "start an application once more, under a new id",
     .details = "The same shared object, parameters and parallelism. If it still runs, it is "
                "killed first. Prints the\nnew id, and ends when its tasks run, as submit does.",
     .examples = "  $ gpctl restart wordcount\n",
     .options = restart_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_restart},
    {.name = "events",
     .operands = "",
     .summary = "what happened in the cluster lately",
     .details = "The leader keeps the latest 1,000; a new leader begins anew.",
     .examples = "  $ gpctl events\n  $ gpctl events -f -o json\n",
     .options = events_options,
     .run = ctl_events},
    {.name = "logs",
     .operands = "ID|NAME",
     .summary = "what an application wrote",
     .details = "Of all its executors, each line with whose it is. With -f those that take the "
                "place of others are\nread, too, until the application ends. What user code prints "
                "has no level and no time of its own: it\nis as info, and as old as the line "
                "before. --tail looks at the last MiB of each log.",
     .examples = "  $ gpctl logs wordcount\n"
                 "  $ gpctl logs -f 7 --executor 2\n"
                 "  $ gpctl logs wordcount --level warn --since 5m\n"
                 "  $ gpctl logs -f wordcount --tail 10\n",
     .options = logs_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_logs},
    {.name = "masters",
     .operands = "[add|remove HOST:PORT]",
     .summary = "the masters of the cluster: which leads, how they are",
     .details = "Each is asked by itself. LAG is how many entries of the log it is behind the "
                "leader. A master that is\nto be added must be running; one at a time, and none "
                "whose loss would leave no majority, can be\nremoved.",
     .examples = "  $ gpctl masters\n  $ gpctl masters -o json\n"
                 "  $ gpctl masters remove 10.0.0.3:3000\n"
                 "  $ gpctl masters add 10.0.0.4:3000\n",
     .options = watch_options,
     .operands_max = 2,
     .run = ctl_masters},
    {.name = "workers",
     .operands = "",
     .summary = "the workers and their slots",
     .examples = "  $ gpctl workers\n  $ gpctl workers -o json\n  $ gpctl workers --watch\n",
     .options = watch_options,
     .run = ctl_workers},
    {.name = "drain",
     .operands = "WORKER",
     .summary = "move all tasks off a worker, so that it may stop",
     .details = "WORKER is an id, a name or host:port, as `gpctl workers` shows them. Its tasks "
                "move to other workers\nwhile rows flow: nothing is lost, nothing restarts. It "
                "gets no new ones until --undo, also when it\nis started again under its name. "
                "What cannot go is said, with the reason, and goes as soon as it can:\nwhen a "
                "worker joins, for want of room. Once it is drained, the worker may stop.\n\n"
                "With --wait: exit code 0 once it is drained, 4 when what is left cannot go, 5 "
                "when it is lost on the\nway, 7 after --timeout, which also waits for what cannot "
                "go now. Draining goes on in any case.",
     .examples = "  $ gpctl drain 3 --wait\n"
                 "  $ gpctl drain 3 --wait --timeout 5m && ssh host3 systemctl stop gpd-worker\n"
                 "  $ gpctl drain worker-b -o json\n"
                 "  $ gpctl drain 3 --undo\n",
     .options = drain_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_drain},
    {.name = "rebalance",
     .operands = "ID|NAME",
     .summary = "spread the tasks of an application evenly over the workers",
     .details = "After workers were added, say. Tasks move while rows flow: nothing is lost, "
                "nothing restarts. Those of\na processor that keeps state and has no snapshot stay "
                "where they are, unless --force. With\n`balance.rebalance: auto` in the masters' "
                "configuration this happens whenever a worker joins.",
     .examples = "  $ gpctl rebalance wordcount\n"
                 "  $ gpctl rebalance 7 --wait --timeout 1m\n"
                 "  $ gpctl rebalance wordcount -o json\n",
     .options = rebalance_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_rebalance},
    {.name = "inspect",
     .operands = "APP.so",
     .summary = "what a plugin file says of itself, without running it",
     .examples = "  $ gpctl inspect build/examples/wordcount.so\n",
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_inspect},
    {.name = "validate",
     .operands = "APP.so",
     .summary = "all that is wrong with an application or a plugin",
     .details = "Loads it in a throw-away process, builds its graph with the parameters given, and "
                "checks every rule of\nthe ABI, as a cluster would. Each finding has a place and "
                "what to try; a crash, an exit or a loop for\never is one, too. Exit code 0: "
                "nothing was found; 1: something was.",
     .examples = "  $ gpctl validate build/examples/wordcount.so\n"
                 "  $ gpctl validate app.so --set input=/etc/services --parallelism count=8\n"
                 "  $ gpctl validate app.so -o json | jq .findings\n",
     .options = validate_options,
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_validate},
    {.name = "plugins",
     .operands = "[PLUGIN|FILE]",
     .summary = "the plugins that are installed, and what they can be told",
     .details = "Those that came with this installation and those of plugins.path. With a PLUGIN, "
                "or a FILE with a slash:\nits processors with their parameters. A cluster looks in "
                "the folders of its masters.",
     .examples = "  $ gpctl plugins\n"
                 "  $ gpctl plugins file\n"
                 "  $ gpctl plugins ./myplugin.so\n"
                 "  $ gpctl plugins -o json\n",
     .options = plugins_options,
     .operands_max = 1,
     .run = ctl_plugins},
    {.name = "config",
     .operands = "[KEY]",
     .summary = "the settings that hold here, and who said so",
     .details = "Where each comes from: default, file:line, the name of a variable, or a flag; "
                "later ones win. With a\nKEY such as log.level: all about it, with a section such "
                "as log: those of that section. A\ndaemon has flags and an environment of its own: "
                "--from asks one, a master or a worker. -q shows the\nvalue of KEY alone.",
     .examples = "  $ gpctl config\n"
                 "  $ gpctl config data.linger\n"
                 "  $ gpctl -c /etc/gearpump/gearpump.yaml config cluster\n"
                 "  $ gpctl config -q cluster.masters\n"
                 "  $ gpctl config recovery --from master\n",
     .options = config_options,
     .operands_max = 1,
     .run = ctl_config},
    {.name = "explain",
     .operands = "[CODE]",
     .summary = "what an error or exit code means, its usual causes, what to do",
     .details = "CODE is the word that errors show in brackets, a name such as GP_ENOENT as -o "
                "json shows it, or an\nexit code. Without one: all of them. Needs no cluster.",
     .examples = "  $ gpctl explain not_found\n  $ gpctl explain 5\n  $ gpctl explain\n",
     .operands_max = 1,
     .run = ctl_explain},
    {.name = "completion",
     .operands = "bash|zsh|fish",
     .summary = "the script that lets a shell complete gpctl and gpd",
     .details = "Commands, flags and their values, files, what the cluster has (applications, "
                "executors, workers, labels,\nmasters), and what a job can be told by --set: for "
                "that its file is loaded and its graph built, in a\nthrow-away process, as "
                "validate does. A package has installed it already. Otherwise bash and zsh take "
                "it\nfrom a line in ~/.bashrc or ~/.zshrc, fish from a file.",
     .examples = "  $ source <(gpctl completion bash)\n"
                 "  $ source <(gpctl completion zsh)        # after compinit\n"
                 "  $ gpctl completion fish > ~/.config/fish/completions/gpctl.fish\n",
     .operands_min = 1,
     .operands_max = 1,
     .run = ctl_completion},
    {.name = "version",
     .operands = "",
     .summary = "the version of this program",
     .examples = "  $ gpctl version\n",
     .run = ctl_version},
    {.name = "help",
     .operands = "[COMMAND]",
     .summary = "this, or all about a command",
     .examples = "  $ gpctl help submit\n",
     .operands_max = 1,
     .run = show_help},
    {0},
};

static const struct program_spec program = {
    .name = "gpctl",
    .summary = "runs stream jobs on a Gearpump cluster and shows how they are",
    .commands = commands,
    .common = common_options,
};

static int usage_error(const struct options *options, const struct gp_error *err)
{
    const char *output = options_text(options, "output");
    const bool is_json = output && strcmp(output, "json") == 0;

    return fail_print(stderr,
                      is_json                                     ? FAIL_JSON
                      : ctl_wants_colours(options, STDERR_FILENO) ? FAIL_COLOURED
                                                                  : FAIL_PLAIN,
                      "wrong usage of gpctl", err, "gpctl help");
}

static int show_help(const struct command_spec *spec, const struct options *options, void *context)
{
    const struct command_spec *about = NULL;
    struct gp_error err = {0};

    (void)spec;
    (void)context;
    if (options->operand_count > 0) {
        about = program_find(&program, options->operands[0], &err);
        if (!about) {
            return usage_error(options, &err);
        }
        command_help(&program, about, stdout);
    } else {
        program_help(&program, stdout);
        (void)printf("\n%s", exit_status_help());
    }
    return EXIT_STATUS_OK;
}

static int check_common(const struct options *options, struct gp_error *err)
{
    const char *output = options_text(options, "output");
    const char *color = options_text(options, "color");

    if (color && strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 &&
        strcmp(color, "never") != 0) {
        return gp_error_set(err, GP_EINVAL, "--color %s: auto, always or never is needed", color);
    }
    if (output && strcmp(output, "json") != 0 && strcmp(output, "table") != 0) {
        return gp_error_set(err, GP_EINVAL, "--output %s: table or json is needed", output);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char version_command[] = "version";
    const struct command_spec *command;
    struct options options;
    struct gp_error err = {0};
    struct ctl ctl;
    int status;
    int rc;

    edge_process_begin();
    if (argc > 2 && strcmp(argv[1], COMPLETION_WORD) == 0) {
        completion_answer(&program, argc - 2, argv + 2, ctl_completion_lookup, stdout);
        return EXIT_STATUS_OK;
    }
    if (argc > 1 && strcmp(argv[1], MAN_WORD) == 0) {
        return man_main(&program, argc - 2, argv + 2, stdout);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        argv[1] = version_command; /* as everywhere */
    }
    rc = program_parse(&program, argc, argv, &command, &options, &err);
    if (rc == 0) {
        rc = check_common(&options, &err);
    }
    if (rc < 0) {
        return usage_error(&options, &err);
    }
    if (options.help && command) {
        command_help(&program, command, stdout);
        return EXIT_STATUS_OK;
    }
    if (options.help) {
        return show_help(NULL, &options, NULL);
    }
    if (!command) {
        (void)gp_error_set(&err, GP_EINVAL, "no command was given, such as submit or list");
        return usage_error(&options, &err);
    }
    ctl_open(&ctl, &options);
    status = options_has(&options, "watch") ? ctl_watch(command, &options, &ctl)
                                            : command->run(command, &options, &ctl);
    ctl_close(&ctl);
    if (fflush(stdout) != 0) {
        if (errno == EPIPE) { /* as of `| head`, which has seen enough */
            return 128 + SIGPIPE;
        }
        (void)gp_error_set(&err, GP_EIO, "stdout: %m");
        return fail_print(stderr, FAIL_PLAIN, "cannot print the answer", &err, NULL);
    }
    return status;
}
