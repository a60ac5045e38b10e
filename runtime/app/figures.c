/* figures.c: see figures.h. */
#include "app/figures.h"

#include "app/tree.h"
#include "base/str.h"
#include "base/units.h"

#define NS_PER_S      1e9
#define NS_PER_US     1e3
#define ID_TEXT_MAX   16
#define LINE_TEXT_MAX 160

static bool sends_on(const struct msg_app_metrics *m, uint32_t processor)
{
    for (uint32_t i = 0; i < m->ends_count; i++) {
        if (m->ends[i].from == processor) {
            return true;
        }
    }
    return false;
}

static int on_latest(void *user, const void *msg)
{
    const struct msg_app_metrics *m = &((const struct msg_metrics_history *)msg)->latest;
    struct figures *f = user;
    uint64_t messages = 0;

    for (uint32_t i = 0; i < m->processors_count; i++) {
        messages += sends_on(m, m->processors[i].processor) ? 0 : m->processors[i].in;
    }
    f->cpu_ns = messages > 0 ? (double)m->cpu_ns / (double)messages : 0;
    return m->latency ? hist_merge_text(&f->latency, m->latency) : 0;
}

int figures_ask(struct ctl *ctl, uint32_t id, struct figures *ret, struct gp_error *err)
{
    char id_text[ID_TEXT_MAX];
    struct msg_metrics_read ask = {.app = id_text, .window = METRICS_LATEST, .processor = ""};

    ret->per_s = 0;
    ret->cpu_ns = 0;
    hist_init(&ret->latency);
    (void)str_format(id_text, sizeof id_text, "%u", id);
    return ctl_ask(ctl, MSG_METRICS_READ, &ask, on_latest, ret, err);
}

void figures_add_rate(struct figures *f, const struct description *d, int64_t run_ns)
{
    uint64_t messages = 0;

    for (uint32_t p = 0; d->plan && p < d->plan->processor_count; p++) {
        bool last = true;

        for (uint32_t e = 0; e < d->plan->edge_count; e++) {
            last = last && d->plan->edges[e].from != p;
        }
        messages += last && d->processors[p] ? d->processors[p]->in : 0;
    }
    f->per_s = run_ns > 0 ? (double)messages * NS_PER_S / (double)run_ns : 0;
}

static double latency_us(const struct figures *f, double percent)
{
    return (double)hist_percentile(&f->latency, percent) / NS_PER_US;
}

static void real_or_null(struct tree *t, const char *name, double number, bool is_known)
{
    if (is_known) {
        tree_real(t, name, number);
    } else {
        tree_take(t, name, value_new_null());
    }
}

struct value *figures_tree(const struct figures *f)
{
    bool sampled = hist_count(&f->latency) > 0;
    struct tree t;

    tree_begin(&t);
    tree_real(&t, "rate", f->per_s);
    real_or_null(&t, "cpu_ns", f->cpu_ns, f->cpu_ns > 0);
    real_or_null(&t, "latency_p50_us", latency_us(f, 50), sampled);
    real_or_null(&t, "latency_p99_us", latency_us(f, 99), sampled);
    real_or_null(&t, "latency_p999_us", latency_us(f, 99.9), sampled);
    real_or_null(&t, "latency_p9999_us", latency_us(f, 99.99), sampled);
    return tree_end(&t);
}

void figures_say(const struct ctl *ctl, const struct figures *f)
{
    char text[UNITS_TEXT_MAX];
    char cpu[LINE_TEXT_MAX] = "";
    char latency[LINE_TEXT_MAX] = "";

    if (f->per_s <= 0) {
        return;
    }
    if (f->cpu_ns > 0) {
        if (f->cpu_ns < NS_PER_US) { /* which is most jobs, and fractions count */
            (void)str_format(text, sizeof text, "%.3g ns", f->cpu_ns);
        } else {
            (void)units_duration((int64_t)f->cpu_ns, text);
        }
        (void)str_format(cpu, sizeof cpu, ", each %s of CPU", text);
    }
    if (hist_count(&f->latency) > 0) {
        (void)str_format(
            latency, sizeof latency,
            "; from source to sink %.1f us, 99 %% below %.1f, 99.9 %% below %.1f, 99.99 %% "
            "below %.1f",
            latency_us(f, 50), latency_us(f, 99), latency_us(f, 99.9), latency_us(f, 99.99));
    }
    ctl_say(ctl, "%s into its last processors%s%s", units_rate(f->per_s, text), cpu, latency);
}
