#include "config/subscribers.h"
#include "config/options.h"
#include "config/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64, TOPIC_BYTES_MAX = 249, TEXT_MAX = 4096 };

struct loader {
    struct ss_config *config;
    const char *path;
    ss_subscribers_expand *expand;
    void *arg;
    struct ss_error *err;
};

static enum ss_status fail(const struct loader *loader, int line, const char *what,
                           const char *problem)
{
    return ss_fail(loader->err, SS_STOP, "%s:%d: subscribers: %s%s%s", loader->path, line, what,
                   *what ? ": " : "", problem);
}

/* The value of a key as a text of its own; the caller frees *text. */
static enum ss_status take_text(const struct loader *loader, const struct ss_yaml_node *node,
                                const char *what, char **text)
{
    struct ss_buffer value;
    *text = NULL;
    if (node->kind != SS_YAML_SCALAR)
        return fail(loader, node->line, what, "takes one text");
    ss_buffer_init(&value, TEXT_MAX);
    enum ss_status status = loader->expand(loader->arg, node->line, what, node->text, &value);
    if (status == SS_OK) {
        *text = strdup((const char *)value.data);
        if (!*text)
            status = fail(loader, node->line, what, "out of memory");
    }
    ss_buffer_reset(&value);
    return status;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return size >= 1 && size <= NAME_BYTES_MAX;
}

static bool is_topic(const char *topic)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(topic);
    return size >= 1 && size <= TOPIC_BYTES_MAX && strspn(topic, letters) == size;
}

static enum ss_status load_field(const struct loader *loader, struct ss_subscriber *subscriber,
                                 const struct ss_yaml_node *node)
{
    const char *names[SS_FIELD_COUNT];
    char problem[200], *text;
    int field = 0;
    enum ss_status status = take_text(loader, node, "fields", &text);
    if (status != SS_OK)
        return status;
    for (int i = 0; i < SS_FIELD_COUNT; i++)
        names[i] = ss_score_field_name((enum ss_score_field)i);
    while (field < SS_FIELD_COUNT && strcmp(names[field], text) != 0)
        field++;
    *problem = '\0';
    if (field == SS_FIELD_COUNT) {
        const char *meant = ss_suggest(text, names, SS_FIELD_COUNT);
        snprintf(problem, sizeof problem, "'%.60s' is no field that can be shared%s%s%s", text,
                 meant ? "; did you mean " : "; docs/configuration.md lists them",
                 meant ? meant : "", meant ? "?" : "");
    } else if (subscriber->fields & SS_FIELD_BIT(field)) {
        snprintf(problem, sizeof problem, "%s is there twice", text);
    } else {
        subscriber->fields |= SS_FIELD_BIT(field);
    }
    free(text);
    return *problem ? fail(loader, node->line, "fields", problem) : SS_OK;
}

static enum ss_status load_fields(const struct loader *loader, struct ss_subscriber *subscriber,
                                  const struct ss_yaml_node *node)
{
    enum ss_status status = SS_OK;
    if (node->kind != SS_YAML_LIST || node->count == 0)
        return fail(loader, node->line, "fields",
                    "takes a list of at least one, as in [standing, score]; without the key, the "
                    "default holds");
    for (const struct ss_yaml_node *item = node->first; status == SS_OK && item; item = item->next)
        status = load_field(loader, subscriber, item);
    return status;
}

static enum ss_status load_keys(const struct loader *loader, struct ss_subscriber *subscriber,
                                const struct ss_yaml_node *map)
{
    enum ss_status status = SS_OK;
    for (const struct ss_yaml_node *node = map->first; status == SS_OK && node; node = node->next) {
        if (strcmp(node->key, "name") == 0)
            status = take_text(loader, node, "name", &subscriber->name);
        else if (strcmp(node->key, "topic") == 0)
            status = take_text(loader, node, "topic", &subscriber->topic);
        else if (strcmp(node->key, "fields") == 0)
            status = load_fields(loader, subscriber, node);
        else
            status = fail(loader, node->line, node->key,
                          "not known here; a subscriber has name, topic and fields");
    }
    return status;
}

static enum ss_status complete(const struct loader *loader, struct ss_subscriber *subscriber)
{
    if (!subscriber->name)
        return fail(loader, subscriber->line, "", "an entry without a name");
    if (!is_name(subscriber->name))
        return fail(loader, subscriber->line, "name",
                    "must be 1 to 64 bytes without control characters");
    subscriber->hash =
        ss_subscriber_hash((struct ss_text){subscriber->name, (uint32_t)strlen(subscriber->name)});
    if (!subscriber->topic && asprintf(&subscriber->topic, "scores.%s", subscriber->name) < 0) {
        subscriber->topic = NULL;
        return fail(loader, subscriber->line, "topic", "out of memory");
    }
    if (!is_topic(subscriber->topic)) {
        char problem[400];
        snprintf(problem, sizeof problem,
                 "'%.250s' cannot be the name of a topic (1 to 249 of A-Z a-z 0-9 . _ -); set "
                 "`topic`",
                 subscriber->topic);
        return fail(loader, subscriber->line, "topic", problem);
    }
    if (!subscriber->fields)
        subscriber->fields = SS_FIELDS_DEFAULT;
    return SS_OK;
}

enum ss_status ss_subscribers_load(struct ss_config *config, const struct ss_yaml_node *node,
                                   const char *path, ss_subscribers_expand *expand, void *arg,
                                   struct ss_error *err)
{
    const struct loader loader = {config, path, expand, arg, err};
    if (node->kind == SS_YAML_NOTHING)
        return SS_OK; /* all of it commented out */
    if (node->kind != SS_YAML_LIST)
        return fail(&loader, node->line, "", "takes a list; each entry begins with `- name:`");
    for (const struct ss_yaml_node *item = node->first; item; item = item->next) {
        if (config->subscriber_count == SS_SUBSCRIBERS_MAX)
            return fail(&loader, item->line, "", "more than 32");
        if (item->kind != SS_YAML_MAP)
            return fail(&loader, item->line, "", "an entry must be a map that begins with `name:`");
        struct ss_subscriber *subscriber = &config->subscribers[config->subscriber_count++];
        subscriber->line = item->line;
        enum ss_status status = load_keys(&loader, subscriber, item);
        if (status == SS_OK)
            status = complete(&loader, subscriber);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

static enum ss_status check_topic(const struct ss_config *config, int i, struct ss_error *err)
{
    const struct ss_subscriber *subscriber = &config->subscribers[i];
    for (size_t o = 0; o < ss_option_count; o++) {
        /* Only reads; the accessor serves writers too and therefore is not const. */
        if (ss_options[o].type == SS_OPTION_TOPIC &&
            strcmp(*ss_option_text((struct ss_config *)config, &ss_options[o]),
                   subscriber->topic) == 0)
            return ss_fail(err, SS_STOP,
                           "%s and the topic of subscriber %s are both '%.100s'; every topic needs "
                           "a name of its own",
                           ss_options[o].name, subscriber->name, subscriber->topic);
    }
    return SS_OK;
}

enum ss_status ss_subscribers_check(const struct ss_config *config, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int i = 0; status == SS_OK && i < config->subscriber_count; i++) {
        const struct ss_subscriber *a = &config->subscribers[i];
        status = check_topic(config, i, err);
        for (int j = 0; status == SS_OK && j < i; j++) {
            const struct ss_subscriber *b = &config->subscribers[j];
            if (strcmp(a->name, b->name) == 0)
                status = ss_fail(err, SS_STOP, "subscriber %s is there twice, on lines %d and %d",
                                 a->name, b->line, a->line);
            else if (a->hash == b->hash)
                status = ss_fail(err, SS_STOP,
                                 "subscribers %s and %s cannot be told apart: states keep 32 bits "
                                 "of a hash of the name; rename one",
                                 b->name, a->name);
            else if (strcmp(a->topic, b->topic) == 0)
                status = ss_fail(err, SS_STOP,
                                 "subscribers %s and %s have both the topic '%.100s'; every topic "
                                 "needs a name of its own",
                                 b->name, a->name, a->topic);
        }
    }
    return status;
}

void ss_subscribers_reset(struct ss_config *config)
{
    for (int i = 0; i < config->subscriber_count; i++) {
        free(config->subscribers[i].name);
        free(config->subscribers[i].topic);
    }
    config->subscriber_count = 0;
}
