#include "config/config.h"
#include "config/options.h"
#include "config/subscribers.h"
#include "config/yaml_tree.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 128, VALUE_MAX_BYTES = 1 << 16, PROBLEM_MAX = 360, PROPERTIES_MAX = 1000 };

/* --- what is kept --- */

static enum ss_status set_instance(struct ss_config *config, struct ss_error *err)
{
    char host[65] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !*host)
        snprintf(host, sizeof host, "localhost");
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '-';
    config->instance = strdup(host);
    return config->instance ? SS_OK : ss_fail(err, SS_STOP, "out of memory");
}

enum ss_status ss_config_init(struct ss_config *config, struct ss_error *err)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < ss_option_count; i++) {
        char problem[PROBLEM_MAX];
        const struct ss_option *option = &ss_options[i];
        if (option->fallback &&
            !ss_option_store(config, option, option->fallback, NULL, problem, sizeof problem)) {
            ss_config_reset(config);
            return ss_fail(err, SS_STOP, "default of %s: %s", option->name, problem);
        }
    }
    enum ss_status status = set_instance(config, err);
    if (status != SS_OK)
        ss_config_reset(config);
    return status;
}

void ss_config_reset(struct ss_config *config)
{
    for (size_t i = 0; i < ss_option_count; i++)
        if (!ss_option_is_number(&ss_options[i]))
            free(*ss_option_text(config, &ss_options[i]));
    for (size_t i = 0; i < config->property_count; i++) {
        free(config->properties[i].name);
        free(config->properties[i].value);
    }
    free(config->properties);
    ss_subscribers_reset(config);
    free(config->file);
    memset(config, 0, sizeof *config);
}

/* Drops what a later -X for these clients makes pointless, so that the list does not grow. */
static void drop_properties(struct ss_config *config, enum ss_clients clients, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < config->property_count; i++) {
        struct ss_property *property = &config->properties[i];
        bool covered = clients == SS_CLIENTS_ALL || property->clients == clients;
        if (covered && strcmp(property->name, name) == 0) {
            free(property->name);
            free(property->value);
        } else {
            config->properties[kept++] = *property;
        }
    }
    config->property_count = kept;
}

static bool append_property(struct ss_config *config, enum ss_clients clients, const char *name,
                            const char *value, int line)
{
    struct ss_property *grown =
        reallocarray(config->properties, config->property_count + 1, sizeof *config->properties);
    if (!grown)
        return false;
    config->properties = grown;
    struct ss_property *property = &grown[config->property_count];
    *property = (struct ss_property){
        .clients = clients, .name = strdup(name), .value = strdup(value), .line = line};
    if (!property->name || !property->value) {
        free(property->name);
        free(property->value);
        return false;
    }
    config->property_count++;
    return true;
}

/* "kafka.x" and its like: which clients, and the property's own name. false: another name. */
static bool property_name(const char *name, enum ss_clients *clients, const char **rest)
{
    static const struct {
        const char *prefix;
        enum ss_clients clients;
    } prefixes[] = {{"kafka", SS_CLIENTS_ALL},
                    {"kafka_consumer", SS_CLIENTS_CONSUMER},
                    {"kafka_producer", SS_CLIENTS_PRODUCER}};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t size = strlen(prefixes[i].prefix);
        if (strncmp(name, prefixes[i].prefix, size) == 0 &&
            (name[size] == '.' || name[size] == '\0')) {
            *clients = prefixes[i].clients;
            *rest = name[size] ? name + size + 1 : "";
            return true;
        }
    }
    return false;
}

/* Checks and appends; on failure says why in problem. */
static bool store_property(struct ss_config *config, enum ss_clients clients, const char *name,
                           const char *value, int line, char *problem, size_t problem_size)
{
    const char *why = ss_property_refused(name);
    if (why) {
        snprintf(problem, problem_size, "sesame sets this property itself: %s", why);
        return false;
    }
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) {
            snprintf(problem, problem_size, "not the name of a property");
            return false;
        }
    if (*name == '\0' || config->property_count >= PROPERTIES_MAX) {
        snprintf(problem, problem_size, *name ? "too many properties" : "a name is missing");
        return false;
    }
    if (!append_property(config, clients, name, value, line)) {
        snprintf(problem, problem_size, "out of memory");
        return false;
    }
    return true;
}

const char *ss_config_property(const struct ss_config *config, enum ss_clients clients,
                               const char *name)
{
    for (size_t i = config->property_count; i > 0; i--) {
        const struct ss_property *property = &config->properties[i - 1];
        if (ss_property_is_for(property, clients) && strcmp(property->name, name) == 0)
            return property->value;
    }
    return NULL;
}

/* --- the file --- */

struct loader {
    struct ss_config *config;
    const char *path;
    char *folder;
    struct ss_error *err;
};

static enum ss_status fail(const struct loader *loader, int line, const char *name,
                           const char *problem)
{
    return ss_fail(loader->err, SS_STOP, "%s:%d: %s: %s", loader->path, line, name, problem);
}

/* Appends the value of the variable that `text`, just behind "${", names; *end is set behind "}".
 */
static enum ss_status substitute(const struct loader *loader, int line, const char *name,
                                 const char *text, const char **end, struct ss_buffer *out)
{
    char variable[NAME_MAX_BYTES];
    char problem[PROBLEM_MAX];
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    const char *rest = text + size;
    const char *close = strchr(rest, '}');
    bool has_default = strncmp(rest, ":-", 2) == 0;
    if (size == 0 || size >= sizeof variable || isdigit((unsigned char)*text) || !close ||
        (!has_default && close != rest))
        return fail(loader, line, name,
                    "${ must be followed by NAME} or NAME:-default}; write $${ for a plain ${");
    memcpy(variable, text, size);
    variable[size] = '\0';
    *end = close + 1;
    const char *value = getenv(variable);
    size_t value_size = value ? strlen(value) : 0;
    if (has_default && value_size == 0) {
        value = rest + 2;
        value_size = (size_t)(close - value);
    }
    if (!value) {
        snprintf(problem, sizeof problem,
                 "the environment variable %.60s is not set; set it, or write ${%.60s:-default}",
                 variable, variable);
        return fail(loader, line, name, problem);
    }
    if (!ss_buffer_append(out, value, value_size))
        return fail(loader, line, name, "the value is too long");
    return SS_OK;
}

/* The text with its ${…} replaced and a closing zero byte. What was put in is not looked at again.
 */
static enum ss_status expand(const struct loader *loader, int line, const char *name,
                             const char *text, struct ss_buffer *out)
{
    enum ss_status status = SS_OK;
    while (*text && status == SS_OK) {
        if (strncmp(text, "$${", 3) == 0) {
            text++;
        } else if (strncmp(text, "${", 2) == 0) {
            status = substitute(loader, line, name, text + 2, &text, out);
            continue;
        }
        /* Up to the next dollar; one that is not ours is a character like any other. */
        size_t size = 1 + strcspn(text + 1, "$");
        if (!ss_buffer_append(out, text, size))
            status = fail(loader, line, name, "the value is too long");
        text += size;
    }
    if (status == SS_OK && !ss_buffer_append(out, "", 1))
        status = fail(loader, line, name, "the value is too long");
    return status;
}

static enum ss_status load_value(struct loader *loader, int line, const char *name,
                                 const char *value)
{
    struct ss_config *config = loader->config;
    char problem[PROBLEM_MAX];
    enum ss_clients clients;
    const char *rest;
    if (property_name(name, &clients, &rest)) {
        for (size_t i = 0; i < config->property_count; i++)
            if (config->properties[i].clients == clients &&
                strcmp(config->properties[i].name, rest) == 0) {
                snprintf(problem, sizeof problem, "set twice, first on line %d; keep one",
                         config->properties[i].line);
                return fail(loader, line, name, problem);
            }
        if (!store_property(config, clients, rest, value, line, problem, sizeof problem))
            return fail(loader, line, name, problem);
        return SS_OK;
    }
    const struct ss_option *option = ss_option_find(name);
    int *set_by = &config->set_by[option - ss_options];
    if (*set_by > 0) {
        snprintf(problem, sizeof problem, "set twice, first on line %d; keep one", *set_by);
        return fail(loader, line, name, problem);
    }
    if (!ss_option_store(config, option, value, loader->folder, problem, sizeof problem))
        return fail(loader, line, name, problem);
    *set_by = line;
    return SS_OK;
}

static enum ss_status load_scalar(struct loader *loader, const struct ss_yaml_node *node,
                                  const char *name)
{
    struct ss_buffer value;
    ss_buffer_init(&value, VALUE_MAX_BYTES);
    enum ss_status status = expand(loader, node->line, name, node->text, &value);
    if (status == SS_OK)
        status = load_value(loader, node->line, name, (const char *)value.data);
    ss_buffer_reset(&value);
    return status;
}

static enum ss_status expand_text(void *arg, int line, const char *name, const char *text,
                                  struct ss_buffer *out)
{
    return expand(arg, line, name, text, out);
}

static enum ss_status fail_unknown(const struct loader *loader, int line, const char *name)
{
    char problem[PROBLEM_MAX];
    const char *meant = ss_option_suggest(name);
    if (meant)
        snprintf(problem, sizeof problem, "no such option; did you mean %s?", meant);
    else if (strchr(name, '.'))
        snprintf(problem, sizeof problem,
                 "no such option; properties of librdkafka go below `kafka:`, and "
                 "docs/configuration.md lists ours");
    else
        snprintf(problem, sizeof problem, "no such option; docs/configuration.md lists them all");
    return fail(loader, line, name, problem);
}

/* Whether a node belongs to this pass. The properties of one kind of client come after those of
 * all, wherever they stand in the file, so that the special ones win. */
static bool in_pass(const char *name, int pass)
{
    enum ss_clients clients;
    const char *rest;
    bool special = property_name(name, &clients, &rest) && clients != SS_CLIENTS_ALL;
    return special == (pass == 1);
}

static enum ss_status load_map(struct loader *loader, const struct ss_yaml_node *map,
                               const char *prefix, int pass);

static enum ss_status load_node(struct loader *loader, const struct ss_yaml_node *node,
                                const char *name, int pass)
{
    enum ss_clients clients;
    const char *rest;
    bool is_property = property_name(name, &clients, &rest);
    if (strcmp(name, "subscribers") == 0)
        return ss_subscribers_load(loader->config, node, loader->path, expand_text, loader,
                                   loader->err);
    bool is_section = ss_option_section_find(name) || (is_property && !*rest);
    if (!is_section && !is_property && !ss_option_find(name)) {
        /* The first key below an unknown map would only be unknown as well. */
        return fail_unknown(loader, node->line, name);
    }
    switch (node->kind) {
    case SS_YAML_MAP:
        if (is_section || is_property)
            return load_map(loader, node, name, pass);
        return fail(loader, node->line, name, "takes one value, not a map");
    case SS_YAML_LIST:
        return fail(loader, node->line, name,
                    is_property ? "takes one text; separate several values by commas"
                                : "takes one value, not a list");
    case SS_YAML_NOTHING:
        if (is_section)
            return SS_OK; /* all of it commented out */
        return fail(loader, node->line, name, "has no value; give one or remove the line");
    default:
        if (is_section)
            return fail(loader, node->line, name,
                        "is a section; its settings go below it, indented");
        return load_scalar(loader, node, name);
    }
}

static enum ss_status load_map(struct loader *loader, const struct ss_yaml_node *map,
                               const char *prefix, int pass)
{
    for (const struct ss_yaml_node *node = map->first; node; node = node->next) {
        char name[NAME_MAX_BYTES];
        int size = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", node->key);
        if (size < 0 || (size_t)size >= sizeof name)
            return fail(loader, node->line, "this key", "longer than any that there is");
        if (!in_pass(name, pass))
            continue;
        enum ss_status status = load_node(loader, node, name, pass);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

static enum ss_status load_root(struct loader *loader, const struct ss_yaml_node *root)
{
    if (root->kind == SS_YAML_NOTHING)
        return SS_OK;
    if (root->kind != SS_YAML_MAP)
        return ss_fail(loader->err, SS_STOP, "%s:%d: must be a map of `name: value` lines",
                       loader->path, root->line);
    enum ss_status status = load_map(loader, root, "", 0);
    return status == SS_OK ? load_map(loader, root, "", 1) : status;
}

enum ss_status ss_config_parse(struct ss_config *config, const char *text, size_t size,
                               const char *path, struct ss_error *err)
{
    const char *slash = strrchr(path, '/');
    /* "/sesame.yaml" lies in "/", which is written as an empty text before "/name". */
    char *folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    struct loader loader = {.config = config, .path = path, .folder = folder, .err = err};
    struct ss_yaml *document = NULL;
    free(config->file);
    config->file = strdup(path);
    enum ss_status status = folder && config->file ? ss_yaml_parse(text, size, path, &document, err)
                                                   : ss_fail(err, SS_STOP, "out of memory");
    if (status == SS_OK)
        status = load_root(&loader, ss_yaml_root(document));
    ss_yaml_close(document);
    free(folder);
    return status;
}

enum ss_status ss_config_load(struct ss_config *config, const char *path, struct ss_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum ss_status status = ss_yaml_read_file(path, &text, &size, err);
    if (status == SS_OK)
        status = ss_config_parse(config, text, size, path, err);
    free(text);
    return status;
}

/* --- -X --- */

/* The option that a name which is none of ours was surely meant to be: "redis.ulr", "worker". A
 * name of librdkafka's must pass, and those begin with "batch." and "log." too, but have no
 * underscore then. */
static bool is_mistyped(const char *name)
{
    char section[NAME_MAX_BYTES];
    const char *dot = strchr(name, '.');
    if (!dot)
        return ss_option_suggest(name) && !strchr(name, '_');
    snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
    if (!ss_option_section_find(section))
        return false;
    bool shared = strcmp(section, "batch") == 0 || strcmp(section, "log") == 0;
    return !shared || strchr(dot, '_');
}

enum ss_status ss_config_set(struct ss_config *config, const char *assignment, struct ss_error *err)
{
    char name[NAME_MAX_BYTES];
    char problem[PROBLEM_MAX];
    const char *equals = strchr(assignment, '=');
    size_t size = equals ? (size_t)(equals - assignment) : 0;
    if (size == 0 || size >= sizeof name)
        return ss_fail(err, SS_STOP, "-X needs name=value, as in -X bootstrap.servers=host:9092");
    memcpy(name, assignment, size);
    name[size] = '\0';
    const char *value = equals + 1;
    if (strlen(value) >= VALUE_MAX_BYTES)
        return ss_fail(err, SS_STOP, "-X %s: the value is too long", name);

    if (strcmp(name, "subscribers") == 0)
        return ss_fail(err, SS_STOP, "-X subscribers: it is a list and goes into the config file");
    const struct ss_option *option = ss_option_find(name);
    if (option) {
        if (!ss_option_store(config, option, value, NULL, problem, sizeof problem))
            return ss_fail(err, SS_STOP, "-X %s: %s", name, problem);
        config->set_by[option - ss_options] = -1;
        return SS_OK;
    }
    enum ss_clients clients = SS_CLIENTS_ALL;
    const char *property = name;
    if (!property_name(name, &clients, &property) && is_mistyped(name)) {
        const char *meant = ss_option_suggest(name);
        return ss_fail(err, SS_STOP, "-X %s: no such option%s%s%s", name,
                       meant ? "; did you mean " : "; docs/configuration.md lists them all",
                       meant ? meant : "", meant ? "?" : "");
    }
    drop_properties(config, clients, property);
    if (!store_property(config, clients, property, value, 0, problem, sizeof problem))
        return ss_fail(err, SS_STOP, "-X %s: %s", name, problem);
    return SS_OK;
}
