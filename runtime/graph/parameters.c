/*
 * parameters.c: see parameters.h. The rule for one value stands in <gearpump/parameter.h>, where
 * plugins and the testkit have it too.
 */
#include "graph/parameters.h"

#include "base/str.h"

#define WHERE_FMT       "processor '%s' (%s/%s): "
#define WHERE_ARG       p->name, plugin, p->type
#define EXPECTED_MAX    512
#define VALUE_SHOWN_MAX 96

/* A processor of this name also gets the cluster's settings of the data plane, which stand among
 * the application's parameters as data.KEY. */
#define NAME_OF_SETTINGS "data"

const char *parameters_value(const struct plan_processor *p, const char *name)
{
    for (uint32_t i = 0; i < p->config_count; i++) {
        if (strcmp(p->config[i].key, name) == 0) {
            return p->config[i].value;
        }
    }
    return NULL;
}

static bool is_known(const struct gp_processor *table, const char *name)
{
    for (uint32_t i = 0; i < gp_processor_parameter_count(table); i++) {
        if (strcmp(gp_processor_parameter(table, i)->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void unknown(const struct plan_processor *p, const struct gp_processor *table,
                    const char *plugin, const char *name, struct mistakes *m)
{
    const uint32_t count = gp_processor_parameter_count(table);
    gp_str names[PARAMETERS_MAX];
    char shown[VALUE_SHOWN_MAX];
    const gp_str *near;

    for (uint32_t i = 0; i < count; i++) {
        names[i] = gp_str_of(gp_processor_parameter(table, i)->name);
    }
    near = str_closest(gp_str_of(name), names, count);
    (void)str_escape(gp_str_of(name), shown, sizeof shown);
    mistakes_add(m, WHERE_FMT "there is no parameter '%s'%s%.*s%s", WHERE_ARG, shown,
                 near ? " (did you mean '" : "", near ? (int)near->len : 0, near ? near->ptr : "",
                 near ? "'?)" : "");
}

static void check_value(const struct plan_processor *p, const char *plugin,
                        const struct gp_parameter *parameter, const char *value, struct mistakes *m)
{
    char expected[EXPECTED_MAX];
    char shown[VALUE_SHOWN_MAX];

    if (gp_parameter_check(parameter, gp_str_of(value), expected, sizeof expected) == GP_OK) {
        return;
    }
    (void)str_escape(gp_str_of(value), shown, sizeof shown);
    mistakes_add(m, WHERE_FMT "parameter %s is '%s', not %s", WHERE_ARG, parameter->name, shown,
                 expected);
}

void parameters_check(const struct plan_processor *p, const struct gp_processor *table,
                      const char *plugin, struct mistakes *m)
{
    const uint32_t count = gp_processor_parameter_count(table);

    for (uint32_t i = 0; count > 0 && i < p->config_count; i++) {
        if (!is_known(table, p->config[i].key) && strcmp(p->name, NAME_OF_SETTINGS) != 0) {
            unknown(p, table, plugin, p->config[i].key, m);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct gp_parameter *parameter = gp_processor_parameter(table, i);
        const char *value = parameters_value(p, parameter->name);
        if (value) {
            check_value(p, plugin, parameter, value, m);
        } else if (parameter->flags & GP_PARAMETER_REQUIRED) {
            mistakes_add(m, WHERE_FMT "parameter %s is missing%s%s", WHERE_ARG, parameter->name,
                         parameter->help ? ": " : "", parameter->help ? parameter->help : "");
        }
    }
}

int parameters_check_table(const struct gp_processor *table, struct gp_error *err)
{
    const uint32_t count = gp_processor_parameter_count(table);
    char expected[EXPECTED_MAX];

    if (count > PARAMETERS_MAX) {
        return gp_error_set(err, GP_EABI, "processor '%s': it has %u parameters; %u are possible",
                            table->type, count, PARAMETERS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct gp_parameter *p = gp_processor_parameter(table, i);
        if (!p->name || !*p->name || strlen(p->name) > GP_NAME_MAX_BYTES) {
            return gp_error_set(err, GP_EABI, "processor '%s': parameter %u has no valid name",
                                table->type, i);
        }
        if (p->fallback &&
            gp_parameter_check(p, gp_str_of(p->fallback), expected, sizeof expected) != GP_OK) {
            return gp_error_set(err, GP_EABI,
                                "processor '%s': the default of parameter %s is '%s', not %s",
                                table->type, p->name, p->fallback, expected);
        }
    }
    return 0;
}
