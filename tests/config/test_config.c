#include "config/config.h"
#include "config/options.h"
#include "helper_text.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum ss_status parse(struct ss_config *config, const char *text, struct ss_error *err)
{
    cr_assert_eq(ss_config_init(config, err), SS_OK, "%s", err->detail);
    return ss_config_parse(config, text, strlen(text), "etc/s.yaml", err);
}

/* A config that must load. */
static void must_parse(struct ss_config *config, const char *text)
{
    struct ss_error err = {0};
    cr_assert_eq(parse(config, text, &err), SS_OK, "%s", err.detail);
}

Test(config, defaults_are_those_of_the_design)
{
    struct ss_error err = {0};
    struct ss_config config;
    char host[256] = "";
    cr_assert_eq(ss_config_init(&config, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(config.group, "sesame");
    cr_assert_eq(gethostname(host, 65), 0);
    cr_assert_str_eq(config.instance, host);
    cr_assert_eq(config.workers, 1);
    cr_assert_null(config.registry_url);
    cr_assert_null(config.registry_basic_auth);
    cr_assert_null(config.redis_url);
    cr_assert_null(config.model_file);
    cr_assert_str_eq(config.redis_prefix, "sesame");
    cr_assert_eq(config.redis_buckets, 4096);
    static const char *const inputs[SS_INPUT_COUNT] = {
        "payments", "bills",    "bookings",  "social",
        "profiles", "consents", "blacklist", "sesame-neighbours"};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        cr_expect_str_eq(config.input_topics[i], inputs[i]);
    cr_assert_str_eq(config.scores_topic, "scores");
    cr_assert_str_eq(config.entitlements_topic, "entitlements");
    cr_assert_str_eq(config.dead_letters_topic, "dead-letters");
    cr_assert_str_eq(config.state_topic, "sesame-state");
    cr_assert_eq(config.topic_partitions, 4);
    cr_assert_eq(config.topic_replication, 1);
    cr_assert_eq(config.scores_retention_ms, INT64_C(365) * 86400000);
    cr_assert_eq(config.batch_records_max, 10000);
    cr_assert_eq(config.batch_wait_ms, 5);
    cr_assert_eq(config.memory_fetch_bytes_max, 64 << 20);
    cr_assert_eq(config.cache_bytes_max, 64 << 20);
    cr_assert_eq(config.events_future_tolerance_ms, 86400000);
    cr_assert_eq(config.log_level, SS_LOG_INFO);
    cr_assert_eq(config.property_count, 0);
    cr_assert_eq(ss_config_check(&config, &err), SS_OK, "%s", err.detail);
    ss_config_reset(&config);
    cr_assert_null(config.group);
}

/* Sets every option by the file and by -X, and finds it in its own field: no two share one. */
Test(config, every_option_has_a_field_of_its_own)
{
    for (size_t i = 0; i < ss_option_count; i++) {
        const struct ss_option *option = &ss_options[i];
        struct ss_error err = {0};
        struct ss_config before, after;
        char value[64] = "other";
        if (option->type == SS_OPTION_INTEGER)
            snprintf(value, sizeof value, "%" PRId64, option->min);
        else if (option->type == SS_OPTION_CHOICE)
            snprintf(value, sizeof value, "%s", strrchr(option->choices, ' ') + 1);
        else if (option->type == SS_OPTION_SECRET)
            snprintf(value, sizeof value, "a:b");
        else if (option->type == SS_OPTION_URL)
            snprintf(value, sizeof value, "%.*s//h", (int)strcspn(option->choices, "/"),
                     option->choices);
        char text[256], assignment[256];
        snprintf(text, sizeof text, "%s: %s\n", option->name, value);
        snprintf(assignment, sizeof assignment, "%s=%s", option->name, value);
        if (option->fallback && strcmp(option->fallback, value) == 0) /* the least is the default */
            snprintf(assignment, sizeof assignment, "%s=%" PRId64, option->name, option->max);
        must_parse(&before, "");
        must_parse(&after, text);
        cr_expect_eq(after.set_by[i], 1, "%s", option->name);
        cr_expect_eq(ss_config_set(&after, assignment, &err), SS_OK, "%s", err.detail);
        cr_expect_eq(after.set_by[i], -1, "%s", option->name);
        for (size_t j = 0; j < ss_option_count; j++) {
            const struct ss_option *other = &ss_options[j];
            bool differs;
            if (ss_option_is_number(other)) {
                differs = *ss_option_number(&before, other) != *ss_option_number(&after, other);
            } else {
                const char *a = *ss_option_text(&before, other);
                const char *b = *ss_option_text(&after, other);
                differs = strcmp(a ? a : "", b ? b : "") != 0;
            }
            cr_expect_eq(differs, i == j, "%s changes %s", option->name, other->name);
        }
        ss_config_reset(&before);
        ss_config_reset(&after);
    }
}

Test(config, sections_dots_and_properties)
{
    struct ss_config config;
    must_parse(
        &config,
        "group: g\nregistry.url: 'embedded:'\nredis:\n  url: unix:///run/r.sock\n  buckets: 7\n"
        "kafka_consumer:\n  fetch.wait.max.ms: 50\n  debug: cgrp\n"
        "kafka:\n  bootstrap.servers: a:1,b:2\n  debug: all\n  sasl: {username: u}\n"
        "kafka_producer: {linger.ms: 1}\nmodel:\nlog: {level: debug}\n");
    cr_assert_str_eq(config.group, "g");
    cr_assert_str_eq(config.registry_url, "embedded:");
    cr_assert_str_eq(config.redis_url, "unix:///run/r.sock");
    cr_assert_eq(config.redis_buckets, 7);
    cr_assert_eq(config.log_level, SS_LOG_DEBUG);
    cr_assert_str_eq(config.file, "etc/s.yaml");
    static const struct {
        enum ss_clients clients;
        const char *name, *value;
        int line;
    } expected[] = {
        /* those of one kind come last, though they stand first in the file */
        {SS_CLIENTS_ALL, "bootstrap.servers", "a:1,b:2", 10},
        {SS_CLIENTS_ALL, "debug", "all", 11},
        {SS_CLIENTS_ALL, "sasl.username", "u", 12},
        {SS_CLIENTS_CONSUMER, "fetch.wait.max.ms", "50", 7},
        {SS_CLIENTS_CONSUMER, "debug", "cgrp", 8},
        {SS_CLIENTS_PRODUCER, "linger.ms", "1", 13},
    };
    cr_assert_eq(config.property_count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < config.property_count; i++) {
        cr_expect_eq(config.properties[i].clients, expected[i].clients);
        cr_expect_str_eq(config.properties[i].name, expected[i].name);
        cr_expect_str_eq(config.properties[i].value, expected[i].value);
        cr_expect_eq(config.properties[i].line, expected[i].line);
    }
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_CONSUMER, "debug"), "cgrp");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_PRODUCER, "debug"), "all");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "debug"), "all");
    cr_assert_null(ss_config_property(&config, SS_CLIENTS_ALL, "linger.ms"));
    ss_config_reset(&config);
}

static const struct {
    const char *text, *expect;
} wrong[] = {
    /* keys */
    {"group: g\nworker: 2\n", "etc/s.yaml:2: worker: no such option; did you mean workers?"},
    {"redis:\n  ulr: x\n", "etc/s.yaml:2: redis.ulr: no such option; did you mean redis.url?"},
    {"regsitry:\n  url: x\n", "etc/s.yaml:1: regsitry: no such option; did you mean registry?"},
    {"kafak:\n  debug: x\n", "etc/s.yaml:1: kafak: no such option; did you mean kafka?"},
    {"buckets: 5\n", "etc/s.yaml:1: buckets: no such option; did you mean redis.buckets?"},
    {"redis:\n  partitions: 5\n",
     "redis.partitions: no such option; did you mean topics.partitions?"},
    {"colour: red\n", "etc/s.yaml:1: colour: no such option; docs/configuration.md lists them all"},
    {"bootstrap.servers: h:1\n",
     "bootstrap.servers: no such option; properties of librdkafka go below `kafka:`"},
    {"group: a\ngroup: b\n", "etc/s.yaml:2: 'group' is here twice, first on line 1"},
    {"redis.prefix: a\nredis:\n  prefix: b\n",
     "etc/s.yaml:3: redis.prefix: set twice, first on line 1"},
    {"kafka.debug: a\nkafka: {debug: b}\n",
     "etc/s.yaml:2: kafka.debug: set twice, first on line 1"},
    /* shapes */
    {"- group\n", "etc/s.yaml:1: must be a map"},
    {"just text\n", "etc/s.yaml:1: must be a map"},
    {"group: [a]\n", "etc/s.yaml:1: group: takes one value, not a list"},
    {"group: {a: b}\n", "etc/s.yaml:1: group: takes one value, not a map"},
    {"\ngroup:\n", "etc/s.yaml:2: group: has no value; give one or remove the line"},
    {"redis: redis://h\n", "etc/s.yaml:1: redis: is a section; its settings go below it"},
    {"kafka: h:9092\n", "etc/s.yaml:1: kafka: is a section"},
    {"redis: [url]\n", "etc/s.yaml:1: redis: takes one value, not a list"},
    {"kafka:\n  bootstrap.servers: [a, b]\n",
     "etc/s.yaml:2: kafka.bootstrap.servers: takes one text; separate several values by commas"},
    {"kafka:\n  debug:\n", "etc/s.yaml:2: kafka.debug: has no value"},
    {"kafka:\n  'bad name': x\n", "kafka.bad name: not the name of a property"},
    {"a: [\n", "etc/s.yaml:2: not YAML"},
    /* values */
    {"workers: 0\n", "etc/s.yaml:1: workers: 0 is out of range; allowed are 1 to 64"},
    {"workers: 65\n", "workers: 65 is out of range; allowed are 1 to 64"},
    {"workers: two\n", "workers: 'two' is not a whole number; allowed are 1 to 64"},
    {"workers: 0x2\n", "workers: '0x2' is not a whole number"},
    {"workers: ''\n", "workers: '' is not a whole number"},
    {"batch: {wait_ms: 5ms}\n",
     "batch.wait_ms: '5ms' is not a whole number; allowed are 0 to 1000"},
    {"log: {level: loud}\n", "log.level: 'loud' is not allowed; one of error, warn, info, debug"},
    {"group: ''\n", "group: '' is not allowed; must be: 1 to 64 of A-Z a-z 0-9 . _ -"},
    {"group: a b\n", "group: 'a b' is not allowed"},
    {"topics: {scores: a/b}\n", "topics.scores: 'a/b' is not allowed; must be: 1 to 249 of"},
    {"topics: {scores: ..}\n", "topics.scores: '..' is not allowed"},
    {"redis: {url: localhost}\n",
     "redis.url: 'localhost' is not allowed; must be: begins with one "
     "of redis://, rediss://, redis-cluster://, rediss-cluster://, unix://"},
    {"redis: {url: 'redis://'}\n", "redis.url: 'redis://' is not allowed"},
    {"registry: {url: 'embedded:x'}\n", "registry.url: 'embedded:x' is not allowed"},
    {"registry: {basic_auth: nocolon}\n",
     "registry.basic_auth: '****' is not allowed; must be: user:password"},
    {"redis: {url: 'user:geheim@host'}\n", "redis.url: 'user:****@host' is not allowed"},
    /* the environment */
    {"\ngroup: ${SS_TEST_UNSET}\n",
     "etc/s.yaml:2: group: the environment variable SS_TEST_UNSET is not set; set it, or write "
     "${SS_TEST_UNSET:-default}"},
    {"group: ${}\n", "group: ${ must be followed by NAME} or NAME:-default}"},
    {"group: ${1A}\n", "group: ${ must be"},
    {"group: ${HOME\n", "group: ${ must be"},
    {"group: ${HOME-x}\n", "group: ${ must be"},
    {"group: ${SS_TEST_BAD}\n", "group: 'not a name' is not allowed"},
};

Test(config, every_mistake_names_line_key_value_and_what_is_allowed)
{
    unsetenv("SS_TEST_UNSET");
    setenv("SS_TEST_BAD", "not a name", 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ss_error err = {0};
        struct ss_config config;
        cr_expect_eq(parse(&config, wrong[i].text, &err), SS_STOP, "%s", wrong[i].text);
        cr_expect(strstr(err.detail, wrong[i].expect), "%s\nsays '%s', not '%s'", wrong[i].text,
                  err.detail, wrong[i].expect);
        cr_expect_null(strstr(err.detail, "geheim"));
        ss_config_reset(&config);
    }
}

Test(config, properties_that_promises_rest_on_are_refused_with_a_reason)
{
    static const struct {
        const char *name, *use;
    } refused[] = {
        {"enable.auto.commit", "one transaction"},    {"isolation.level", "exactly once"},
        {"transactional.id", "`instance`"},           {"group.id", "set `group`"},
        {"partition.assignment.strategy", "`range`"}, {"enable.idempotence", "always on"},
        {"group.instance.id", "set `instance`"},      {"Group.Id", "set `group`"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[128];
        struct ss_error err = {0};
        struct ss_config config;
        static const char *const sections[] = {"kafka", "kafka_consumer", "kafka_producer"};
        for (int s = 0; s < 3; s++) {
            snprintf(text, sizeof text, "%s:\n  %s: x\n", sections[s], refused[i].name);
            cr_expect_eq(parse(&config, text, &err), SS_STOP, "%s", text);
            cr_expect(strstr(err.detail, "etc/s.yaml:2: kafka"), "%s", err.detail);
            cr_expect(strstr(err.detail, refused[i].use), "%s", err.detail);
            ss_config_reset(&config);
        }
        must_parse(&config, "");
        snprintf(text, sizeof text, "%s=x", refused[i].name);
        cr_expect_eq(ss_config_set(&config, text, &err), SS_STOP, "%s", text);
        cr_expect(strstr(err.detail, refused[i].use), "%s", err.detail);
        cr_expect_eq(config.property_count, 0);
        ss_config_reset(&config);
    }
}

Test(config, the_environment_is_put_in_once)
{
    struct ss_config config;
    setenv("SS_TEST_A", "alpha", 1);
    setenv("SS_TEST_EMPTY", "", 1);
    setenv("SS_TEST_NESTED", "${SS_TEST_A}", 1);
    must_parse(
        &config,
        "group: x-${SS_TEST_A}-${SS_TEST_A}\n"
        "instance: ${SS_TEST_NONE:-here}\n"
        "redis: {prefix: '${SS_TEST_EMPTY:-fallback}', buckets: '${SS_TEST_N:-12}'}\n"
        "kafka:\n  a: ${SS_TEST_NESTED}\n  b: $${SS_TEST_A} $1 $$ $\n  c: pre${SS_TEST_EMPTY}post\n"
        "  d: ${SS_TEST_NONE:-}\n");
    cr_assert_str_eq(config.group, "x-alpha-alpha");
    cr_assert_str_eq(config.instance, "here");
    cr_assert_str_eq(config.redis_prefix, "fallback");
    cr_assert_eq(config.redis_buckets, 12);
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "a"), "${SS_TEST_A}");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "b"), "${SS_TEST_A} $1 $$ $");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "c"), "prepost");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "d"), "");
    ss_config_reset(&config);
}

Test(config, a_value_from_the_environment_is_bounded)
{
    struct ss_error err = {0};
    struct ss_config config;
    char *value = malloc(70001);
    memset(value, 'x', 70000);
    value[70000] = '\0';
    setenv("SS_TEST_LONG", value, 1);
    cr_assert_eq(parse(&config, "kafka: {a: \"${SS_TEST_LONG}\"}\n", &err), SS_STOP);
    cr_assert(strstr(err.detail, "kafka.a: the value is too long"), "%s", err.detail);
    ss_config_reset(&config);
    free(value);
}

static void must_set(struct ss_config *config, const char *assignment)
{
    struct ss_error err = {0};
    cr_assert_eq(ss_config_set(config, assignment, &err), SS_OK, "%s", err.detail);
}

Test(config, the_command_line_wins_and_its_later_part_most)
{
    struct ss_config config;
    must_parse(&config, "group: file\nworkers: 2\nkafka: {debug: all, acks: all}\n"
                        "kafka_consumer: {debug: cgrp}\nredis: {url: 'redis://file'}\n");
    must_set(&config, "group=one");
    must_set(&config, "group=two");
    must_set(&config, "redis.url=redis://x:y=z@h");
    cr_assert_str_eq(config.group, "two");
    cr_assert_eq(config.workers, 2);
    cr_assert_str_eq(config.redis_url, "redis://x:y=z@h");
    /* for all clients, over what the file says for consumers */
    must_set(&config, "debug=broker");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_CONSUMER, "debug"), "broker");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_PRODUCER, "debug"), "broker");
    must_set(&config, "kafka_consumer.debug=fetch");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_CONSUMER, "debug"), "fetch");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_PRODUCER, "debug"), "broker");
    must_set(&config, "kafka.debug=eos");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_CONSUMER, "debug"), "eos");
    /* as kcat users expect; names that begin like sections of ours too */
    must_set(&config, "bootstrap.servers=h:9092");
    must_set(&config, "batch.num.messages=5");
    must_set(&config, "log.queue=true");
    must_set(&config, "log_level=7");
    must_set(&config, "sasl.password=a=b");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "sasl.password"), "a=b");
    cr_assert_eq(config.property_count, 7, "%zu", config.property_count);
    /* an optional one can be unset */
    must_set(&config, "redis.url=");
    cr_assert_null(config.redis_url);
    ss_config_reset(&config);
}

Test(config, mistakes_on_the_command_line_are_named)
{
    static const struct {
        const char *assignment, *expect;
    } cases[] = {
        {"workers", "-X needs name=value"},
        {"", "-X needs name=value"},
        {"=5", "-X needs name=value"},
        {"workers=99", "-X workers: 99 is out of range; allowed are 1 to 64"},
        {"worker=2", "-X worker: no such option; did you mean workers?"},
        {"redis.ulr=x", "-X redis.ulr: no such option; did you mean redis.url?"},
        {"topics.colour=red", "-X topics.colour: no such option; docs/configuration.md lists"},
        {"batch.records_mox=1",
         "-X batch.records_mox: no such option; did you mean batch.records_max?"},
        {"bad name=1", "-X bad name: not the name of a property"},
        {"kafka.=1", "-X kafka.: a name is missing"},
        {"registry.basic_auth=geheim", "-X registry.basic_auth: '****' is not allowed"},
        {"redis.url=http://u:geheim@h", "-X redis.url: 'http://u:****@h' is not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss_error err = {0};
        struct ss_config config;
        must_parse(&config, "");
        cr_expect_eq(ss_config_set(&config, cases[i].assignment, &err), SS_STOP, "%s",
                     cases[i].assignment);
        cr_expect(strstr(err.detail, cases[i].expect), "%s says '%s'", cases[i].assignment,
                  err.detail);
        cr_expect_null(strstr(err.detail, "geheim"));
        ss_config_reset(&config);
    }
}

Test(config, paths_are_relative_to_the_file)
{
    static const struct {
        const char *path, *value, *expect;
    } cases[] = {
        {"etc/s.yaml", "m.yaml", "etc/m.yaml"},
        {"/a/b/s.yaml", "../m.yaml", "/a/b/../m.yaml"},
        {"s.yaml", "m.yaml", "m.yaml"},
        {"/s.yaml", "m.yaml", "/m.yaml"},
        {"etc/s.yaml", "/abs/m.yaml", "/abs/m.yaml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        struct ss_error err = {0};
        struct ss_config config;
        snprintf(text, sizeof text, "model: {file: %s}\n", cases[i].value);
        cr_assert_eq(ss_config_init(&config, &err), SS_OK);
        cr_assert_eq(ss_config_parse(&config, text, strlen(text), cases[i].path, &err), SS_OK);
        cr_expect_str_eq(config.model_file, cases[i].expect);
        must_set(&config, "model.file=mine.yaml");
        cr_expect_str_eq(config.model_file, "mine.yaml", "-X: relative to where one is");
        ss_config_reset(&config);
    }
}

Test(config, every_topic_needs_a_name_of_its_own)
{
    struct ss_error err = {0};
    struct ss_config config;
    must_parse(&config, "topics: {state: bills}\n");
    cr_assert_eq(ss_config_check(&config, &err), SS_STOP);
    cr_assert_str_eq(
        err.detail,
        "topics.bills and topics.state are both 'bills'; every topic needs a name of its own");
    ss_config_reset(&config);
}

Test(config, run_needs_to_be_told_where_things_are)
{
    struct ss_error err = {0};
    struct ss_config config;
    must_parse(&config, "");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_STOP);
    cr_assert(strstr(err.detail, "not set in etc/s.yaml: kafka.bootstrap.servers"), "%s",
              err.detail);
    cr_assert(strstr(err.detail, "redis.url"), "%s", err.detail);
    cr_assert(strstr(err.detail, "registry.url"), "%s", err.detail);
    must_set(&config, "redis.url=redis://h");
    must_set(&config, "registry.url=embedded:");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_STOP);
    cr_assert_null(strstr(err.detail, "redis.url"), "%s", err.detail);
    must_set(&config, "kafka_consumer.bootstrap.servers=h");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_STOP, "producers need brokers as well");
    must_set(&config, "metadata.broker.list=h");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_OK, "%s", err.detail);
    must_set(&config, "topics.scores=bills");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_STOP);
    ss_config_reset(&config);

    must_parse(
        &config,
        "redis.url: redis://h\nregistry.url: http://h/p\nkafka: {test.mock.num.brokers: 1}\n");
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_OK, "%s", err.detail);
    ss_config_reset(&config);
}

Test(config, the_example_loads_as_it_is)
{
    struct ss_error err = {0};
    struct ss_config config;
    unsetenv("KAFKA");
    unsetenv("REDIS");
    unsetenv("REGISTRY");
    cr_assert_eq(ss_config_init(&config, &err), SS_OK);
    cr_assert_eq(ss_config_load(&config, "config/sesame.yaml", &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_config_check_for_run(&config, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(config.redis_url, "redis://127.0.0.1:6379");
    ss_config_reset(&config);
    cr_assert_eq(ss_config_init(&config, &err), SS_OK);
    cr_assert_eq(ss_config_load(&config, "no/such.yaml", &err), SS_STOP);
    cr_assert(strstr(err.detail, "cannot read no/such.yaml"), "%s", err.detail);
    ss_config_reset(&config);
}

/* What the example shows in comments is right too: with the "# " taken off it still loads. */
Test(config, the_example_loads_with_its_comments_switched_on)
{
    char *text = helper_read("config/sesame.yaml");
    char *out = calloc(1, strlen(text) + 1);
    for (char *line = text; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        size_t indent = strspn(line, " ");
        char *code = line + indent;
        char *name = code[0] == '#' && code[1] == ' ' ? code + 2 : NULL;
        size_t word = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz_.") : 0;
        if (word && name[word] == ':' && name[word + 1] == ' ' &&
            strncmp(name, "sesame.yaml", 11) != 0) {
            strncat(out, line, indent);
            strncat(out, name, size - indent - 2);
        } else {
            strncat(out, line, size);
        }
        line += size;
    }
    setenv("KAFKA_PASSWORD", "p", 1);
    setenv("REGISTRY_AUTH", "u:p", 1);
    struct ss_config config;
    must_parse(&config, out);
    cr_assert_str_eq(config.instance, "score-1");
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "sasl.password"), "p");
    cr_assert_str_eq(config.registry_basic_auth, "u:p");
    cr_assert_str_eq(config.model_file, "etc/model.yaml");
    cr_assert_eq(config.property_count, 7, "%zu", config.property_count);
    ss_config_reset(&config);
    free(out);
    free(text);
}
