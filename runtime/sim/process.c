/*
 * Simulated processes: from spawn to the exit that their parent hears of.
 *
 *     STARTING ─start()─▶ RUNNING ─ sim_exit ─▶ stop(), LEAVING ─ last bytes written ─▶ DEAD
 *         └──────────────────┴── kill ─▶ mute, stop() ─────────────────────────────────▶ DEAD
 *
 * A process never ends inside its own step: it is doomed, and reaped when the step is over. A kill
 * must give back the memory of the node, but nothing the node does while it is freed may be seen
 * by the world: `is_mute` makes writes, connects, spawns, file changes and timers answer GP_ECLOSED
 * or do nothing. Peers see its streams close as the node, or the loop after it, frees them.
 *
 * Dead processes stay, as small as they are, until sim_free(): whoever spawned one may ask.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sim/world.h"

#define PID_FIRST 1000

/* ---- the end ---- */

static void die(struct sim_proc *proc)
{
    struct proc *handle = proc->handle;

    sim_loop_close(&proc->loop);
    proc->state = SIM_PROC_DEAD;
    proc->is_mute = true;
    sim_count(proc->sim, proc->is_killed ? SIM_COUNT_proc_killed : SIM_COUNT_proc_exited);
    sim_trace_note(proc->sim, &proc->loop, SIM_KIND_proc_ended, proc->how.code, proc->how.signal);
    proc->handle = NULL;
    if (handle != NULL) {
        sim_child_ended(handle, &proc->how);
    }
}

static void end(struct sim_proc *proc)
{
    struct sim *sim = proc->sim;
    struct sim_loop *before;
    uint32_t runners_left;

    if (proc->state == SIM_PROC_DEAD) {
        return;
    }
    proc->is_mute = proc->is_killed;
    sim_cancel(sim, &proc->start);
    sim_cancel(sim, &proc->signal);
    runners_left = sim_runners_end(proc);
    sim->leak_count += proc->is_killed ? 0 : runners_left;
    if (proc->is_started) {
        proc->is_started = false;
        before = sim_loop_enter(&proc->loop);
        sim->options.stop(sim->options.ctx, proc->program);
        sim_loop_leave(&proc->loop, before);
        proc->program = NULL;
    }
    proc->state = SIM_PROC_LEAVING;
    sim_proc_check_left(proc);
}

void sim_proc_check_left(struct sim_proc *proc)
{
    if (proc->state == SIM_PROC_LEAVING && (proc->is_mute || !sim_loop_is_leaving(&proc->loop))) {
        die(proc);
    }
}

void sim_proc_doom(struct sim_proc *proc, const struct proc_exit *how, bool is_killed)
{
    if (proc->state == SIM_PROC_DEAD || proc->is_killed) {
        return;
    }
    if (is_killed || proc->state != SIM_PROC_LEAVING) {
        proc->how = *how;
        proc->is_killed = is_killed;
        if (!list_is_linked(&proc->doomed_node)) {
            list_push_back(&proc->sim->doomed, &proc->doomed_node);
        }
    }
    if (!proc->sim->is_stepping) {
        sim_procs_reap(proc->sim);
    }
}

void sim_procs_reap(struct sim *sim)
{
    struct list_node *node;

    while ((node = list_pop_front(&sim->doomed)) != NULL) {
        bool before = sim->is_stepping;

        sim->is_stepping = true; /* whom this one takes along waits in the list */
        end(LIST_ENTRY(node, struct sim_proc, doomed_node));
        sim->is_stepping = before;
    }
}

void sim_exit(const struct port *port, int32_t code)
{
    sim_proc_doom(port->world, &(struct proc_exit){.code = code}, false);
}

void sim_kill(struct sim_proc *proc)
{
    sim_proc_doom(proc, &(struct proc_exit){.code = -1, .signal = 9}, true);
}

void sim_signal(struct sim_proc *proc, int32_t signal)
{
    struct sim *sim = proc->sim;

    if (proc->state == SIM_PROC_DEAD ||
        (sim_event_armed(&proc->signal) && proc->signal_number == 9)) {
        return;
    }
    proc->signal_number = signal;
    sim_arm_in(sim, &proc->signal, sim_between(sim, 0, SIM_SIGNAL_MAX_NS));
}

static void on_signal_due(struct sim_event *event)
{
    struct sim_proc *proc = container_of(event, struct sim_proc, signal);
    struct sim *sim = proc->sim;
    int32_t number = proc->signal_number;
    struct sim_loop *before;

    if (proc->host->is_frozen || (proc->is_paused && number != 9)) {
        sim_arm_in(sim, &proc->signal, SIM_MS); /* stopped processes get what kills, no more */
        return;
    }
    sim_trace_note(sim, &proc->loop, SIM_KIND_proc_signalled, proc->pid, number);
    if (number == 9 || sim->options.on_signal == NULL || !proc->is_started) {
        sim_proc_doom(proc, &(struct proc_exit){.code = -1, .signal = number}, true);
        return;
    }
    before = sim_loop_enter(&proc->loop);
    sim->options.on_signal(sim->options.ctx, proc->program, number);
    sim_loop_leave(&proc->loop, before);
}

/* ---- the beginning ---- */

static void on_start_due(struct sim_event *event)
{
    struct sim_proc *proc = container_of(event, struct sim_proc, start);
    struct sim *sim = proc->sim;
    struct gp_error err = {0};
    struct sim_loop *before;
    int rc;

    if (sim_proc_is_still(proc)) {
        sim_arm_in(sim, &proc->start, SIM_MS);
        return;
    }
    before = sim_loop_enter(&proc->loop);
    proc->state = SIM_PROC_RUNNING;
    sim_trace_note(sim, &proc->loop, SIM_KIND_proc_started, proc->pid, 0);
    rc = sim->options.start(sim->options.ctx, &proc->port, (const char *const *)proc->args,
                            &proc->program, &err);
    if (rc < 0) {
        LOG_ERROR(&proc->log, "sim.start_failed", KV_CODE("code", rc), KV_STR("text", err.text));
        sim_proc_doom(proc, &(struct proc_exit){.code = 1}, false);
    }
    proc->is_started = rc >= 0;
    sim_loop_leave(&proc->loop, before);
}

static void texts_free(char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        free(texts[i]);
    }
    free(texts);
}

static int texts_dup(const char *const *texts, char ***ret)
{
    size_t count = 0;
    char **dup;

    while (texts[count] != NULL) {
        if (++count > PROC_ARGS_MAX) {
            return GP_ETOOBIG;
        }
    }
    dup = calloc(count + 1, sizeof(*dup));
    if (dup == NULL) {
        return GP_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        dup[i] = str_dup(gp_str_of(texts[i]));
        if (dup[i] == NULL) {
            texts_free(dup);
            return GP_ENOMEM;
        }
    }
    *ret = dup;
    return 0;
}

static void port_init(struct sim_proc *proc)
{
    proc->log = (struct log){
        .level = LOG_LEVEL_DEBUG,
        .format = LOG_FORMAT_TEXT,
        .sink = sim_trace_log_sink,
        .sink_ctx = proc,
    };
    proc->port = (struct port){
        .world = proc,
        .ops = &sim_world_ops,
        .fs = &sim_fs_ops,
        .loop = &proc->loop.base,
        .log = &proc->log,
        .env = (const char *const *)proc->env,
        .crash_note = &proc->note,
    };
}

int sim_proc_new(struct sim_host *host, const char *const *args, const char *const *env,
                 struct sim_proc **ret)
{
    struct sim *sim = host->sim;
    struct sim_proc *proc;
    int rc;

    if (sim->proc_count >= SIM_PROCS_MAX) {
        return GP_EFULL;
    }
    if (args[0] == NULL) {
        return GP_EINVAL;
    }
    proc = calloc(1, sizeof(*proc));
    if (proc == NULL) {
        return GP_ENOMEM;
    }
    rc = texts_dup(args, &proc->args);
    if (rc >= 0 && env != NULL) {
        rc = texts_dup(env, &proc->env);
    }
    if (rc < 0) {
        texts_free(proc->args);
        free(proc);
        return rc;
    }
    proc->sim = sim;
    proc->host = host;
    proc->pid = PID_FIRST + sim->proc_count++;
    (void)str_format(proc->name, sizeof(proc->name), "%s/%lld:%s", host->name, (long long)proc->pid,
                     proc->args[0]);
    proc->rng = rng_fork(&sim->rng);
    proc->start.fire = on_start_due;
    proc->signal.fire = on_signal_due;
    list_init(&proc->runners);
    list_node_init(&proc->doomed_node);
    list_node_init(&proc->node);
    list_push_back(&sim->procs, &proc->node);
    sim_loop_init(&proc->loop, proc, NULL);
    port_init(proc);
    if (sim->options.start != NULL) {
        sim_arm_in(sim, &proc->start,
                   sim_between(sim, SIM_PROC_START_MIN_NS, SIM_PROC_START_MAX_NS));
    } else {
        proc->state = SIM_PROC_RUNNING;
    }
    *ret = proc;
    return 0;
}

void sim_proc_free(struct sim_proc *proc)
{
    ASSERT(proc->state == SIM_PROC_DEAD);
    list_remove(&proc->node);
    texts_free(proc->args);
    texts_free(proc->env);
    free(proc);
}

int sim_spawn(struct sim_host *host, const char *const *args, struct sim_proc **ret)
{
    return sim_proc_new(host, args, NULL, ret);
}

/* ---- stopping and going on ---- */

void sim_pause(struct sim_proc *proc)
{
    sim_count(proc->sim, SIM_COUNT_proc_paused);
    sim_trace_note(proc->sim, NULL, SIM_KIND_faulted, SIM_COUNT_proc_paused, proc->pid);
    proc->is_paused = true;
    sim_cancel(proc->sim, &proc->loop.step);
    sim_runners_pause(proc);
}

void sim_resume(struct sim_proc *proc)
{
    proc->is_paused = false;
    sim_loop_kick(&proc->loop);
    sim_runners_resume(proc);
}

void sim_proc_output(struct sim_proc *proc, const char *ptr, size_t len)
{
    if (proc->handle != NULL) {
        sim_child_wrote(proc->handle, ptr, len);
    }
}

/* ---- asking ---- */

const struct port *sim_proc_port(struct sim_proc *proc)
{
    return &proc->port;
}

struct sim_proc *sim_proc_of(const struct port *port)
{
    return port->world;
}

void *sim_proc_node(struct sim_proc *proc)
{
    return proc->program;
}

struct sim_host *sim_proc_host(const struct sim_proc *proc)
{
    return proc->host;
}

const char *sim_proc_name(const struct sim_proc *proc)
{
    return proc->name;
}

int sim_proc_ended(const struct sim_proc *proc, struct proc_exit *ret_how)
{
    if (proc->state != SIM_PROC_DEAD) {
        return GP_EAGAIN;
    }
    *ret_how = proc->how;
    return 0;
}

/* ---- world_ops ---- */

static void world_random(void *world, void *ptr, size_t len)
{
    struct sim_proc *proc = world;

    rng_fill(&proc->rng, ptr, len);
}

static int world_json_parse(void *world, gp_str text, struct value **ret, struct gp_error *err)
{
    const struct sim_options *options = &((struct sim_proc *)world)->sim->options;

    if (options->json_parse == NULL) {
        return gp_error_set(err, GP_EUNSUPPORTED, "the simulation was given no JSON parser");
    }
    return options->json_parse(text, ret, err);
}

static uint32_t world_cpu_count(void *world)
{
    return ((struct sim_proc *)world)->host->cpu_count;
}

static void world_host_name(void *world, char *ptr, size_t cap)
{
    (void)str_format(ptr, cap, "%s", ((struct sim_proc *)world)->host->name); /* cutting is fine */
}

static int64_t world_self_pid(void *world)
{
    return ((struct sim_proc *)world)->pid;
}

/* Nothing of it is simulated. */
static void world_usage(void *world, struct port_usage *ret)
{
    (void)world;
    *ret = (struct port_usage){0};
}

static void world_host_usage(void *world, struct port_host_usage *ret)
{
    (void)world;
    *ret = (struct port_host_usage){0};
}

const struct world_ops sim_world_ops = {
    .runner_start = sim_runner_start,
    .runner_free = sim_runner_free,
    .proc_spawn = sim_child_spawn,
    .proc_pid = sim_child_pid,
    .proc_kill = sim_child_kill,
    .proc_free = sim_child_free,
    .plugin_open = sim_plugin_open,
    .plugin_close = sim_plugin_close,
    .random = world_random,
    .json_parse = world_json_parse,
    .cpu_count = world_cpu_count,
    .host_name = world_host_name,
    .self_pid = world_self_pid,
    .usage = world_usage,
    .host_usage = world_host_usage,
};
