/*
 * explain.c: see explain.h. The texts are for whoever stands in front of the error: what is usual,
 * not what is possible.
 */
#include "app/explain.h"

#include <ctype.h>
#include <string.h>

#include "app/fail.h"
#include "base/assert.h"
#include "base/str.h"

static const struct explanation explanations[] = {
    {GP_EINVAL, "invalid", "What was asked for cannot be: it is wrong in itself.",
     "A flag or its value is mistyped, out of range, or given twice.\n"
     "A configuration file has a mistake; the error says file, line and column.\n"
     "A graph cannot run: unknown names, cycles, parallelism out of range. All mistakes are "
     "listed.",
     "`gpctl help COMMAND` shows flags, `gpd help config` every key.\n"
     "`gpd check-config FILE` and `gpctl validate APP.so` list all mistakes of a file or a job."},
    {GP_ENOMEM, "no_memory", "There was no memory for it.",
     "The host is full, or a limit of the container or of `ulimit -v` was reached.\n"
     "Windows and state of many tasks on one executor add up.",
     "`gpctl workers` shows free memory of each host; `gpctl metrics APP` what executors take.\n"
     "Fewer tasks per host (--executors, --parallelism), or smaller data.lane_budget_bytes."},
    {GP_ENOENT, "not_found", "What was named is not there.",
     "No application, worker, file or plugin of that name or id.\n"
     "Applications that ended long ago are forgotten.",
     "`gpctl list -a`, `gpctl workers` and `gpctl plugins` show what there is.\n"
     "Paths among the parameters of a job are those of the hosts it runs on."},
    {GP_EEXIST, "exists", "Something of that name is there already.",
     "An application of that name runs; names are unique among those that run.\n"
     "An output folder or a project is there already, and would be overwritten.",
     "Another --name, or `gpctl kill NAME` first.\n"
     "Another folder, or remove the old one."},
    {GP_EAGAIN, "try_again", "It could not be done at this moment.",
     "A queue is full, or another change of the same kind is under way.",
     "The same again in a moment. If it lasts: `gpctl masters`, `gpctl workers`."},
    {GP_ECLOSED, "closed", "The connection or the thing itself was closed.",
     "A daemon ended or was restarted while it was asked.",
     "The same again: gpctl looks for who leads now.\n"
     "A submit that may have arrived is safe to repeat with the same --request-id."},
    {GP_ETIMEOUT, "timeout", "No answer came in time.",
     "A daemon is frozen or overloaded, or its network is cut.\n"
     "No master leads: most of them must live.\n"
     "What was waited for with --timeout has not happened yet; it goes on.",
     "`gpctl masters` shows which master leads. Longer --timeout."},
    {GP_EPROTO, "malformed", "What came in is not what was agreed on.",
     "Something else listens on that port, such as a web server (--master wants the port of the\n"
     "master, 3000, not that of HTTP, 8090).\n"
     "A file is damaged or of another kind.",
     "Check host and port. `gpctl version` and `gpd version` should be alike."},
    {GP_ETOOBIG, "too_large", "It is larger than its limit.",
     "A shared object beyond limits.upload_bytes, a message beyond data.message_max_bytes, a\n"
     "configuration or an answer without measure.",
     "Strip the shared object (strip --strip-unneeded). `gpctl config limits` shows the limits."},
    {GP_EACCES, "not_allowed", "It is not permitted.",
     "gpctl and the cluster do not have the same secret (cluster.secret_file).\n"
     "A file or folder belongs to another user, or the secret is readable by others.",
     "The same cluster.secret_file on all hosts, mode 0600. `gpctl config cluster` shows which\n"
     "file is read."},
    {GP_EUNREACH, "unreachable", "Nobody answers at that address.",
     "No daemon runs there, it listens on another address, or a firewall is between.\n"
     "A master that reaches too few others cannot keep what it is told.",
     "`gpd local` starts a cluster here; --master HOST:PORT names another.\n"
     "`gpctl config cluster.masters` shows where gpctl looks, and who said so."},
    {GP_EIO, "io_failed", "Reading or writing failed.",
     "A disk or network file system has errors, or a file vanished or was cut while it was read.",
     "The error names the file. dmesg says more of disks."},
    {GP_ENOSPC, "no_space", "A disk or a quota is full.",
     "Logs, artefacts or output filled the file system of data_dir, or that of the output.",
     "df -h, and `gpctl config data_dir`. Daemons go on once there is room."},
    {GP_ECANCELED, "interrupted", "It was interrupted before its end.",
     "Somebody pressed Ctrl-C, or sent TERM. With --wait the job runs on.",
     "`gpctl list` shows what runs; `gpctl logs -f ID` follows it."},
    {GP_EUSER, "user_code_failed", "Code of the job, not of Gearpump, said that it failed.",
     "A processor answered GP_FAIL; its text stands in the error.",
     "`gpctl logs APP --level warn`. `gpctl run APP.so` runs it here, in a debugger if you like."},
    {GP_EABI, "not_runnable", "The file is no plugin that can run here.",
     "Not a shared object made with GP_APP or GP_PLUGIN; another architecture; a newer glibc or\n"
     "plugin ABI than this host has; a function that is nowhere; a plugin without build function.",
     "`gpctl inspect FILE` says what it is without running it, `gpctl validate FILE` all that is\n"
     "wrong with it. Build on the oldest system that it is to run on."},
    {GP_ECHECKSUM, "damaged", "Bytes are not what they were when they were written.",
     "A disk or network turned bits; a file was changed behind the daemon's back.",
     "Submit the file again; check the disk of the host that the error names."},
    {GP_ESTALE, "stale", "It comes from an earlier life and does not count any more.",
     "A process that was replaced spoke up again, after a frozen host or a cut network.",
     "Nothing: the new one goes on. If it repeats, cluster.failure_timeout is too short."},
    {GP_ESTATE, "wrong_state", "It is not possible in the state that it is in.",
     "The application has ended, the worker is drained, another master leads.",
     "`gpctl list -a` or `gpctl workers` shows the state."},
    {GP_EUNSUPPORTED, "unsupported", "This version or this host cannot do that.",
     "A processor lacks what was asked for (a snapshot, say), or the kernel a feature.",
     "The error names what lacks. `gpctl validate APP.so` shows what processors can do."},
    {GP_EFULL, "full", "There is no room left for more.",
     "No worker has a free slot, or a table or the descriptors of a process are used up.",
     "`gpctl workers` shows slots; more workers or worker.slots.\n"
     "`ulimit -n` for descriptors."},
    {GP_EJOB, "job_failed", "The job ended, and not well.",
     "Its code failed or crashed more often than recovery.restarts allows, or it was killed.",
     "`gpctl describe ID` has the last error, `gpctl logs ID` what it wrote."},
    {GP_EINTERNAL, "internal", "A mistake of Gearpump itself.", "None that a user could make.",
     "Please report it, with the log of the daemon (--log-level debug)."},
    {GP_EADDRINUSE, "address_in_use", "Another process listens on that address.",
     "A daemon runs already, or another service took the port.",
     "ss -ltnp shows whose it is. Another --port, or 0 for any that is free."},
    {GP_ENOTLEADER, "not_leader", "That master does not lead, and nobody knows who does.",
     "Masters elect a new leader, which takes a moment; or fewer than most of them live.",
     "The same again in a moment; `gpctl masters` shows who is missing."},
    {GP_EVERSION, "version_mismatch", "The two programs speak no common version of the protocol.",
     "gpctl and daemons, or daemons among themselves, are from releases far apart.",
     "`gpctl version`, `gpd version`; install the same release on all hosts."},

    /* Words of HTTP answers for what has no single code. */
    {0, "bad_request", "HTTP 400: the request is wrong in itself, see `invalid`.",
     "A parameter is unknown or out of range, or the body is no plugin.",
     "/api/v1/openapi.json describes every request."},
    {0, "unauthorized", "HTTP 401: whoever changes something must show the token.",
     "No `Authorization: Bearer TOKEN`, or a wrong one.",
     "The token stands in http.token_file: `gpctl config http.token_file`."},
    {0, "forbidden", "HTTP 403: the request comes from a page or for a host that is not ours.",
     "Origin or Host name another site than the daemon.", "Call the daemon by its own address."},
    {0, "method_not_allowed", "HTTP 405: that path does not know that method.",
     "GET where POST is needed, or the other way round.",
     "/api/v1/openapi.json lists methods; so does the header Allow."},
    {0, "conflict", "HTTP 409: see `exists` and `wrong_state`.",
     "An application of that name runs, or it has ended already.", "GET /api/v1/apps shows it."},
    {0, "unavailable", "HTTP 503: see `unreachable`, `not_leader`, `full`, `try_again`.",
     "No master leads, or there is no room.", "The same again in a moment."},
};

static const struct {
    int status;
    const char *meaning;
} statuses[] = {
    {EXIT_STATUS_OK, "it was done"},
    {EXIT_STATUS_FAILED, "it failed; the error says why"},
    {EXIT_STATUS_USAGE, "the command line, the configuration or the graph is wrong"},
    {EXIT_STATUS_NOT_FOUND, "what was named is not there"},
    {EXIT_STATUS_CONFLICT, "something is there already, or in a state that does not allow it"},
    {EXIT_STATUS_UNREACHABLE, "the cluster cannot be reached"},
    {EXIT_STATUS_NOT_ALLOWED, "it is not permitted"},
    {EXIT_STATUS_TIMEOUT, "no answer, or not the awaited, in time"},
    {EXIT_STATUS_JOB_FAILED, "the job failed or was killed"},
    {EXIT_STATUS_LOSSES,
     "the job finished, but parts of it died: messages or state are lost, or may be"},
    {EXIT_STATUS_INTERRUPTED, "interrupted (Ctrl-C)"},
    {EXIT_STATUS_TERMINATED, "terminated (TERM)"},
};

const struct explanation *explain_all(uint32_t *ret_count)
{
    *ret_count = (uint32_t)ARRAY_LEN(explanations);
    return explanations;
}

static const struct explanation *by_code(int code)
{
    for (size_t i = 0; code != 0 && i < ARRAY_LEN(explanations); i++) {
        if (explanations[i].code == code) {
            return &explanations[i];
        }
    }
    return NULL;
}

const char *explain_word(int code)
{
    const struct explanation *e = by_code(code);

    return e ? e->word : "unknown";
}

static bool is_alike(gp_str a, const char *b)
{
    if (a.len != strlen(b)) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i] == '-' ? '_' : (char)tolower((unsigned char)a.ptr[i]);

        if (x != (char)tolower((unsigned char)b[i])) {
            return false;
        }
    }
    return true;
}

/* "error[not_found]" and "[not_found]:" to "not_found". */
static gp_str bare(gp_str text)
{
    gp_str head;
    gp_str tail;
    gp_str rest;

    if (str_cut(text, '[', &head, &tail) && str_cut(tail, ']', &head, &rest)) {
        return head;
    }
    return text;
}

/* GP_ENOENT, ENOENT, not_found, -3. */
static bool is_named(const struct explanation *e, gp_str text)
{
    char number[16];

    if (is_alike(text, e->word)) {
        return true;
    }
    if (e->code == 0) {
        return false;
    }
    (void)str_format(number, sizeof number, "%d", e->code);
    return is_alike(text, error_name(e->code)) || is_alike(text, error_name(e->code) + 3) ||
           str_eq(text, gp_str_of(number));
}

static void say_unknown(gp_str text, struct gp_error *err)
{
    gp_str names[2 * ARRAY_LEN(explanations)];
    size_t count = 0;
    char meant[STR_MEANT_MAX];

    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        names[count++] = gp_str_of(explanations[i].word);
        if (explanations[i].code != 0) {
            names[count++] = gp_str_of(error_name(explanations[i].code));
        }
    }
    (void)gp_error_set(err, GP_ENOENT, "no code is called '%.*s'%s", STR_ARG(text),
                       str_meant(text, names, count, meant));
    gp_error_hint(err, "gpctl explain");
}

const struct explanation *explain_find(const char *text, struct gp_error *err)
{
    gp_str name = bare(gp_str_of(text));

    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        if (is_named(&explanations[i], name)) {
            return &explanations[i];
        }
    }
    say_unknown(name, err);
    return NULL;
}

const char *explain_exit_status(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].status == status) {
            return statuses[i].meaning;
        }
    }
    return NULL;
}
