// SPDX-License-Identifier: Apache-2.0
/* Any text is a configuration or a list of errors, for every kind of file. Texts that would open
 * files are left out. */
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *no_env(const char *name)
{
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 64 * 1024)
        return 0;
    str text = str_of((const char *)data, size);
    if (str_find(text, STR("scrape_config_files")) >= 0 || str_find(text, STR("metrics")) >= 0)
        return 0; /* would open files */
    struct conf_diags *d = conf_diags_new();
    struct strbuf out STRBUF_CLEANUP = {0};
    struct conf_input in = {.path = "fuzz.yml", .text = text, .getenv = no_env};
    struct prom_config *c = conf_load_prometheus(&in, d);
    conf_nunchi_free(conf_load_nunchi(&in, d));
    conf_web_free(conf_load_web(&in, d));
    conf_diags_print(d, &out);
    conf_free(c);
    conf_diags_free(d);
    return 0;
}
