// SPDX-License-Identifier: Apache-2.0
/* All functions: the families in one list, by name. A new family is one line here. */
#include <stdlib.h>

#include "promql/function_int.h"

static const struct function_family *const families[] = {
    &family_absent,
    &family_histogram,
    &family_label,
    &family_math,
    &family_order,
    &family_over_time,
    &family_rate,
    &family_scalar,
    &family_time,
    &family_trend,
    /* behind those of PromQL, as function_find wants them */
    &family_metricsql_label,
    &family_metricsql_range,
    &family_metricsql_time,
    &family_metricsql_union,
};
enum { FAMILIES_N = sizeof families / sizeof *families, FUNCTIONS_MAX = 192 };

static bool takes(const struct function *f, size_t args_n)
{
    return f->variadic < 0 || args_n <= f->args_n - (f->variadic ? 1u : 0u) + (size_t)f->variadic;
}

const struct function *function_choose(str name, size_t args_n, bool metricsql)
{
    const struct function *found = NULL;
    for (size_t f = 0; f < FAMILIES_N; f++)
        for (size_t i = 0; i < families[f]->n; i++) {
            const struct function *row = &families[f]->rows[i];
            if (!str_eq(row->name, name) || (row->flags & FN_METRICSQL && !metricsql))
                continue;
            if (!found || !takes(found, args_n))
                found = row;
        }
    return found;
}

const struct function *function_find(str name)
{
    return function_choose(name, 0, false);
}

static size_t all_names(str *names, bool metricsql)
{
    size_t n = 0;
    for (size_t f = 0; f < FAMILIES_N; f++)
        for (size_t i = 0; i < families[f]->n && n < FUNCTIONS_MAX; i++)
            if (metricsql || !(families[f]->rows[i].flags & FN_METRICSQL))
                names[n++] = families[f]->rows[i].name;
    return n;
}

str function_nearest(str name, bool metricsql)
{
    str names[FUNCTIONS_MAX];
    return str_nearest(name, names, all_names(names, metricsql));
}

static bool is_built(const struct function *f)
{
    return f->each || f->window || f->row || f->call || f->scalar || f->scalars;
}

static int by_name(const void *a, const void *b)
{
    const struct promql_function_info *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

size_t promql_functions(struct promql_function_info *out, size_t max)
{
    str names[FUNCTIONS_MAX];
    size_t all = all_names(names, false), n = 0;
    for (size_t i = 0; i < all; i++) {
        const struct function *f = function_find(names[i]);
        if (!is_built(f) || n == max)
            continue;
        struct promql_function_info *info = &out[n++];
        *info = (struct promql_function_info){.name = f->name,
                                              .args_n = f->args_n,
                                              .variadic = f->variadic,
                                              .returns = f->returns,
                                              .experimental = f->flags & FN_EXPERIMENTAL,
                                              .help = f->help};
        memcpy(info->args, f->args, sizeof info->args);
    }
    if (n)
        qsort(out, n, sizeof *out, by_name);
    return n;
}
