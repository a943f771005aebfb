/* config_check.c - what no option can be told alone: that they go together, and that none is
 * missing. */
#include "config/config.h"
#include "config/options.h"
#include "config/subscribers.h"

#include <string.h>

enum ss_status ss_config_check(const struct ss_config *config, struct ss_error *err)
{
    const struct ss_option *topics[SS_CONFIG_OPTIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < ss_option_count; i++)
        if (ss_options[i].type == SS_OPTION_TOPIC)
            topics[count++] = &ss_options[i];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            /* Only reads; the accessor serves writers too and therefore is not const. */
            const char *a = *ss_option_text((struct ss_config *)config, topics[j]);
            const char *b = *ss_option_text((struct ss_config *)config, topics[i]);
            if (strcmp(a, b) == 0)
                return ss_fail(err, SS_STOP,
                               "%s and %s are both '%.100s'; every topic needs a name of its own",
                               topics[j]->name, topics[i]->name, a);
        }
    return ss_subscribers_check(config, err);
}

static bool have_brokers(const struct ss_config *config, enum ss_clients clients)
{
    /* The mock cluster inside librdkafka brings its own brokers. */
    static const char *const names[] = {"bootstrap.servers", "metadata.broker.list",
                                        "test.mock.num.brokers"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ss_config_property(config, clients, names[i]))
            return true;
    return false;
}

static bool has_brokers(const struct ss_config *config)
{
    return have_brokers(config, SS_CLIENTS_CONSUMER) && have_brokers(config, SS_CLIENTS_PRODUCER);
}

enum ss_status ss_config_check_brokers(const struct ss_config *config, struct ss_error *err)
{
    if (has_brokers(config))
        return SS_OK;
    return ss_fail(err, SS_STOP,
                   "no brokers: kafka.bootstrap.servers is not set%s%s; give the engine's config "
                   "with -F, or -X bootstrap.servers=HOST:PORT",
                   config->file ? " in " : "", config->file ? config->file : "");
}

enum ss_status ss_config_check_for_run(const struct ss_config *config, struct ss_error *err)
{
    enum ss_status status = ss_config_check(config, err);
    if (status != SS_OK)
        return status;
    const bool brokers = has_brokers(config);
    if (brokers && config->redis_url && config->registry_url)
        return SS_OK;
    return ss_fail(err, SS_STOP,
                   "not set%s%s:%s%s%s; set them in the config file (-F) or with -X name=value",
                   config->file ? " in " : "", config->file ? config->file : "",
                   brokers ? "" : " kafka.bootstrap.servers (host:port of a Kafka broker)",
                   config->redis_url ? "" : " redis.url (redis://host:port)",
                   config->registry_url ? "" : " registry.url (http://host:port, or embedded:)");
}
