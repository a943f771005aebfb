/* yaml_tree.h - a YAML file as a tree of nodes that know their lines; what both loaders read.
 *
 * libyaml does the parsing; here its events become maps, lists and scalars. Strict where YAML is
 * lax: duplicate keys, anchors, aliases, tags, several documents and keys that are not plain text
 * are errors. Scalars stay text: what a "no" or a "010" means is for the reader of the key to say.
 *
 * Bounded: SS_YAML_SIZE_MAX bytes, SS_YAML_DEPTH_MAX levels, SS_YAML_NODES_MAX nodes. Errors read
 * "SOURCE:LINE: what is wrong" and are SS_STOP. A document belongs to one thread at a time.
 */
#ifndef SS_CONFIG_YAML_TREE_H
#define SS_CONFIG_YAML_TREE_H

#include "base/status.h"

#include <stddef.h>

enum { SS_YAML_SIZE_MAX = 1 << 20, SS_YAML_DEPTH_MAX = 12, SS_YAML_NODES_MAX = 10000 };

enum ss_yaml_kind {
    SS_YAML_SCALAR,
    SS_YAML_LIST,
    SS_YAML_MAP,
    SS_YAML_NOTHING, /* `key:` with nothing behind it, or an empty document */
};

struct ss_yaml_node {
    enum ss_yaml_kind kind;
    int line;                   /* from 1: of the key in a map, else where the value starts */
    char *key;                  /* in a map; else NULL */
    char *text;                 /* of a SCALAR, without zero bytes; else NULL */
    int count;                  /* children */
    struct ss_yaml_node *first; /* child, in the order of the file */
    struct ss_yaml_node *next;  /* sibling */
};

struct ss_yaml; /* owns all nodes */

/* Parses text; `source` names it in errors and must live as long as the document does. */
SS_MUST_USE enum ss_status ss_yaml_parse(const char *text, size_t size, const char *source,
                                         struct ss_yaml **document, struct ss_error *err);
void ss_yaml_close(struct ss_yaml *document); /* NULL is fine */

const struct ss_yaml_node *ss_yaml_root(const struct ss_yaml *document);

/* The child of a map by key, or NULL. */
const struct ss_yaml_node *ss_yaml_find(const struct ss_yaml_node *map, const char *key);

/* Reads a whole file of at most SS_YAML_SIZE_MAX bytes; the caller frees *text. */
SS_MUST_USE enum ss_status ss_yaml_read_file(const char *path, char **text, size_t *size,
                                             struct ss_error *err);

#endif
