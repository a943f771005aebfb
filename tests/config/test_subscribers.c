/* The list `subscribers`: what it gives, what it refuses, and that it prints as it loads. */
#include "config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ss_config config;

static enum ss_status load(const char *text, struct ss_error *err)
{
    cr_assert_eq(ss_config_init(&config, err), SS_OK, "%s", err->detail);
    enum ss_status status = ss_config_parse(&config, text, strlen(text), "etc/s.yaml", err);
    return status == SS_OK ? ss_config_check(&config, err) : status;
}

static void must_load(const char *text)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(load(text, &err), SS_OK, "%s", err.detail);
}

Test(subscribers, a_name_is_enough)
{
    must_load("subscribers:\n  - name: lending\n");
    cr_assert_eq(config.subscriber_count, 1);
    cr_assert_str_eq(config.subscribers[0].name, "lending");
    cr_assert_str_eq(config.subscribers[0].topic, "scores.lending");
    cr_assert_eq(config.subscribers[0].fields, SS_FIELDS_DEFAULT);
    cr_assert_eq(config.subscribers[0].hash, (uint32_t)ss_hash64((struct ss_text){"lending", 7}));
    cr_assert_eq(config.subscribers[0].line, 2);
    ss_config_reset(&config);
}

Test(subscribers, topic_and_fields_are_the_operators)
{
    setenv("SS_TEST_CARS", "cars", 1);
    must_load("subscribers:\n  - {name: 'car rental', topic: \"${SS_TEST_CARS}.v2\",\n"
              "     fields: [tier, standing]}\n  - name: b\n    fields:\n      - sequence\n");
    cr_assert_eq(config.subscriber_count, 2);
    cr_assert_str_eq(config.subscribers[0].topic, "cars.v2");
    cr_assert_eq(config.subscribers[0].fields,
                 SS_FIELD_BIT(SS_FIELD_TIER) | SS_FIELD_BIT(SS_FIELD_STANDING));
    cr_assert_eq(config.subscribers[1].fields, SS_FIELD_BIT(SS_FIELD_SEQUENCE));
    ss_config_reset(&config);
}

Test(subscribers, nothing_is_nobody)
{
    static const char *const texts[] = {"", "subscribers:\n", "subscribers: []\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        must_load(texts[i]);
        cr_assert_eq(config.subscriber_count, 0);
        ss_config_reset(&config);
    }
}

static const struct {
    const char *text, *error;
} wrong[] = {
    {"subscribers: lending\n", "etc/s.yaml:1: subscribers: takes a list"},
    {"subscribers:\n  lending: {}\n", "subscribers: takes a list"},
    {"subscribers: [lending]\n", "etc/s.yaml:1: subscribers: an entry must be a map"},
    {"subscribers:\n  - topic: x\n", "etc/s.yaml:2: subscribers: an entry without a name"},
    {"subscribers:\n  - name: ''\n", "name: must be 1 to 64 bytes"},
    {"subscribers:\n  - name: \"a\\tb\"\n", "name: must be 1 to 64 bytes"},
    {"subscribers:\n  - name: 0123456789012345678901234567890123456789012345678901234567890123x\n",
     "name: must be 1 to 64 bytes"},
    {"subscribers:\n  - name: [a]\n", "etc/s.yaml:2: subscribers: name: takes one text"},
    {"subscribers:\n  - name: a b\n", "topic: 'scores.a b' cannot be the name of a topic"},
    {"subscribers:\n  - name: a\n    topic: ''\n", "topic: '' cannot be the name of a topic"},
    {"subscribers:\n  - name: a\n    feilds: []\n", "etc/s.yaml:3: subscribers: feilds: not known"},
    {"subscribers:\n  - name: a\n    fields: []\n", "fields: takes a list of at least one"},
    {"subscribers:\n  - name: a\n    fields: score\n", "fields: takes a list of at least one"},
    {"subscribers:\n  - name: a\n    fields: [score, scor]\n",
     "fields: 'scor' is no field that can be shared; did you mean score?"},
    {"subscribers:\n  - name: a\n    fields: [user_id]\n",
     "fields: 'user_id' is no field that can be shared; docs"},
    {"subscribers:\n  - name: a\n    fields: [tier, tier]\n", "fields: tier is there twice"},
    {"subscribers:\n  - name: a\n  - name: a\n", "subscriber a is there twice, on lines 2 and 3"},
    {"subscribers:\n  - name: a\n    topic: t\n  - name: b\n    topic: t\n",
     "subscribers a and b have both the topic 't'"},
    {"subscribers:\n  - name: a\n    topic: sesame-state\n",
     "topics.state and the topic of subscriber a are both 'sesame-state'"},
    /* found by search: FNV-1a of both ends in the same 32 bits */
    {"subscribers:\n  - name: bank-803b\n  - name: bank-56088\n", "cannot be told apart"},
    {"subscriber:\n  - name: a\n", "did you mean subscribers?"},
};

Test(subscribers, what_is_wrong_is_said_with_its_line)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ss_error err = {.detail = ""};
        cr_expect_eq(load(wrong[i].text, &err), SS_STOP, "%s", wrong[i].text);
        cr_expect(strstr(err.detail, wrong[i].error), "%s gives: %s", wrong[i].text, err.detail);
        ss_config_reset(&config);
    }
}

Test(subscribers, there_are_32_at_most)
{
    char text[4096] = "subscribers:\n";
    struct ss_error err = {.detail = ""};
    for (int i = 0; i < SS_SUBSCRIBERS_MAX; i++)
        sprintf(text + strlen(text), "  - name: s%d\n", i);
    must_load(text);
    cr_assert_eq(config.subscriber_count, SS_SUBSCRIBERS_MAX);
    ss_config_reset(&config);
    strcat(text, "  - name: more\n");
    cr_assert_eq(load(text, &err), SS_STOP);
    cr_assert(strstr(err.detail, "etc/s.yaml:34: subscribers: more than 32"), "%s", err.detail);
    ss_config_reset(&config);
}

Test(subscribers, the_command_line_says_where_they_belong)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_config_init(&config, &err), SS_OK);
    cr_assert_eq(ss_config_set(&config, "subscribers=lending", &err), SS_STOP);
    cr_assert(strstr(err.detail, "goes into the config file"), "%s", err.detail);
    ss_config_reset(&config);
}

Test(subscribers, print_and_load_again)
{
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    must_load("subscribers:\n  - name: \"b: \\\"c\\\" ${x:-d}\"\n    topic: t\n"
              "    fields: [as_of, factors]\n  - name: a\n");
    cr_assert_str_eq(config.subscribers[0].name, "b: \"c\" d");
    ss_buffer_init(&out, 1 << 16);
    cr_assert_eq(ss_config_print(&config, &out, &err), SS_OK, "%s", err.detail);
    ss_config_reset(&config);
    cr_assert(ss_buffer_append(&out, "", 1));
    cr_assert(strstr((const char *)out.data, "# line 2\n"), "%s", (const char *)out.data);
    must_load((const char *)out.data);
    cr_assert_eq(config.subscriber_count, 2);
    cr_assert_str_eq(config.subscribers[0].name, "b: \"c\" d");
    cr_assert_str_eq(config.subscribers[0].topic, "t");
    cr_assert_eq(config.subscribers[0].fields,
                 SS_FIELD_BIT(SS_FIELD_AS_OF) | SS_FIELD_BIT(SS_FIELD_FACTORS));
    cr_assert_str_eq(config.subscribers[1].topic, "scores.a");
    ss_config_reset(&config);
    ss_buffer_reset(&out);
}

Test(subscribers, the_reference_names_every_field)
{
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&out, 1 << 20);
    cr_assert_eq(ss_config_print_docs(&out, &err), SS_OK, "%s", err.detail);
    cr_assert(ss_buffer_append(&out, "", 1));
    const char *section = strstr((const char *)out.data, "## Subscribers");
    cr_assert_not_null(section);
    const char *list = strstr(section, "- `fields`"), *end = strstr(list, "By default [");
    for (int field = 0; field < SS_FIELD_COUNT; field++) {
        const char *name = ss_score_field_name((enum ss_score_field)field);
        const char *found = strstr(list, name);
        cr_expect(found && found < end, "%s", name);
        cr_expect_eq(!!(SS_FIELDS_DEFAULT & SS_FIELD_BIT(field)),
                     strstr(end, name) && strstr(end, name) < strchr(end, ']'), "%s", name);
    }
    ss_buffer_reset(&out);
}
