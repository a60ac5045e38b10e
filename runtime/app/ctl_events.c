/*
 * ctl_events.c: gpctl events: what happened in the cluster, and with -f what happens.
 *
 * Each ask waits at the leader for what comes after the last number. A new leader begins a new
 * list, which its term says: then all of that is shown.
 */
#include <stdlib.h>

#include "app/ctl.h"
#include "app/show.h"
#include "app/text.h"
#include "base/str.h"

#define WAIT_MS 10000u
#define ASK_NS  INT64_C(20000000000)

#define SUBJECT_MAX 24

struct watching {
    struct ctl *ctl;
    uint64_t term;
    uint64_t after;
    uint32_t count; /* of the latest answer */
};

/* "app/7": what other commands know it by. */
static const char *subject_of(const struct msg_cluster_event *event, char out[SUBJECT_MAX])
{
    if (event->app != 0) {
        (void)str_format(out, SUBJECT_MAX, "app/%u", event->app);
    } else if (event->worker != 0) {
        (void)str_format(out, SUBJECT_MAX, "worker/%u", event->worker);
    } else {
        (void)str_format(out, SUBJECT_MAX, "-");
    }
    return out;
}

static void print_event(const struct watching *w, const struct msg_cluster_event *event)
{
    char time[SHOW_TIME_MAX];
    char whose[SUBJECT_MAX];
    struct buf text = {0};
    struct value *tree;

    if (w->ctl->json) {
        tree = show_fields(&msg_cluster_event_fields, event);
        if (tree && value_print_json(tree, &text, VALUE_COMPACT) == 0) {
            (void)printf("%.*s\n", STR_ARG(buf_str(&text)));
        }
        value_free(tree);
        buf_deinit(&text);
        return;
    }
    (void)printf("%s  %-17s  %-9s  ", show_time(event->time_ms, time), event->kind,
                 subject_of(event, whose));
    text_print(stdout, gp_str_of(event->text));
    (void)fputc('\n', stdout);
}

static int on_events(void *user, const void *msg)
{
    struct watching *w = user;
    const struct msg_cluster_events *page = msg;

    w->count = page->events_count;
    if (w->term != page->term && w->after > 0) {
        w->term = page->term;
        w->after = 0; /* those numbers were another leader's */
        w->count = 1; /* there is more */
        return 0;
    }
    w->term = page->term;
    w->after = page->next;
    for (uint32_t i = 0; i < page->events_count; i++) {
        print_event(w, &page->events[i]);
    }
    (void)fflush(stdout);
    return 0;
}

int ctl_events(const struct command_spec *spec, const struct options *options, void *context)
{
    struct watching w = {.ctl = context};
    const bool follow = options_has(options, "follow");
    struct gp_error err = {0};
    int rc = ctl_connect(w.ctl, &err);

    (void)spec;
    if (rc == 0) {
        rc = ctl_watch_interrupts(w.ctl, &err);
    }
    do {
        const struct msg_cluster_events_read ask = {.after = w.after,
                                                    .timeout_ms = follow ? WAIT_MS : 0};
        if (rc == 0) {
            rc = ctl_ask_for(w.ctl, MSG_CLUSTER_EVENTS, &ask, ASK_NS, on_events, &w, &err);
        }
    } while (rc == 0 && (follow || w.count > 0));
    if (rc == GP_ECANCELED) {
        return EXIT_STATUS_INTERRUPTED;
    }
    return rc < 0 ? ctl_fail(w.ctl, &err, "cannot show events") : EXIT_STATUS_OK;
}
