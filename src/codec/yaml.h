// SPDX-License-Identifier: Apache-2.0
/*
 * YAML text to a tree in an arena: libyaml's events, our composer.
 *
 * Every node knows the line and column it was written at, so that whoever reads the tree can say
 * where a value is wrong. The tree keeps how a scalar was written and does not interpret it: `5`,
 * `yes` and
 * `~` are plain scalars with these texts, and what they mean is decided by the field that reads
 * them (conf/). Nodes are shared where aliases were used and immutable once parsed.
 *
 *     struct yaml_node *root;
 *     if (!yaml_parse(text, &arena, &root, err))
 *         return err_wrap(err, "%s", path);
 *     const struct yaml_node *targets = yaml_get(root, STR("targets"));
 *
 * Resolved here: anchors and aliases; `<<` merge keys (keys of the mapping itself win, then the
 * first merged mapping that has the key; merged pairs follow the mapping's own). An empty document
 * is a plain scalar with an empty value, as is a key without a value.
 *
 * Refused, with a position: a key twice in one mapping (compared by text, as Go's yaml.v3 does),
 * keys that are not scalars, an alias to an unknown anchor or to a node that contains it, text that
 * is not UTF-8, and anything past the limits below. Input of any size and shape ends in an error or
 * a tree whose full walk, aliases followed, takes at most YAML_NODES_MAX + YAML_ALIASED_MAX steps
 * and goes no deeper than YAML_DEPTH_MAX.
 *
 * Go's yaml.v2 and v3, which Prometheus and Alertmanager use, scan as libyaml does, of which they
 * are a translation: what is text, a key or an error here is the same there.
 */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "base/arena.h"
#include "base/err.h"

enum {
    YAML_BYTES_MAX = 64 << 20,
    YAML_DEPTH_MAX = 64,       /* nested sequences and mappings, aliases followed */
    YAML_NODES_MAX = 1000000,  /* written in one text */
    YAML_ALIASED_MAX = 100000, /* nodes that come in by aliases and merges, each time they do */
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

enum yaml_style {
    YAML_PLAIN, /* of a scalar: no quotes, so it may be read as a number, a bool or null */
    YAML_SINGLE_QUOTED,
    YAML_DOUBLE_QUOTED,
    YAML_LITERAL, /* block, `|` */
    YAML_FOLDED,  /* block, `>` */
    YAML_FLOW,    /* of a sequence or mapping: [a, b] or {a: b} */
    YAML_BLOCK,   /* of a sequence or mapping: lines with - or key: */
};

struct yaml_pair;

struct yaml_node {
    enum yaml_kind kind;
    enum yaml_style style;
    struct pos pos; /* of the first byte; for an aliased node, where it was written */
    str tag;        /* "tag:yaml.org,2002:str" for `!!str`, "!secret" for `!secret`; empty: none */
    str value;      /* of a scalar, followed by a NUL that the length does not count */
    size_t n;       /* items or pairs */
    union {
        struct yaml_node **items; /* of a sequence */
        struct yaml_pair *pairs;  /* of a mapping, in the order written */
    };
    uint32_t weight, depth; /* nodes and levels of this tree, aliases followed */
};

struct yaml_pair {
    struct yaml_node *key; /* a scalar */
    struct yaml_node *value;
    struct pos pos; /* of the value as written here: an alias' own place, not its anchor's */
    bool merged;    /* came in by `<<` */
};

/* The one document of a text. More than one is an error. Errors are ERR_INVALID or ERR_LIMIT. */
bool yaml_parse(str text, struct arena *a, struct yaml_node **root, struct err *err);
/* All documents of a text; none in an empty one. */
bool yaml_parse_all(str text, struct arena *a, struct yaml_node ***docs, size_t *n,
                    struct err *err);

/* Value of a key; NULL when there is none or `map` is NULL or not a mapping. */
const struct yaml_node *yaml_get(const struct yaml_node *map, str key);
/* The same with the key's node and position. */
const struct yaml_pair *yaml_get_pair(const struct yaml_node *map, str key);

/* A scalar that may stand for something else than its text: plain and without the tag !!str or "!".
 */
bool yaml_is_plain(const struct yaml_node *node);
/* Nothing was written, or a plain ~, null, Null, NULL, or the tag !!null. NULL itself is null. */
bool yaml_is_null(const struct yaml_node *node);
/* "scalar", "sequence" or "mapping", for messages. */
const char *yaml_kind_name(enum yaml_kind kind);

/*
 * Where byte `offset` of a scalar's value stands in `text`, the text that was parsed: for errors in
 * a language embedded in YAML. Exact for plain and quoted scalars on one line without escapes and
 * for literal blocks; otherwise the scalar's own position.
 */
struct pos yaml_value_pos(const struct yaml_node *scalar, str text, size_t offset);

#endif
