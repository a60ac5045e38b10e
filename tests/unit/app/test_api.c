/* Routing, parameters, who may ask, and the document: the parts of the web server that are pure. */
#include "app/api.h"
#include "base/str.h"
#include "edge/world.h"
#include "gp_test.h"

struct routed {
    struct api_target target;
    const struct api_endpoint *endpoint;
    char allow[64];
    struct gp_error err;
};

static int route(struct routed *r, const char *method, const char *target, bool is_worker)
{
    int rc;

    memset(r, 0, sizeof *r);
    rc = api_target_parse(gp_str_of(target), &r->target, &r->err);
    return rc < 0 ? rc
                  : api_route(&r->target, method, is_worker, &r->endpoint, r->allow,
                              sizeof r->allow, &r->err);
}

GP_TEST(api, finds_endpoints_by_method_and_path)
{
    struct routed r;

    GP_REQUIRE_EQ(route(&r, "GET", "/api/v1/apps/a%2Fb", false), 0);
    GP_CHECK_STR_EQ(r.endpoint->name, "describe");
    GP_REQUIRE_EQ(route(&r, "HEAD", "/api/v1/apps?all", false), 0);
    GP_CHECK_STR_EQ(r.endpoint->name, "apps");
    GP_REQUIRE_EQ(route(&r, "POST", "/api/v1/apps", false), 0);
    GP_CHECK_STR_EQ(r.endpoint->name, "submit");
    GP_REQUIRE_EQ(route(&r, "GET", "/healthz", true), 0);
}

GP_TEST(api, says_what_is_near_or_possible)
{
    struct routed r;

    GP_CHECK_EQ(route(&r, "GET", "/api/v1/worker", false), GP_ENOENT);
    GP_CHECK(strstr(r.err.hint, "/api/v1/workers") != NULL);
    GP_CHECK_EQ(route(&r, "PUT", "/api/v1/masters", false), GP_EUNSUPPORTED);
    GP_CHECK_STR_EQ(r.allow, "GET, HEAD, POST");
    GP_CHECK_EQ(route(&r, "GET", "/api/v1/apps/", false), GP_ENOENT); /* no name */
    GP_CHECK_EQ(route(&r, "GET", "/api/v1/apps", true), GP_ENOENT);   /* not of a worker */
}

GP_TEST(api, refuses_targets_that_are_none)
{
    static const char *const wrong[] = {"",     "api",    "/%",    "/%4",
                                        "/%zz", "/a%00b", "/?%ff", "/?a=%f"};
    struct routed r;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        GP_CHECK_EQ(route(&r, "GET", wrong[i], false), GP_EINVAL);
        GP_CHECK(r.err.text[0] != '\0');
    }
    GP_CHECK_EQ(route(&r, "GET", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", false), GP_ETOOBIG);
}

GP_TEST(api, reads_parameters)
{
    struct api_params p;
    struct routed r;

    GP_REQUIRE_EQ(route(&r, "POST",
                        "/api/v1/apps?name=a+b&set=x%3D1&set=y=2&executors=3&parallelism=c=4"
                        "&place=c=label:zone=a&priority=high&no_wait",
                        false),
                  0);
    GP_REQUIRE_EQ(api_read_params(r.endpoint, &r.target, &p, &r.err), 0);
    GP_CHECK_STR_EQ(p.name, "a b");
    GP_CHECK_EQ(p.set_count, 2);
    GP_CHECK_STR_EQ(p.set[0], "x=1");
    GP_CHECK_EQ(p.executors, 3);
    GP_CHECK_STR_EQ(p.parallelism[0], "c=4");
    GP_CHECK_STR_EQ(p.place[0], "c=label:zone=a");
    GP_CHECK_EQ(p.priority, PRIORITY_HIGH);
    GP_CHECK(p.no_wait);
    fields_deinit(api_params_all(), &p);
    GP_REQUIRE_EQ(route(&r, "GET", "/api/v1/apps/seven/logs", false), 0);
    GP_REQUIRE_EQ(api_read_params(r.endpoint, &r.target, &p, &r.err), 0);
    GP_CHECK_STR_EQ(p.app, "seven");
    GP_CHECK_EQ(p.executor, -1);
    GP_CHECK_EQ(p.tail, 200);
    fields_deinit(api_params_all(), &p);
}

GP_TEST(api, names_the_parameter_that_is_wrong)
{
    static const char *const wrong[][2] = {{"/api/v1/apps?al=1", "al"},
                                           {"/api/v1/apps?all=maybe", "all"},
                                           {"/api/v1/apps?all&all", "all"},
                                           {"/api/v1/apps/1?app=2", "app"},
                                           {"/api/v1/apps/1/logs?tail=0", "tail"},
                                           {"/api/v1/apps/1/metrics?window=1h", "window"}};
    struct api_params p;
    struct routed r;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        GP_REQUIRE_EQ(route(&r, "GET", wrong[i][0], false), 0);
        GP_CHECK_EQ(api_read_params(r.endpoint, &r.target, &p, &r.err), GP_EINVAL);
        GP_CHECK(strstr(r.err.text, wrong[i][1]) != NULL);
    }
}

GP_TEST(api, knows_its_own_host_and_origin)
{
    char bind[] = "127.0.0.1";
    char advertise[] = "master.example";
    const struct config config = {.http.bind = bind, .advertise = advertise};

    GP_CHECK(api_host_is_ours(&config, "box", "127.0.0.1:8090"));
    GP_CHECK(api_host_is_ours(&config, "box", "[::1]:8090"));
    GP_CHECK(api_host_is_ours(&config, "box", "localhost"));
    GP_CHECK(api_host_is_ours(&config, "box", "BOX:1"));
    GP_CHECK(api_host_is_ours(&config, "box", "Master.example:80"));
    GP_CHECK(!api_host_is_ours(&config, "box", "evil.example:8090"));
    GP_CHECK(!api_host_is_ours(&config, "box", ""));
    GP_CHECK(!api_host_is_ours(&config, "box", NULL));
    GP_CHECK(api_origin_is_ours(NULL, "a:1"));
    GP_CHECK(api_origin_is_ours("http://a:1", "a:1"));
    GP_CHECK(!api_origin_is_ours("http://a:2", "a:1"));
    GP_CHECK(!api_origin_is_ours("null", "a:1"));
}

GP_TEST(api, compares_tokens_whole)
{
    const struct edge_secret token = {.text = "0123456789", .len = 10};

    GP_CHECK(api_token_matches(&token, "Bearer 0123456789"));
    GP_CHECK(api_token_matches(&token, "bearer  0123456789 "));
    GP_CHECK(!api_token_matches(&token, "Bearer 012345678"));
    GP_CHECK(!api_token_matches(&token, "Bearer 01234567890"));
    GP_CHECK(!api_token_matches(&token, "Bearer 0123456780"));
    GP_CHECK(!api_token_matches(&token, "0123456789"));
    GP_CHECK(!api_token_matches(&token, NULL));
}

/* A shape in the table that is none would be found here. */
GP_TEST(api, documents_every_endpoint)
{
    struct edge_world *world = NULL;
    struct gp_error err = {0};
    struct value *document;
    struct value *paths;

    GP_REQUIRE_EQ(edge_world_new(NULL, &world, &err), 0);
    document = api_openapi(edge_port(world));
    GP_REQUIRE(document != NULL);
    paths = value_get(document, GP_STR("paths"));
    for (uint32_t i = 0; i < api_endpoint_count; i++) {
        const struct api_endpoint *e = &api_endpoints[i];
        const char *verb = strcmp(e->method, "GET") == 0    ? "get"
                           : strcmp(e->method, "POST") == 0 ? "post"
                                                            : "delete";

        GP_CHECK(value_get(value_get(paths, gp_str_of(e->path)), gp_str_of(verb)) != NULL);
        GP_CHECK(((e->flags & API_MUTATES) != 0) == (strcmp(e->method, "GET") != 0));
    }
    value_free(document);
    edge_world_free(world);
}

GP_TEST(api, reads_ids_of_events)
{
    uint64_t term = 0;
    uint64_t seq = 0;

    GP_CHECK_EQ(api_event_id_parse(GP_STR("3.17"), &term, &seq), 0);
    GP_CHECK_EQ(term, 3);
    GP_CHECK_EQ(seq, 17);
    GP_CHECK_EQ(api_event_id_parse(GP_STR("3"), &term, &seq), GP_EINVAL);
    GP_CHECK_EQ(api_event_id_parse(GP_STR("3."), &term, &seq), GP_EINVAL);
    GP_CHECK_EQ(api_event_id_parse(GP_STR("-1.2"), &term, &seq), GP_EINVAL);
}

GP_TEST(api, speaks_of_endpoints_where_others_speak_of_commands)
{
    static const char *const same[][2] = {
        {"", ""},
        {"limits.upload_bytes", "limits.upload_bytes"},
        {"gpctl kill 7, or choose another name with --name",
         "POST /api/v1/apps/7/kill, or choose another name with the parameter name"},
        {"gpctl masters; all of them", "GET /api/v1/masters; all of them"},
        {"gpctl describe 3; then the same again", "GET /api/v1/apps/3; then the same again"},
        {"gpctl list -a", "GET /api/v1/apps?all"},
        {"gpctl kill", "gpctl kill"},
        {"--", "--"},
        {"curl --compressed", "curl --compressed"},
    };
    char out[128];

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        api_words(same[i][0], out, sizeof out);
        GP_CHECK_STR_EQ(out, same[i][1]);
    }
    api_words("gpctl workers", out, 8);
    GP_CHECK_STR_EQ(out, "GET /ap");
}
