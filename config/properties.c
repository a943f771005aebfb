/* properties.c - what sesame knows of librdkafka's properties: which it must control itself, and
 * which hold secrets. All others pass through unseen. */
#include "config/options.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Each refusal protects a promise; the text says which option does what the operator wanted. */
static const struct {
    const char *name;
    const char *why;
} refused[] = {
    {"enable.auto.commit",
     "offsets are committed with the results in one transaction (exactly once); "
     "remove it"},
    {"auto.commit.enable",
     "offsets are committed with the results in one transaction (exactly once); "
     "remove it"},
    {"auto.commit.interval.ms",
     "offsets are committed with the results in one transaction; remove it"},
    {"enable.auto.offset.store",
     "offsets are committed with the results in one transaction; remove it"},
    {"auto.offset.reset", "a group without committed offsets always starts at the beginning, so "
                          "that no event is missed; "
                          "to start afresh, use another `group`"},
    {"isolation.level", "sesame reads only what is committed (exactly once); remove it"},
    {"transactional.id",
     "it is made of group, instance and worker, so that a restart finds its own transactions; set "
     "`group` and `instance`"},
    {"group.id", "it is also part of the transactional ids; set `group`"},
    {"group.instance.id", "it is made of group, instance and worker; set `instance`"},
    {"group.protocol",
     "assignments must be co-partitioned, which needs the client-side range assignor; remove it"},
    {"partition.assignment.strategy",
     "partition p of every topic must belong to one worker, which `range` gives; remove it"},
    {"session.timeout.ms", "it is 10 s, which how soon others take over rests on; remove it"},
    {"transaction.timeout.ms", "it is 10 s: the transaction of a process that was killed holds "
                               "back readers no longer; remove "
                               "it"},
    {"enable.partition.eof", "it tells that an input is read to its end; remove it"},
    {"enable.idempotence", "transactions need it, so it is always on; remove it"},
};

const char *ss_property_refused(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcasecmp(refused[i].name, name) == 0)
            return refused[i].why;
    return NULL;
}

const char *ss_property_refused_name(size_t i)
{
    return i < sizeof refused / sizeof *refused ? refused[i].name : NULL;
}

bool ss_property_secret(const char *name)
{
    static const char *const parts[] = {"password", "passphrase", "secret", "key.pem",
                                        "oauthbearer.config"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

void ss_mask_url(const char *value, char *out, size_t size)
{
    const char *scheme_end = strstr(value, "://");
    const char *user = scheme_end ? scheme_end + 3 : value;
    /* The last @, since a password may itself hold one, or a slash. */
    const char *at = strrchr(user, '@');
    if (!at) {
        snprintf(out, size, "%s", value);
        return;
    }
    /* Without a colon the whole may be a token. */
    const char *colon = memchr(user, ':', (size_t)(at - user));
    const char *secret = colon ? colon + 1 : user;
    snprintf(out, size, "%.*s****%s", (int)(secret - value), value, at);
}
