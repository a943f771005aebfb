#include "config/config.h"
#include "config/options.h"
#include "helper_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 17 };

static void load(struct ss_config *config, const char *text)
{
    struct ss_error err = {0};
    cr_assert_eq(ss_config_init(config, &err), SS_OK);
    cr_assert_eq(ss_config_parse(config, text, strlen(text), "s.yaml", &err), SS_OK, "%s",
                 err.detail);
}

/* What is printed, as text. */
static char *printed(const struct ss_config *config)
{
    struct ss_error err = {0};
    struct ss_buffer out;
    ss_buffer_init(&out, ROOM);
    cr_assert_eq(ss_config_print(config, &out, &err), SS_OK, "%s", err.detail);
    char *text = strndup((const char *)out.data, out.size);
    ss_buffer_reset(&out);
    return text;
}

Test(config_print, says_what_is_in_effect_and_from_where)
{
    struct ss_error err = {0};
    struct ss_config config;
    load(&config, "group: g\nregistry: {url: 'embedded:'}\nkafka:\n  bootstrap.servers: a:1\n");
    cr_assert_eq(ss_config_set(&config, "workers=3", &err), SS_OK);
    cr_assert_eq(ss_config_set(&config, "linger.ms=1", &err), SS_OK);
    char *text = printed(&config);
    static const char *const lines[] = {
        "\ngroup: g  # line 1\n",
        "\nworkers: 3  # -X\n",
        "\nregistry:\n  url: \"embedded:\"  # line 2\n  # basic_auth: (not set)\n",
        "\n  timeout_ms: 5000  # default\n",
        "\n  buckets: 4096  # default\n",
        "\n  payments: payments  # default\n",
        "\nlog:\n  level: info  # default\n",
        "\nkafka:\n  bootstrap.servers: \"a:1\"  # line 4\n  linger.ms: 1  # -X\n",
    };
    char *padded = malloc(strlen(text) + 2);
    sprintf(padded, "\n%s", text);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(padded, lines[i]), "%snot in\n%s", lines[i], text);
    free(padded);
    free(text);
    ss_config_reset(&config);
}

Test(config_print, masks_what_is_secret_and_only_that)
{
    struct ss_config config;
    setenv("SS_TEST_SECRET", "geheim1", 1);
    load(&config,
         "registry: {url: 'https://u:geheim2@h/p', basic_auth: 'me:${SS_TEST_SECRET}'}\n"
         "redis: {url: 'redis://:geheim3/@x@h:1/0'}\n"
         "kafka:\n  sasl.username: me@corp\n  sasl.password: geheim4\n  ssl.key.password: geheim5\n"
         "  ssl.key.pem: geheim6\n  sasl.oauthbearer.client.secret: geheim7\n  x.url: "
         "http://u:geheim8@h\n"
         "  sasl.oauthbearer.config: geheim9\n  ssl.ca.location: /ca.pem\n"
         "kafka_producer: {ssl.keystore.password: geheim10}\n");
    char *text = printed(&config);
    cr_expect_null(strstr(text, "geheim"), "%s", text);
    cr_expect(strstr(text, "url: \"https://u:****@h/p\""), "%s", text);
    cr_expect(strstr(text, "basic_auth: \"****\""), "%s", text);
    cr_expect(strstr(text, "url: \"redis://:****@h:1/0\""), "%s", text);
    cr_expect(strstr(text, "sasl.username: \"me@corp\""), "%s", text);
    cr_expect(strstr(text, "sasl.password: \"****\""), "%s", text);
    cr_expect(strstr(text, "ssl.ca.location: /ca.pem"), "%s", text);
    free(text);
    ss_config_reset(&config);
}

Test(config_print, a_token_as_the_user_of_a_url_is_masked)
{
    char out[64];
    ss_mask_url("https://token@h/p", out, sizeof out);
    cr_expect_str_eq(out, "https://****@h/p");
    ss_mask_url("https://h/p", out, sizeof out);
    cr_expect_str_eq(out, "https://h/p");
    ss_mask_url("a:b@c:d@h", out, sizeof out);
    cr_expect_str_eq(out, "a:****@h");
}

Test(config_print, loads_again_as_the_same)
{
    struct ss_error err = {0};
    struct ss_config config, again;
    load(&config,
         "group: g\nworkers: 7\nredis: {url: 'unix:///r.sock?db=1'}\nmodel: {file: /m.yaml}\n"
         "log: {level: warn}\n"
         "kafka:\n  a: \"x: 'y' # \\\" \\\\ $${N} \\t\\x7f \xc3\xa9\"\n  b: ''\n  c: 'true'\n  d: "
         "$$${E}\n"
         "kafka_consumer: {a: 1}\nkafka_producer: {a: 2}\n");
    char *text = printed(&config);
    load(&again, text);
    cr_assert_eq(ss_config_check(&again, &err), SS_OK);
    for (size_t i = 0; i < ss_option_count; i++) {
        if (ss_option_is_number(&ss_options[i])) {
            cr_expect_eq(*ss_option_number(&again, &ss_options[i]),
                         *ss_option_number(&config, &ss_options[i]), "%s", ss_options[i].name);
        } else {
            const char *a = *ss_option_text(&config, &ss_options[i]);
            const char *b = *ss_option_text(&again, &ss_options[i]);
            cr_expect_str_eq(a ? a : "", b ? b : "", "%s", ss_options[i].name);
        }
    }
    cr_assert_str_eq(ss_config_property(&config, SS_CLIENTS_ALL, "d"), "$${E}");
    cr_assert_eq(again.property_count, config.property_count);
    for (size_t i = 0; i < config.property_count; i++) {
        cr_expect_str_eq(again.properties[i].name, config.properties[i].name);
        cr_expect_str_eq(again.properties[i].value, config.properties[i].value);
        cr_expect_eq(again.properties[i].clients, config.properties[i].clients);
    }
    free(text);
    ss_config_reset(&config);
    ss_config_reset(&again);
}

Test(config_print, a_full_buffer_is_an_error)
{
    struct ss_error err = {0};
    struct ss_config config;
    struct ss_buffer out;
    load(&config, "");
    ss_buffer_init(&out, 100);
    cr_assert_eq(ss_config_print(&config, &out, &err), SS_STOP);
    cr_assert_eq(ss_config_print_docs(&out, &err), SS_STOP);
    ss_buffer_reset(&out);
    ss_config_reset(&config);
}

/* SS_UPDATE_DOCS=1 in the environment writes the file instead of comparing. */
Test(config_print, docs_configuration_md_is_current)
{
    struct ss_error err = {0};
    struct ss_buffer out;
    ss_buffer_init(&out, ROOM);
    cr_assert_eq(ss_config_print_docs(&out, &err), SS_OK, "%s", err.detail);
    cr_assert(ss_buffer_append(&out, "", 1));
    if (getenv("SS_UPDATE_DOCS")) {
        FILE *file = fopen("docs/configuration.md", "wb");
        cr_assert(file);
        cr_assert_eq(fwrite(out.data, 1, out.size - 1, file), out.size - 1);
        cr_assert_eq(fclose(file), 0);
    }
    char *text = helper_read("docs/configuration.md");
    cr_assert_eq(strcmp(text, (const char *)out.data), 0,
                 "docs/configuration.md is not what config/options.c prints; from the root of the "
                 "repository, run this test with SS_UPDATE_DOCS=1");
    free(text);
    ss_buffer_reset(&out);
}

Test(config_print, every_option_is_in_the_docs_and_has_help)
{
    char *text = helper_read("docs/configuration.md");
    for (size_t i = 0; i < ss_option_count; i++) {
        char heading[80];
        snprintf(heading, sizeof heading, "\n### `%s`\n", ss_options[i].name);
        cr_expect(strstr(text, heading), "%s", ss_options[i].name);
        size_t size = strlen(ss_options[i].help);
        cr_expect(size > 5 && ss_options[i].help[size - 1] == '.', "%s", ss_options[i].name);
    }
    free(text);
}
