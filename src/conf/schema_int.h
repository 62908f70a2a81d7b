// SPDX-License-Identifier: Apache-2.0
/*
 * Schema tables and the reader that fills structs from them. A schema lists the keys of one
 * mapping; a row says the key's type, where the value goes, its default and limits, and whether
 * anything acts on it. Rules between keys are rows too; what they cannot say is the schema's
 * `check` function.
 */
#ifndef CONF_SCHEMA_INT_H
#define CONF_SCHEMA_INT_H

#include <stddef.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/yaml.h"
#include "conf/conf.h"

enum conf_type {
    CONF_BOOL,        /* bool */
    CONF_TRI,         /* int: -1 not written, 0, 1 */
    CONF_INT,         /* int64_t */
    CONF_FLOAT,       /* double */
    CONF_DURATION,    /* int64_t, ms */
    CONF_SIZE,        /* uint64_t, bytes; a unit is required */
    CONF_STR,         /* str */
    CONF_FILE,        /* str, made relative to the file's folder */
    CONF_SECRET,      /* struct conf_secret */
    CONF_ENUM,        /* int, index into `names` */
    CONF_REGEX,       /* str that compiles */
    CONF_URL,         /* str, with a scheme and a host */
    CONF_LABEL,       /* str, a label name */
    CONF_STRUCT,      /* the struct itself, defaults when it is not written */
    CONF_PTR,         /* pointer to the struct, NULL when it is not written */
    CONF_INLINE,      /* a struct whose keys stand among these; `key` is not used */
    CONF_LIST_STRUCT, /* CONF_LIST(struct) */
    CONF_LIST_STR,    /* CONF_LIST(str) */
    CONF_LIST_FILE,
    CONF_LIST_LABEL,
    CONF_LIST_SECRET,
    CONF_LIST_ENUM,  /* CONF_LIST(int) */
    CONF_MAP_STR,    /* CONF_LIST(struct conf_pair) */
    CONF_MAP_SECRET, /* the same in memory, values hidden */
    CONF_MAP_LABELS, /* the same, names are label names */
    CONF_MAP_LIST,   /* CONF_LIST(struct conf_named_list) */
    CONF_MAP_STRUCT, /* CONF_LIST(struct) whose first member is the name, a str */
    CONF_ANY,        /* anything; read by the schema's check */
};

enum conf_status {
    CONF_BUILT,
    CONF_LATER,      /* valid upstream, nothing acts on it yet: a warning */
    CONF_NO_MEANING, /* valid upstream, about something nunchi has not got; no warning */
    CONF_REFUSED,    /* valid upstream, not built, and less safe when ignored: an error */
};

#define CONF_NOWHERE SIZE_MAX

struct conf_schema;

struct conf_row {
    const char *key;
    enum conf_type type;
    size_t at;       /* CONF_NOWHERE: checked, not kept */
    const char *def; /* as it would be written; NULL: the zero value */
    const struct conf_schema *sub;
    const char *const *names; /* of an enum, "" for a value that cannot be written; NULL ends */
    double min, max;          /* of numbers; both 0: none */
    enum conf_status status;
    bool required; /* written and not empty */
    bool any_case; /* of an enum */
    const char *help;
};

enum conf_rule_kind {
    CONF_AT_MOST_ONE, /* of the keys */
    CONF_AT_LEAST_ONE,
    CONF_TOGETHER, /* all or none */
    CONF_NEEDS,    /* the first needs one of the others */
};
struct conf_rule {
    enum conf_rule_kind kind;
    const char *keys; /* separated by a space; NULL ends the list */
};

struct conf_reader;

struct conf_schema {
    const char *name; /* as the manual calls it: "scrape_config" */
    size_t size;
    const struct conf_row *rows;   /* ended by a row that is all zero */
    const struct conf_rule *rules; /* NULL: none */
    /* After the rows were read. `obj` is what was filled. */
    void (*check)(struct conf_reader *r, const struct yaml_node *map, void *obj);
    size_t pos_at; /* where its struct pos goes; CONF_NOWHERE: nowhere */
    const char *help;
};

struct conf_reader {
    struct arena *arena; /* of the configuration */
    struct conf_diags *diags;
    str file, text; /* being read; text in the diagnostics' arena */
    str dir;        /* that relative file names are relative to; empty: the working directory */
    bool strict;
    bool (*selector)(str text, struct err *err); /* of conf_input */
    int quiet;          /* > 0: inside a block that is not built, which was said already */
    struct map secrets; /* addresses of secret scalars of this file, for the printer */
};

/* ---- diag.c ---- */

/* Keeps a copy of a text as long as the diagnostics live. */
str conf_diags_keep(struct conf_diags *d, str text);
bool conf_diags_full(const struct conf_diags *d);
void conf_diags_add(struct conf_diags *d, bool is_error, const struct err *e, str text);
/* No diagnostic shows this line: a secret stands on it. */
void conf_diags_hide(struct conf_diags *d, str text, uint32_t line);

/* All return false. */
bool conf_error(struct conf_reader *r, struct pos pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool conf_error_hint(struct conf_reader *r, struct pos pos, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void conf_warn(struct conf_reader *r, struct pos pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- read.c ---- */

/* Fills `obj` (schema's size) from a mapping or null; false when something was wrong, all of which
 * was told. */
bool conf_read(struct conf_reader *r, const struct conf_schema *s, const struct yaml_node *node,
               void *obj);
/* Sets defaults as if nothing was written. */
void conf_defaults(struct conf_reader *r, const struct conf_schema *s, void *obj);
/* Where a key's value was written, or the mapping when it was not. */
struct pos conf_pos(const struct yaml_node *map, const char *key);
/* The key is there and neither null nor empty. */
bool conf_has(const struct yaml_node *map, const char *key);
/* The text of a scalar, `def` when it is not there or empty. */
str conf_text(const struct yaml_node *map, const char *key, str def);
/* The row of a key, inlined ones too; NULL when there is none. */
const struct conf_row *conf_row_find(const struct conf_schema *s, str key);

/* ---- rules.c ---- */
void conf_rules_check(struct conf_reader *r, const struct conf_schema *s,
                      const struct yaml_node *map);

/* ---- scalar.c ---- */

/* Reads a scalar of a scalar type into `dst`. */
bool conf_scalar(struct conf_reader *r, const struct conf_row *row, enum conf_type type,
                 const struct yaml_node *node, struct pos pos, void *dst);
bool conf_label_name(struct conf_reader *r, const struct yaml_node *node);
str conf_join_path(struct arena *a, str dir, str path);
/* Marks a scalar as secret for printers of the file. */
void conf_mark_secret(struct conf_reader *r, const struct yaml_node *node);
/* No diagnostic quotes the lines of this node or of what is in it. */
void conf_hide_tree(struct conf_reader *r, const struct yaml_node *node);

/* ---- secret.c ---- */

/* The text holds a word that keys of secrets have. */
bool conf_names_secret(str text);
/* The first password in scheme://user:password@host behind `from`; empty: none. A part of `text`.
 */
str conf_url_password(str text, size_t from);
/* No diagnostic shows the lines that have one. */
void conf_hide_url_passwords(struct conf_diags *d, str text);
/* Appends the text with <secret> in place of each. */
void conf_mask_url_passwords(str text, struct strbuf *out);

/* ---- print.c ---- */

/* The tree as YAML with <secret> in place of the marked scalars. */
str conf_print_yaml(const struct conf_reader *r, const struct yaml_node *root);

/* ---- load.c ---- */

/* The text of the input in the diagnostics' arena; false when it cannot be read, which was told. */
bool conf_open(struct conf_reader *r, const struct conf_input *in, struct yaml_node **root);
void conf_reader_fini(struct conf_reader *r);

/* ---- prometheus.c ---- */
extern const struct conf_schema conf_schema_prometheus;
/* Reads a parsed tree into `c`, whose arena is ready. */
bool conf_prometheus_from(struct conf_reader *r, const struct conf_input *in,
                          const struct yaml_node *root, struct prom_config *c);

/* ---- http.c, relabel.c, scrape.c, later.c, sd.c, nunchi.c, web.c ---- */
extern const struct conf_schema conf_schema_http, conf_schema_tls, conf_schema_http_headers;
extern const struct conf_schema conf_schema_relabel;
extern const struct conf_schema conf_schema_scrape, conf_schema_static, conf_schema_limits,
    conf_schema_native;
extern const struct conf_schema conf_schema_sd;
extern const struct conf_schema conf_schema_alerting, conf_schema_remote_write,
    conf_schema_remote_read, conf_schema_otlp, conf_schema_storage, conf_schema_tracing,
    conf_schema_runtime;
extern const struct conf_schema conf_schema_nunchi, conf_schema_web;
extern const char *const conf_protocol_names[], *const conf_name_scheme_names[],
                                                    *const conf_escaping_names[],
                                                        *const conf_url_scheme_names[],
                                                            *const conf_tls_version_names[];

/* tiers.c: `storage` of nunchi.yml, whose tiers it parses. */
void conf_storage_check(struct conf_reader *r, const struct yaml_node *map, void *obj);

bool conf_header_reserved(str name);
/* What Validate of upstream's relabel.Config refuses. `legacy`: names must be identifiers. */
bool conf_relabels_check(struct conf_reader *r, const conf_relabels *list, bool legacy);
/* A target address is host:port, not a URL. */
void conf_targets_check(struct conf_reader *r, const struct yaml_node *static_configs);

#endif
