/* config_print.c - the effective config as YAML, and the reference of all options as Markdown. */
#include "config/options.h"
#include "config/print.h"
#include "config/subscribers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the effective config --- */

/* A scalar that YAML and our ${…} read back as the same text. */
static void print_scalar(struct ss_printer *out, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/";
    size_t size = strlen(value);
    if (size > 0 && strspn(value, plain) == size) {
        ss_print(out, "%s", value);
        return;
    }
    ss_print(out, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            ss_print(out, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            ss_print(out, "\\x%02x", (unsigned)(unsigned char)*c);
        else if (c[0] == '$' && c[1] == '{')
            ss_print(out, "$$");
        else
            ss_print(out, "%c", *c);
    }
    ss_print(out, "\"");
}

static void print_origin(struct ss_printer *out, int set_by)
{
    if (set_by > 0)
        ss_print(out, "  # line %d\n", set_by);
    else
        ss_print(out, set_by < 0 ? "  # -X\n" : "  # default\n");
}

/* A value as it may be shown, in quotes where needed. */
static void print_masked(struct ss_printer *out, const char *value)
{
    size_t size = strlen(value) + sizeof "****";
    char *shown = malloc(size);
    if (!shown) {
        out->failed = true;
        return;
    }
    ss_mask_url(value, shown, size);
    print_scalar(out, shown);
    free(shown);
}

static void print_option(struct ss_printer *out, struct ss_config *config,
                         const struct ss_option *option, int set_by)
{
    const char *dot = strrchr(option->name, '.');
    const char *indent = dot ? "  " : "";
    const char *key = dot ? dot + 1 : option->name;
    const char *text = ss_option_is_number(option) ? "" : *ss_option_text(config, option);
    if (!text) {
        ss_print(out, "%s# %s: (not set)\n", indent, key);
        return;
    }
    ss_print(out, "%s%s: ", indent, key);
    if (option->type == SS_OPTION_INTEGER) {
        ss_print(out, "%" PRId64, *ss_option_number(config, option));
    } else if (option->type == SS_OPTION_CHOICE) {
        const char *choice = option->choices;
        for (int64_t i = *ss_option_number(config, option); i > 0; i--)
            choice += strcspn(choice, " ") + 1;
        ss_print(out, "%.*s", (int)strcspn(choice, " "), choice);
    } else if (option->type == SS_OPTION_SECRET) {
        print_scalar(out, "****");
    } else if (option->type == SS_OPTION_URL) {
        print_masked(out, text);
    } else {
        print_scalar(out, text);
    }
    print_origin(out, set_by);
}

static void print_properties(struct ss_printer *out, const struct ss_config *config,
                             enum ss_clients clients, const char *section)
{
    bool any = false;
    for (size_t i = 0; i < config->property_count; i++) {
        const struct ss_property *property = &config->properties[i];
        if (property->clients != clients)
            continue;
        if (!any)
            ss_print(out, "%s:\n", section);
        any = true;
        ss_print(out, "  ");
        print_scalar(out, property->name);
        ss_print(out, ": ");
        if (ss_property_secret(property->name))
            print_scalar(out, "****");
        else if (strstr(property->value, "://")) /* else user@REALM would look like a URL */
            print_masked(out, property->value);
        else
            print_scalar(out, property->value);
        print_origin(out, property->line ? property->line : -1);
    }
}

static void print_subscribers(struct ss_printer *out, const struct ss_config *config)
{
    ss_print(out, config->subscriber_count ? "subscribers:\n" : "subscribers: []  # default\n");
    for (int i = 0; i < config->subscriber_count; i++) {
        const struct ss_subscriber *subscriber = &config->subscribers[i];
        const char *between = "";
        ss_print(out, "  - name: ");
        print_scalar(out, subscriber->name);
        print_origin(out, subscriber->line);
        ss_print(out, "    topic: ");
        print_scalar(out, subscriber->topic);
        ss_print(out, "\n    fields: [");
        for (int field = 0; field < SS_FIELD_COUNT; field++) {
            if (!(subscriber->fields & SS_FIELD_BIT(field)))
                continue;
            ss_print(out, "%s%s", between, ss_score_field_name((enum ss_score_field)field));
            between = ", ";
        }
        ss_print(out, "]\n");
    }
}

/* The section of an option: "" for one at the top level. */
static bool in_section(const struct ss_option *option, const char *section)
{
    const char *dot = strchr(option->name, '.');
    size_t size = dot ? (size_t)(dot - option->name) : 0;
    return strlen(section) == size && strncmp(option->name, section, size) == 0;
}

enum ss_status ss_config_print(const struct ss_config *config, struct ss_buffer *out,
                               struct ss_error *err)
{
    struct ss_printer printer = {.out = out};
    for (size_t s = 0; s < ss_option_section_count; s++) {
        const char *section = ss_option_sections[s].name;
        if (strcmp(section, "subscribers") == 0) {
            print_subscribers(&printer, config);
            continue;
        }
        if (*section)
            ss_print(&printer, "%s:\n", section);
        for (size_t i = 0; i < ss_option_count; i++)
            if (in_section(&ss_options[i], section)) /* printing only reads */
                print_option(&printer, (struct ss_config *)config, &ss_options[i],
                             config->set_by[i]);
    }
    print_properties(&printer, config, SS_CLIENTS_ALL, "kafka");
    print_properties(&printer, config, SS_CLIENTS_CONSUMER, "kafka_consumer");
    print_properties(&printer, config, SS_CLIENTS_PRODUCER, "kafka_producer");
    return printer.failed ? ss_fail(err, SS_STOP, "out of memory for printing the config") : SS_OK;
}

/* --- the reference --- */

static void print_option_docs(struct ss_printer *out, const struct ss_option *option)
{
    char allowed[160];
    ss_option_allowed(option, allowed, sizeof allowed);
    ss_print(out, "### `%s`\n\n%s\n\n", option->name, option->help);
    ss_print(out, "Allowed: %s. ", allowed);
    if (option->fallback)
        ss_print(out, "Default: `%s`.\n\n", option->fallback);
    else
        ss_print(out, "Default: %s.\n\n",
                 strcmp(option->name, "instance") == 0 ? "the host name" : "not set");
}

enum ss_status ss_config_print_docs(struct ss_buffer *out, struct ss_error *err)
{
    struct ss_printer printer = {.out = out};
    ss_print(
        &printer,
        "<!-- Printed from the table in config/options.c; edit there. -->\n"
        "# Configuration\n\n"
        "`sesame run -F sesame.yaml` reads a YAML file; "
        "[config/sesame.yaml](../config/sesame.yaml) "
        "is an example\nto start from. `sesame check-config` checks it and prints what is in "
        "effect, defaults included, with the\nline that each value comes from and secrets as "
        "`****`.\n\n"
        "- **Sections.** `redis.url` is the key `url` below `redis:`. Units come last in the "
        "names: `_ms` is\n  milliseconds, `_bytes_max` bytes.\n"
        "- **Environment.** `${NAME}` in a value becomes the environment variable `NAME`; "
        "`${NAME:-default}` falls\n  back where it is unset or empty; `$${` is a plain `${`. "
        "Passwords belong there and not in the file.\n"
        "- **Command line.** `-X name=value` overrides the file, and a later `-X` an earlier one. "
        "If the name is an\n  option below, that is set; any other is a property of librdkafka, "
        "as with kcat:\n  `-X bootstrap.servers=host:9092`.\n"
        "- **Mistakes.** Unknown keys, keys set twice and values out of range are errors, with "
        "the line and what is\n  allowed.\n\n"
        "`sesame run` needs `kafka.bootstrap.servers`, `redis.url` and `registry.url`: nothing is "
        "guessed that\ncould be somebody else's.\n\n");
    for (size_t s = 0; s < ss_option_section_count; s++) {
        const struct ss_option_section *section = &ss_option_sections[s];
        ss_print(&printer, "## %s\n\n", section->title);
        if (*section->help)
            ss_print(&printer, "%s\n\n", section->help);
        for (size_t i = 0; i < ss_option_count; i++)
            if (in_section(&ss_options[i], section->name))
                print_option_docs(&printer, &ss_options[i]);
    }
    ss_print(
        &printer,
        "## Kafka: librdkafka's properties\n\n"
        "Below `kafka:` stand properties of librdkafka for all clients, below `kafka_consumer:` "
        "and "
        "`kafka_producer:`\nthose for one kind, which win over the former. All that librdkafka "
        "knows is allowed, TLS and SASL included:\n\n"
        "```yaml\nkafka:\n  bootstrap.servers: broker-1:9093,broker-2:9093\n"
        "  security.protocol: SASL_SSL\n  sasl.mechanism: SCRAM-SHA-512\n"
        "  sasl.username: sesame\n  sasl.password: ${KAFKA_PASSWORD}\n"
        "kafka_consumer:\n  fetch.wait.max.ms: 50\n```\n\n"
        "Properties that the promises rest on are sesame's own and refused, with what to use "
        "instead:\n\n| property | why |\n|---|---|\n");
    for (size_t i = 0; ss_property_refused_name(i); i++)
        ss_print(&printer, "| `%s` | %s |\n", ss_property_refused_name(i),
                 ss_property_refused(ss_property_refused_name(i)));
    return printer.failed ? ss_fail(err, SS_STOP, "out of memory for printing the options") : SS_OK;
}
