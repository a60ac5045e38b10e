/*
 * executor_tell.c: what an executor tells its appmaster of its own accord: reports, failures, the
 * end.
 *
 * A report is told several times a second when something moved; one that is lost is replaced by the
 * next. A failure is remembered until an update brings its task the next session, and told again to
 * whomever this executor registers with. States of sources, and which tasks have ended, are asked
 * of the lanes once a second and told when they changed; that a source has ended, lanes tell at
 * once.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/sha256.h"
#include "data/executor_internal.h"
#include "data/report.h"
#include "port/beat.h"

#define REPORT_INTERVAL_NS 500000000
#define NEWS_INTERVAL_NS   1000000000
#define NEWS_PHASE_NS      500000000 /* with a report, so that the next one has them */
#define FULL_INTERVAL_NS                                                                           \
    INT64_C(1000000000) /* of reports with what lanes measured, and vitals ... */
#define FULL_IDLE_NS     INT64_C(5000000000) /* ... while no row moves and nobody works */
#define BUSY_NS          10000000     /* of work, since the last full one: more is not idle */
#define ENDS_INTERVAL_NS 100000000    /* the same when tasks have ended */
#define NEWS_FRESH_NS    1500000000   /* a lane that has said nothing for longer is busy */
#define STATES_BYTES_MAX (256u << 10) /* of states in one message, as they are */

/* Of one lane. */
struct ex_lane_news {
    struct lane_tasks *ended;
    uint32_t ended_count;
    struct reach_link *links;
    uint32_t link_count;
    int64_t said_ns;
    struct lane_measures *measures; /* owned; NULL: nothing yet */
};

static void tell(struct executor *ex, uint16_t type, const void *msg)
{
    if (ex->appmaster) {
        (void)peer_tell(ex->appmaster, type, msg); /* what is lost is told after registering */
    }
}

/* ---- news of lanes: states, ended tasks, links ---- */

static void *copy(const void *from, size_t size)
{
    void *to = malloc(size + 1);

    if (to && size > 0) {
        memcpy(to, from, size);
    }
    return to;
}

/* True when other tasks have ended than it said before. */
static bool keep_news(struct executor *ex, uint32_t lane, struct lane_news *news)
{
    struct ex_lane_news *kept;
    bool changed;

    if (!ex->lane_news) {
        ex->lane_news = calloc(ex->lane_count, sizeof *ex->lane_news);
    }
    if (!ex->lane_news || !news->ended || !news->links) {
        return false;
    }
    kept = &ex->lane_news[lane];
    changed = kept->ended_count != news->ended_count ||
              (news->ended_count > 0 &&
               memcmp(kept->ended, news->ended, news->ended_count * sizeof *news->ended) != 0);
    free(kept->ended);
    free(kept->links);
    measures_free(kept->measures);
    *kept =
        (struct ex_lane_news){.ended = copy(news->ended, news->ended_count * sizeof *news->ended),
                              .ended_count = news->ended_count,
                              .links = copy(news->links, news->link_count * sizeof *news->links),
                              .link_count = news->link_count,
                              .measures = news->measures,
                              .said_ns = loop_now_ns(ex->port->loop)};
    news->measures = NULL;
    if (!kept->ended || !kept->links) {
        kept->ended_count = 0;
        kept->link_count = 0;
    }
    return changed;
}

/* Of all lanes; with too many ranges the last are left out, and their tasks would run again. */
static void add_ended(const struct executor *ex, struct msg_executor_states *msg)
{
    uint32_t count = 0;

    for (uint32_t i = 0; ex->lane_news && i < ex->lane_count; i++) {
        count += ex->lane_news[i].ended_count;
    }
    msg->ended = calloc(count + 1u, sizeof *msg->ended);
    for (uint32_t i = 0; msg->ended && ex->lane_news && i < ex->lane_count; i++) {
        const struct ex_lane_news *l = &ex->lane_news[i];

        for (uint32_t k = 0; k < l->ended_count && msg->ended_count < MSG_RANGES_MAX; k++) {
            msg->ended[msg->ended_count++] = (struct msg_task_range){
                l->ended[k].processor, l->ended[k].first, l->ended[k].count};
        }
    }
}

/* The next state of a lane's block; false at its end. */
static bool next_state(struct reader *r, struct lane_state *ret)
{
    if (reader_left(r) == 0) {
        return false;
    }
    ret->processor = reader_u32(r);
    ret->task = reader_u32(r);
    ret->bytes = reader_bytes(r, reader_u32(r));
    ASSERT(reader_status(r) == 0); /* of this process */
    return true;
}

static bool add_state(struct msg_executor_states *msg, const struct lane_state *state)
{
    char *hex = malloc(2 * state->bytes.len + 1);

    if (!hex) {
        return false;
    }
    hex_encode(state->bytes.ptr, state->bytes.len, hex);
    msg->states[msg->states_count++] =
        (struct msg_task_state){.processor = state->processor, .task = state->task, .state = hex};
    return true;
}

/* As many messages as it takes; each says which tasks have ended. */
static void tell_states(struct executor *ex, gp_bytes states)
{
    struct reader r = reader_of(states);
    struct lane_state state;
    bool more = true;

    while (more) {
        struct msg_executor_states msg = {0};
        size_t bytes = 0;

        msg.states = calloc(MSG_STATES_MAX, sizeof *msg.states);
        add_ended(ex, &msg);
        more = false;
        while (msg.states && next_state(&r, &state)) {
            bytes += state.bytes.len;
            if (!add_state(&msg, &state)) {
                break;
            }
            if (bytes > STATES_BYTES_MAX || msg.states_count == MSG_STATES_MAX) {
                more = reader_left(&r) > 0;
                break;
            }
        }
        tell(ex, MSG_EXECUTOR_STATES, &msg);
        fields_deinit(&msg_executor_states_fields, &msg);
    }
}

void ex_tell_news(struct executor *ex, uint32_t lane, struct lane_news *news)
{
    bool changed = keep_news(ex, lane, news);

    if (changed && ex->state >= EX_RUNNING &&
        ex->state < EX_STOPPING) { /* others end soon after: see lane_tell_end() */
        timer_start(ex->news_timer, ENDS_INTERVAL_NS);
    }
    if (changed || buf_len(&news->states) > 0) {
        tell_states(ex, buf_bytes(&news->states));
    }
}

static void start_news_timer(struct executor *ex)
{
    (void)timer_start_beat(ex->news_timer, NEWS_INTERVAL_NS, NEWS_PHASE_NS);
}

static void on_news_timer(void *user)
{
    struct executor *ex = user;

    engine_ask_news(ex->engine, LANE_ASK_CHANGES);
    start_news_timer(ex);
}

static void add_unreachable(const struct executor *ex, struct msg_executor_report *report)
{
    const int64_t now_ns = loop_now_ns(ex->port->loop);
    struct reach_lane *lanes = calloc(ex->lane_count, sizeof *lanes);
    uint32_t found[MSG_EXECUTORS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; lanes && ex->lane_news && i < ex->lane_count; i++) {
        const struct ex_lane_news *l = &ex->lane_news[i];
        lanes[i] =
            (struct reach_lane){l->links, l->link_count, now_ns - l->said_ns < NEWS_FRESH_NS};
    }
    count = lanes ? reach_find(lanes, ex->lane_count, found, MSG_EXECUTORS_MAX) : 0;
    report->unreachable = count > 0 ? calloc(count, sizeof *report->unreachable) : NULL;
    for (uint32_t i = 0; report->unreachable && i < count; i++) {
        report->unreachable[report->unreachable_count++].executor = found[i];
    }
    free(lanes);
}

/* ---- reports ---- */

static bool same_progress(const struct msg_executor_report *a, const struct msg_executor_report *b)
{
    if (a->processors_count != b->processors_count || a->lost != b->lost ||
        a->in_doubt != b->in_doubt || a->failed != b->failed || a->restarted != b->restarted ||
        a->unreachable_count != b->unreachable_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->unreachable_count; i++) {
        if (a->unreachable[i].executor != b->unreachable[i].executor) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->processors_count; i++) {
        const struct msg_processor_stats *x = &a->processors[i];
        const struct msg_processor_stats *y = &b->processors[i];
        if (x->in != y->in || x->out != y->out || x->tasks_running != y->tasks_running ||
            x->watermark != y->watermark || x->rejected != y->rejected) {
            return false;
        }
    }
    return true;
}

/* Of all tasks, as far as lanes have said. */
static uint64_t busy_ns(const struct report_from *from)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < engine_lane_count(from->engine); i++) {
        const struct lane_measures *m = from->measures[i];
        for (uint32_t k = 0; m && k < m->count; k++) {
            sum += m->stages[k].busy_ns;
        }
    }
    return sum;
}

/* User code may work for long, and neither take nor emit a row: in timers, or call after call. */
static bool works(const struct executor *ex, const struct report_from *from)
{
    return busy_ns(from) > ex->filled_busy_ns + BUSY_NS;
}

/* What comes once a second, or when nothing moves less often. */
static bool fill(struct executor *ex, const struct report_from *from, bool moved,
                 struct msg_executor_report *report)
{
    const int64_t now_ns = loop_now_ns(ex->port->loop);

    /* A report earlier or later by a little is not to be the difference. */
    if (now_ns - ex->filled_ns + REPORT_INTERVAL_NS / 2 <
        (moved ? FULL_INTERVAL_NS : FULL_IDLE_NS)) {
        return false;
    }
    ex->filled_ns = now_ns;
    ex->filled_busy_ns = busy_ns(from);
    vitals_tell(&ex->vitals, ex->ep, &report->vitals);
    (void)report_fill(from, report); /* without memory some is left out */
    return true;
}

static void report(struct executor *ex, bool always)
{
    const struct lane_measures **measures =
        ex->job ? calloc(ex->lane_count + 1u, sizeof(*measures)) : NULL;
    struct msg_executor_report now;
    struct report_from from = {.engine = ex->engine, .measures = measures};
    bool moved;

    for (uint32_t i = 0; measures && ex->lane_news && i < ex->lane_count; i++) {
        measures[i] = ex->lane_news[i].measures;
    }
    from.plan = measures ? job_plan(ex->job) : NULL;
    if (!measures || report_make(&from, &now) < 0) {
        free(measures);
        return; /* without memory this one is left out */
    }
    add_unreachable(ex, &now);
    ex_stuck_report(ex, &now);
    moved = always || !same_progress(&now, &ex->last);
    if (fill(ex, &from, moved || works(ex, &from) || ex_stuck_is_long(ex), &now) || moved) {
        tell(ex, MSG_EXECUTOR_REPORT, &now);
    }
    fields_deinit(&msg_executor_report_fields, &ex->last);
    ex->last = now;
    free(measures);
}

static void measure_to_the_end(struct executor *ex)
{
    if (!ex->lane_news) {
        ex->lane_news = calloc(ex->lane_count, sizeof *ex->lane_news);
    }
    for (uint32_t i = 0; ex->lane_news && i < ex->lane_count; i++) {
        struct lane_measures *last = engine_measures(ex->engine, i);

        if (last) {
            measures_free(ex->lane_news[i].measures);
            ex->lane_news[i].measures = last;
        }
    }
}

void ex_report_last(struct executor *ex)
{
    measure_to_the_end(ex);
    ex->filled_ns -= FULL_IDLE_NS; /* this one is full, whenever the one before was */
    report(ex, true);
}

static void start_report_timer(struct executor *ex)
{
    vitals_await(&ex->vitals, timer_start_beat(ex->report_timer, REPORT_INTERVAL_NS, 0));
}

static void on_report_timer(void *user)
{
    struct executor *ex = user;
    bool is_news = ex_stuck_look(ex);

    vitals_came(&ex->vitals);
    if (ex->state >= EX_RUNNING || is_news) { /* before that there is nothing else to say */
        report(ex, is_news);
    }
    start_report_timer(ex);
}

/* ---- failures and the end ---- */

static void tell_failure(struct executor *ex, const struct lane_failure *failure)
{
    const struct msg_executor_failed msg = {.processor = failure->processor,
                                            .task = failure->task,
                                            .session = failure->session,
                                            .function = (char *)(uintptr_t)failure->function,
                                            .text = (char *)(uintptr_t)failure->text};

    tell(ex, MSG_EXECUTOR_FAILED, &msg);
}

/* A later session of the same task takes the place of the one before. */
static void remember(struct executor *ex, const struct lane_failure *failure)
{
    struct lane_failure **at = &ex->failures;

    while (*at && ((*at)->processor != failure->processor || (*at)->task != failure->task)) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at) {
            return; /* it is told now, at least */
        }
    }
    {
        struct lane_failure *next = (*at)->next;
        **at = *failure;
        (*at)->next = next;
    }
}

void ex_tell_failure(struct executor *ex, const struct lane_failure *failure)
{
    remember(ex, failure);
    report(ex, true);
    tell_failure(ex, failure);
}

void ex_tell_updated(struct executor *ex)
{
    struct lane_failure **at = &ex->failures;

    while (*at) {
        struct lane_failure *f = *at;

        if (engine_session(ex->engine, f->processor, f->task) > f->session) {
            *at = f->next;
            free(f);
        } else {
            at = &f->next;
        }
    }
}

static void tell_done(struct executor *ex)
{
    const struct msg_executor_done msg = {.generation = engine_generation(ex->engine)};

    tell(ex, MSG_EXECUTOR_DONE, &msg);
}

void ex_tell_ended(struct executor *ex)
{
    (void)ex_stuck_look(ex); /* the last call may have been one that took long */
    report(ex, true);
    tell_done(ex);
}

void ex_tell_all(struct executor *ex)
{
    if (ex->state < EX_OPEN || ex->state >= EX_STOPPING) {
        return;
    }
    report(ex, true);
    for (const struct lane_failure *f = ex->failures; f; f = f->next) {
        tell_failure(ex, f);
    }
    tell_states(ex, (gp_bytes){0}); /* what has ended; states follow */
    engine_ask_news(ex->engine, LANE_ASK_ALL);
    ex_moves_tell_all(ex);
    if (ex->state == EX_ENDED && engine_has_ended(ex->engine)) {
        tell_done(ex);
    }
}

/* ---- life ---- */

int ex_tell_init(struct executor *ex)
{
    int rc;

    vitals_init(&ex->vitals, ex->port);
    rc = timer_new(ex->port->loop, on_report_timer, ex, &ex->report_timer);

    return rc < 0 ? rc : timer_new(ex->port->loop, on_news_timer, ex, &ex->news_timer);
}

void ex_tell_open(struct executor *ex)
{
    if (ex->stuck) {
        start_report_timer(ex);
    }
}

void ex_tell_start(struct executor *ex)
{
    start_report_timer(ex);
    start_news_timer(ex);
}

void ex_tell_stop(struct executor *ex)
{
    timer_stop(ex->report_timer);
    timer_stop(ex->news_timer);
}

void ex_tell_deinit(struct executor *ex)
{
    for (uint32_t i = 0; ex->lane_news && i < ex->lane_count; i++) {
        free(ex->lane_news[i].ended);
        free(ex->lane_news[i].links);
        measures_free(ex->lane_news[i].measures);
    }
    free(ex->lane_news);
    timer_free(ex->report_timer);
    timer_free(ex->news_timer);
    fields_deinit(&msg_executor_report_fields, &ex->last);
    while (ex->failures) {
        struct lane_failure *next = ex->failures->next;

        free(ex->failures);
        ex->failures = next;
    }
}
