#include "config/yaml_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct ss_yaml {
    const char *source;
    struct ss_yaml_node *root;
    int node_count;
};

/* One parse in progress. */
struct reader {
    yaml_parser_t parser;
    struct ss_yaml *document;
    struct ss_error *err;
};

static void node_free(struct ss_yaml_node *node)
{
    while (node) {
        struct ss_yaml_node *next = node->next;
        node_free(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

static enum ss_status fail_at(const struct reader *reader, size_t line0, const char *what)
{
    return ss_fail(reader->err, SS_STOP, "%s:%zu: %s", reader->document->source, line0 + 1, what);
}

static enum ss_status next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return SS_OK;
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ss_fail(reader->err, SS_STOP, "%s: out of memory", reader->document->source);
    /* A reader error (bytes that are not UTF-8) has an offset and no mark. */
    if (parser->error == YAML_READER_ERROR)
        return ss_fail(reader->err, SS_STOP, "%s: not YAML at byte %zu: %s",
                       reader->document->source, parser->problem_offset,
                       parser->problem ? parser->problem : "unreadable");
    return ss_fail(reader->err, SS_STOP, "%s:%zu: not YAML: %s%s%s", reader->document->source,
                   parser->problem_mark.line + 1, parser->problem ? parser->problem : "unreadable",
                   parser->context ? ", " : "", parser->context ? parser->context : "");
}

/* What an event must not carry, whatever it is. */
static enum ss_status check_event(const struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(reader, event->start_mark.line,
                       "aliases (*name) are not supported; write the value out");
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
            return fail_at(reader, event->start_mark.line, "a zero byte inside a value");
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        return SS_OK;
    }
    if (anchor)
        return fail_at(reader, event->start_mark.line,
                       "anchors (&name) are not supported; write the value out");
    if (tag)
        return fail_at(reader, event->start_mark.line,
                       "tags (!name) are not supported; write the plain value");
    return SS_OK;
}

static struct ss_yaml_node *node_new(struct reader *reader, size_t line0, enum ss_status *status)
{
    if (++reader->document->node_count > SS_YAML_NODES_MAX) {
        *status = fail_at(reader, line0, "too many values in this file");
        return NULL;
    }
    struct ss_yaml_node *node = calloc(1, sizeof *node);
    if (!node) {
        *status = fail_at(reader, line0, "out of memory");
        return NULL;
    }
    node->line = (int)line0 + 1;
    return node;
}

static enum ss_status read_value(struct reader *reader, const yaml_event_t *event, int depth,
                                 struct ss_yaml_node **out);

/* Takes the children up to the event that ends the collection. */
static enum ss_status read_children(struct reader *reader, struct ss_yaml_node *node, int depth)
{
    bool is_map = node->kind == SS_YAML_MAP;
    yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    struct ss_yaml_node **tail = &node->first;
    for (;;) {
        yaml_event_t event;
        enum ss_status status = next_event(reader, &event);
        if (status != SS_OK)
            return status;
        if (event.type == end) {
            yaml_event_delete(&event);
            return SS_OK;
        }
        char *key = NULL;
        size_t key_line = event.start_mark.line;
        if (is_map) {
            status = check_event(reader, &event);
            if (status == SS_OK && (event.type != YAML_SCALAR_EVENT || !event.data.scalar.length))
                status = fail_at(reader, key_line, "a key must be a plain name");
            if (status == SS_OK) {
                const char *name = (const char *)event.data.scalar.value;
                const struct ss_yaml_node *twin = ss_yaml_find(node, name);
                if (twin)
                    status = ss_fail(reader->err, SS_STOP,
                                     "%s:%zu: '%.60s' is here twice, first on line %d; keep one",
                                     reader->document->source, key_line + 1, name, twin->line);
                else if (!(key = strdup(name)))
                    status = fail_at(reader, key_line, "out of memory");
            }
            yaml_event_delete(&event);
            if (status == SS_OK)
                status = next_event(reader, &event);
            if (status != SS_OK) {
                free(key);
                return status;
            }
        }
        struct ss_yaml_node *child = NULL;
        status = read_value(reader, &event, depth, &child);
        yaml_event_delete(&event);
        if (status != SS_OK) {
            free(key);
            return status;
        }
        if (is_map) {
            child->key = key;
            child->line = (int)key_line + 1;
        }
        *tail = child;
        tail = &child->next;
        node->count++;
    }
}

static enum ss_status read_value(struct reader *reader, const yaml_event_t *event, int depth,
                                 struct ss_yaml_node **out)
{
    enum ss_status status = check_event(reader, event);
    if (status != SS_OK)
        return status;
    if (depth > SS_YAML_DEPTH_MAX)
        return fail_at(reader, event->start_mark.line, "nested too deeply");
    struct ss_yaml_node *node = node_new(reader, event->start_mark.line, &status);
    if (!node)
        return status;
    if (event->type == YAML_SCALAR_EVENT) {
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (plain && event->data.scalar.length == 0) {
            node->kind = SS_YAML_NOTHING;
        } else if (!(node->text = strdup((const char *)event->data.scalar.value))) {
            status = fail_at(reader, event->start_mark.line, "out of memory");
        }
    } else {
        node->kind = event->type == YAML_MAPPING_START_EVENT ? SS_YAML_MAP : SS_YAML_LIST;
        status = read_children(reader, node, depth + 1);
    }
    if (status != SS_OK) {
        node_free(node);
        return status;
    }
    *out = node;
    return SS_OK;
}

/* The document inside its frame of stream and document events. */
static enum ss_status read_document(struct reader *reader)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        enum ss_status status = next_event(reader, &event);
        if (status != SS_OK)
            return status;
        bool end = event.type == YAML_STREAM_END_EVENT;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_STREAM_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (seen)
                status = fail_at(reader, event.start_mark.line,
                                 "a second document begins here; keep one in a file");
            seen = true;
            break;
        default:
            status = read_value(reader, &event, 0, &reader->document->root);
            break;
        }
        yaml_event_delete(&event);
        if (status != SS_OK || end)
            return status;
    }
}

enum ss_status ss_yaml_parse(const char *text, size_t size, const char *source,
                             struct ss_yaml **document, struct ss_error *err)
{
    *document = NULL;
    if (size > SS_YAML_SIZE_MAX)
        return ss_fail(err, SS_STOP, "%s: larger than %d bytes", source, SS_YAML_SIZE_MAX);
    struct reader reader = {.err = err, .document = calloc(1, sizeof *reader.document)};
    if (!reader.document)
        return ss_fail(err, SS_STOP, "%s: out of memory", source);
    reader.document->source = source;
    enum ss_status status;
    if (!yaml_parser_initialize(&reader.parser)) {
        status = ss_fail(err, SS_STOP, "%s: out of memory", source);
    } else {
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
        status = read_document(&reader);
        yaml_parser_delete(&reader.parser);
    }
    if (status == SS_OK && !reader.document->root) {
        reader.document->root = node_new(&reader, 0, &status);
        if (reader.document->root)
            reader.document->root->kind = SS_YAML_NOTHING;
    }
    if (status != SS_OK) {
        ss_yaml_close(reader.document);
        return status;
    }
    *document = reader.document;
    return SS_OK;
}

void ss_yaml_close(struct ss_yaml *document)
{
    if (!document)
        return;
    node_free(document->root);
    free(document);
}

const struct ss_yaml_node *ss_yaml_root(const struct ss_yaml *document)
{
    return document->root;
}

const struct ss_yaml_node *ss_yaml_find(const struct ss_yaml_node *map, const char *key)
{
    if (map->kind != SS_YAML_MAP)
        return NULL;
    for (const struct ss_yaml_node *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

enum ss_status ss_yaml_read_file(const char *path, char **text, size_t *size, struct ss_error *err)
{
    *text = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return ss_fail(err, SS_STOP, "cannot read %s: %s", path, strerror(errno));
    enum ss_status status = SS_OK;
    char *data = malloc(SS_YAML_SIZE_MAX + 1);
    size_t got = 0;
    if (!data) {
        status = ss_fail(err, SS_STOP, "%s: out of memory", path);
    } else {
        got = fread(data, 1, SS_YAML_SIZE_MAX + 1, file);
        if (ferror(file))
            status = ss_fail(err, SS_STOP, "cannot read %s: %s", path, strerror(errno));
        else if (got > SS_YAML_SIZE_MAX)
            status = ss_fail(err, SS_STOP, "%s: larger than %d bytes", path, SS_YAML_SIZE_MAX);
    }
    fclose(file);
    if (status != SS_OK) {
        free(data);
        return status;
    }
    *text = data;
    *size = got;
    return SS_OK;
}
