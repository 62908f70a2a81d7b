// SPDX-License-Identifier: Apache-2.0
/* static_configs: targets written down. */
#include "scrape/scrape_int.h"

void discovery_static(const struct conf_scrape *c, struct arena *a,
                      void (*group)(void *arg, const struct target_group *g), void *arg)
{
    for (size_t i = 0; i < c->static_configs.n; i++) {
        const struct conf_static *s = &c->static_configs.at[i];
        struct labels_builder b;
        labels_builder_init(&b, (struct labels){0});
        for (size_t j = 0; j < s->labels.n; j++)
            labels_builder_set(&b, s->labels.at[j].name, s->labels.at[j].value);
        struct target_group g = {labels_builder_take(&b, a), s->targets.at, s->targets.n};
        labels_builder_fini(&b);
        group(arg, &g);
    }
}
