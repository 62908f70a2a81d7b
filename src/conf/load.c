// SPDX-License-Identifier: Apache-2.0
/* From a path or a text to a tree: reading, the folder that names are relative to, YAML. */
#include <stdio.h>

#include "conf/schema_int.h"
#include "sys/file.h"

static str dir_of(str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return str_sub(path, 0, i == 1 ? 1 : i - 1);
    return (str){0};
}

static bool told(struct conf_reader *r, struct err *e)
{
    if (!e->file[0])
        snprintf(e->file, sizeof e->file, "%.*s", STR_ARG(r->file));
    conf_diags_add(r->diags, true, e, r->text);
    return false;
}

static str line_of(str text, uint32_t line)
{
    str piece = STR("");
    for (uint32_t i = 0; i < line; i++)
        if (!str_cut(&text, '\n', &piece))
            return STR("");
    return piece;
}

bool conf_open(struct conf_reader *r, const struct conf_input *in, struct yaml_node **root)
{
    struct err e = {0};
    r->file = conf_diags_keep(r->diags, in->path ? str_from_z(in->path) : STR("<text>"));
    r->dir = in->path ? dir_of(r->file) : (str){0};
    r->strict = in->strict;
    r->selector = in->selector;
    str text = in->text;
    if (!text.p && !file_read(in->path, CONF_BYTES_MAX, r->arena, &text, &e)) {
        e.file[0] = 0; /* the message names it */
        conf_diags_add(r->diags, true, &e, (str){0});
        return false;
    }
    if (text.n > CONF_BYTES_MAX)
        return conf_error(r, (struct pos){0}, "larger than %d bytes", CONF_BYTES_MAX);
    r->text = conf_diags_keep(r->diags, text);
    conf_hide_url_passwords(r->diags, r->text);
    if (!yaml_parse(r->text, r->arena, root, &e)) {
        if (conf_names_secret(line_of(r->text, e.pos.line)))
            conf_diags_hide(r->diags, r->text, e.pos.line);
        return told(r, &e);
    }
    return true;
}

void conf_reader_fini(struct conf_reader *r)
{
    map_fini(&r->secrets);
}
