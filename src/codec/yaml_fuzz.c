// SPDX-License-Identifier: Apache-2.0
/* Any text ends in an error with a place in it, or in a tree that keeps to its limits. */
#include <assert.h>

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint32_t walk(const struct yaml_node *node, str text, uint32_t depth)
{
    assert(depth <= YAML_DEPTH_MAX + 1);
    assert(node->pos.line >= 1 && node->pos.col >= 1);
    uint32_t nodes = 1;
    for (size_t i = 0; i < node->n; i++) {
        if (node->kind == YAML_SEQUENCE) {
            nodes += walk(node->items[i], text, depth + 1);
            continue;
        }
        const struct yaml_pair *pair = &node->pairs[i];
        assert(yaml_get_pair(node, pair->key->value) == pair);
        nodes += walk(pair->key, text, depth + 1) + walk(pair->value, text, depth + 1);
    }
    if (node->kind == YAML_SCALAR)
        yaml_value_pos(node, text, node->value.n / 2);
    assert(nodes == node->weight);
    return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 4096)
        return 0; /* look-ups by key are linear */
    str text = str_of((const char *)data, n);
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node **docs;
    size_t docs_n;
    if (!yaml_parse_all(text, &a, &docs, &docs_n, &err)) {
        assert(err.kind != ERR_NONE && err.msg[0] && err.pos.line >= 1);
        return 0;
    }
    for (size_t i = 0; i < docs_n; i++)
        assert(walk(docs[i], text, 1) <= YAML_NODES_MAX + YAML_ALIASED_MAX);
    struct yaml_node *root;
    bool one = yaml_parse(text, &a, &root, &err);
    assert(one == (docs_n <= 1));
    return 0;
}
