/*
 * Names of actors to numbers and back. A name has one spelling only, so that names compare as text.
 */
#include "actor/address.h"

#include <string.h>

#include "base/assert.h"
#include "base/str.h"

/* The next part of the path must be this word. */
static bool take_word(gp_str *rest, const char *word)
{
    gp_str head;

    (void)str_cut(*rest, '/', &head, rest);
    return str_eq(head, gp_str_of(word));
}

static bool take_number(gp_str *rest, uint32_t *ret)
{
    gp_str head;
    uint64_t n;

    (void)str_cut(*rest, '/', &head, rest);
    if ((head.len > 1 && head.ptr[0] == '0') || str_to_u64(head, &n) < 0 || n > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)n;
    return true;
}

static bool parse_app(gp_str rest, struct address *ret)
{
    if (!take_number(&rest, &ret->app)) {
        return false;
    }
    ret->role = ROLE_APPMASTER;
    if (rest.len == 0) {
        return true;
    }
    ret->role = ROLE_EXECUTOR;
    if (!take_word(&rest, "executor") || !take_number(&rest, &ret->id)) {
        return false;
    }
    if (rest.len == 0) {
        return true;
    }
    ret->role = ROLE_LANE;
    return take_word(&rest, "lane") && take_number(&rest, &ret->lane) && rest.len == 0;
}

int address_parse(gp_str text, struct address *ret)
{
    struct address address = {0};
    gp_str head;
    gp_str rest;
    bool good = false;

    if (text.len == 0 || text.ptr[text.len - 1] == '/') {
        return GP_EINVAL;
    }
    (void)str_cut(text, '/', &head, &rest);
    if (str_eq(text, GP_STR("master"))) {
        address.role = ROLE_MASTER;
        good = true;
    } else if (str_eq(text, GP_STR("client"))) {
        address.role = ROLE_CLIENT;
        good = true;
    } else if (str_eq(head, GP_STR("worker"))) {
        address.role = ROLE_WORKER;
        good = take_number(&rest, &address.id) && rest.len == 0;
    } else if (str_eq(head, GP_STR("app"))) {
        good = parse_app(rest, &address);
    }
    if (!good) {
        return GP_EINVAL;
    }
    *ret = address;
    return 0;
}

const char *address_format(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    int rc = 0;

    switch (address->role) {
    case ROLE_WORKER:
        rc = str_format(out, ADDRESS_TEXT_MAX, "worker/%u", address->id);
        break;
    case ROLE_APPMASTER:
        rc = str_format(out, ADDRESS_TEXT_MAX, "app/%u", address->app);
        break;
    case ROLE_EXECUTOR:
        rc = str_format(out, ADDRESS_TEXT_MAX, "app/%u/executor/%u", address->app, address->id);
        break;
    case ROLE_LANE:
        rc = str_format(out, ADDRESS_TEXT_MAX, "app/%u/executor/%u/lane/%u", address->app,
                        address->id, address->lane);
        break;
    default:
        rc = str_format(out, ADDRESS_TEXT_MAX, "%s",
                        address->role == ROLE_MASTER ? "master" : "client");
        break;
    }
    ASSERT(rc > 0);
    return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->role == b->role && a->app == b->app && a->id == b->id && a->lane == b->lane;
}
