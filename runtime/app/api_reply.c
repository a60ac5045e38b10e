/*
 * api_reply.c: answers of the web server: JSON, text, streams, errors, the files of the page.
 *
 * A call is answered once; later answers are thrown away, as are those that nobody waits for. Every
 * answer has the headers that keep a browser from doing more with it than it should.
 */
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/page_asset.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define HEADERS_MAX 12u

/* ---- statuses ---- */

static const struct {
    int code;
    uint32_t status;
} statuses[] = {
    {GP_EINVAL, 400},       {GP_EPROTO, 400},   {GP_EACCES, 403},   {GP_ENOENT, 404},
    {GP_EEXIST, 409},       {GP_ESTATE, 409},   {GP_ETOOBIG, 413},  {GP_EABI, 422},
    {GP_EUNSUPPORTED, 501}, {GP_EUNREACH, 503}, {GP_ECLOSED, 503},  {GP_ENOTLEADER, 503},
    {GP_EAGAIN, 503},       {GP_EFULL, 503},    {GP_ETIMEOUT, 504}, {GP_ENOSPC, 507},
};

static const struct {
    uint32_t status;
    const char *name;
} names[] = {
    {400, "bad_request"},        {401, "unauthorized"},   {403, "forbidden"},   {404, "not_found"},
    {405, "method_not_allowed"}, {406, "not_acceptable"}, {409, "conflict"},    {413, "too_large"},
    {422, "not_runnable"},       {501, "unsupported"},    {503, "unavailable"}, {504, "timeout"},
    {507, "no_space"},
};

uint32_t api_status_of(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].code == code) {
            return statuses[i].status;
        }
    }
    return 500;
}

static const char *name_of(uint32_t status)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].status == status) {
            return names[i].name;
        }
    }
    return "internal";
}

/* ---- answers ---- */

static const struct http_header safe_headers[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"},
};

struct api_reply {
    uint32_t status;
    struct http_header headers[HEADERS_MAX];
    uint32_t header_count;
    gp_bytes body;
    bool is_static;
};

static void add_header(struct api_reply *a, const char *name, const char *value)
{
    ASSERT(a->header_count < HEADERS_MAX);
    a->headers[a->header_count++] = (struct http_header){name, value};
}

static void answer_begin(struct api_reply *a, uint32_t status, const char *type)
{
    *a = (struct api_reply){.status = status};
    for (size_t i = 0; i < ARRAY_LEN(safe_headers); i++) {
        a->headers[a->header_count++] = safe_headers[i];
    }
    if (type) {
        add_header(a, "Content-Type", type);
    }
}

static struct http_reply reply_of(const struct api_reply *a)
{
    return (struct http_reply){.status = a->status,
                               .headers = a->headers,
                               .header_count = a->header_count,
                               .body = a->body,
                               .is_static = a->is_static};
}

static void send_answer(struct http_request *request, struct api_reply *a)
{
    struct http_reply reply = reply_of(a);

    (void)http_answer(request, &reply); /* without memory the connection ends, which says it */
}

static struct value *error_tree(uint32_t status, const struct gp_error *err)
{
    char hint[sizeof err->hint + 128];
    struct tree error;
    struct tree t;

    tree_begin(&error);
    tree_text(&error, "code", name_of(status));
    tree_text(&error, "what", error_sentence(err->code));
    tree_text(&error, "why", err->text);
    api_words(err->hint, hint, sizeof hint);
    tree_text(&error, "try", hint);
    tree_begin(&t);
    tree_take(&t, "error", tree_end(&error));
    return tree_end(&t);
}

void api_refuse(struct http_request *request, uint32_t status, const struct gp_error *err,
                const char *allow)
{
    struct value *tree = error_tree(status, err);
    struct buf text = {0};
    struct api_reply a;

    answer_begin(&a, status, "application/json");
    add_header(&a, "Cache-Control", "no-store");
    if (allow) {
        add_header(&a, "Allow", allow);
    }
    if (status == 401) {
        add_header(&a, "WWW-Authenticate", "Bearer");
    }
    if (tree && value_print_json(tree, &text, VALUE_PRETTY) == 0) {
        (void)buf_append(&text, "\n", 1);
    }
    a.body = buf_bytes(&text);
    send_answer(request, &a);
    value_free(tree);
    buf_deinit(&text);
}

void api_answer_text(struct api_call *call, const char *type, gp_bytes text)
{
    struct api_reply a;

    if (!call->request || call->is_answered) {
        return;
    }
    call->is_answered = true;
    answer_begin(&a, call->endpoint->status ? call->endpoint->status : 200, type);
    add_header(&a, "Cache-Control", "no-store");
    a.body = text;
    send_answer(call->request, &a);
}

void api_fail(struct api_call *call, const struct gp_error *err)
{
    if (call->request && !call->is_answered) {
        call->is_answered = true;
        api_refuse(call->request, api_status_of(err->code), err, NULL);
    }
}

void api_answer_take(struct api_call *call, struct value *tree)
{
    struct buf text = {0};
    struct gp_error err;
    int rc = tree ? value_print_json(tree, &text, VALUE_PRETTY) : GP_ENOMEM;

    rc = rc < 0 ? rc : buf_append(&text, "\n", 1);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "the answer cannot be made: %s", error_sentence(rc));
        api_fail(call, &err);
    } else {
        api_answer_text(call, "application/json", buf_bytes(&text));
    }
    value_free(tree);
    buf_deinit(&text);
}

int api_stream_begin(struct api_call *call, const char *type, gp_bytes begin)
{
    struct http_reply reply;
    struct api_reply a;

    call->is_answered = true;
    answer_begin(&a, 200, type);
    add_header(&a, "Cache-Control", "no-store");
    a.body = begin;
    reply = reply_of(&a);
    return http_stream_begin(call->request, &reply);
}

/* ---- the page ---- */

/* "gzip", "*", with no "q=0" behind it. Who does not say is a program that would show the bytes. */
static bool takes_gzip(const struct http_request *request)
{
    const char *text = http_header(request, "Accept-Encoding");
    gp_str rest = gp_str_of(text ? text : "");
    gp_str item;
    gp_str coding;
    gp_str weight;
    double q;

    while (rest.len > 0) {
        (void)str_cut(rest, ',', &item, &rest);
        weight = GP_STR("");
        if (!str_cut(item, ';', &coding, &weight)) {
            coding = item;
        }
        coding = str_trim(coding);
        weight = str_trim(weight);
        if (str_eq_nocase(coding, GP_STR("gzip")) || str_eq(coding, GP_STR("*"))) {
            return !str_starts_with(weight, GP_STR("q=")) ||
                   str_to_double((gp_str){weight.ptr + 2, weight.len - 2}, &q) < 0 || q > 0;
        }
    }
    return false;
}

static void refuse_plain(struct http_request *request)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_EUNSUPPORTED, "the page is kept compressed, and sent so alone");
    gp_error_hint(&err, "Accept-Encoding: gzip, as browsers send it; curl --compressed");
    api_refuse(request, 406, &err, NULL);
}

bool api_send_asset(struct http_request *request, gp_str path)
{
    const char *known = http_header(request, "If-None-Match");
    struct api_reply a;

    for (size_t i = 0; i < page_assets_count; i++) {
        const struct page_asset *asset = &page_assets[i];

        if (!str_eq(gp_str_of(asset->path), path)) {
            continue;
        }
        if (!takes_gzip(request)) {
            refuse_plain(request);
            return true;
        }
        answer_begin(&a, 200, asset->content_type);
        add_header(&a, "ETag", asset->etag);
        add_header(&a, "Cache-Control", "no-cache");
        add_header(&a, "Content-Encoding", "gzip");
        add_header(&a, "Vary", "Accept-Encoding");
        if (known && strcmp(known, asset->etag) == 0) {
            a.status = 304;
        } else {
            a.body = gp_bytes_of(asset->gzip, asset->length);
            a.is_static = true;
        }
        send_answer(request, &a);
        return true;
    }
    return false;
}
