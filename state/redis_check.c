#include "state/redis_check.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* The compact form holds while no packed state is longer and no bucket has more users. */
enum { LISTPACK_VALUE_MIN = 512, LISTPACK_ENTRIES_MIN = 1024 };

struct meaning {
    const char *prefix; /* of the server's text */
    enum ss_status status;
    const char *advice;
};

static const struct meaning meanings[] = {
    {"NOAUTH", SS_STOP, "it wants a password in the URL"},
    {"WRONGPASS", SS_STOP, "user or password are wrong"},
    {"NOPERM", SS_STOP, "the user lacks a permission"},
    {"DENIED", SS_STOP, "it is in protected mode"},
    {"WRONGTYPE", SS_STOP, "another program's keys have our prefix: give us one of our own"},
    {"MOVED", SS_STOP, "it is a cluster node: begin the URL with redis-cluster://"},
    {"ASK", SS_STOP, "it is a cluster node: begin the URL with redis-cluster://"},
    {"CROSSSLOT", SS_STOP, "it is a cluster node: begin the URL with redis-cluster://"},
    {"LOADING", SS_RETRY, "it is loading its data"},
    {"READONLY", SS_RETRY, "it is a replica"},
    {"MASTERDOWN", SS_RETRY, "it is a replica without a master"},
    {"OOM", SS_RETRY, "it has reached its maxmemory: raise it"},
    {"MISCONF", SS_RETRY, "it cannot save to its disk"},
    {"BUSY", SS_RETRY, "a script keeps it busy"},
    {"EXECABORT", SS_RETRY, "it refused a transaction"},
    {"ERR max number of clients", SS_RETRY, "it has too many clients"},
    {"ERR invalid password", SS_STOP, "user or password are wrong"},
    {"ERR DB index", SS_STOP, "it has no such database"},
    {"ERR", SS_STOP,
     "it does not take a command of ours: it must be Redis 6.2 or newer, or Valkey"},
};

/* What a node of a cluster says beyond these. */
static const struct meaning cluster_meanings[] = {
    {"MOVED", SS_RETRY, "another node has the slot"},
    {"ASK", SS_RETRY, "the slot is being moved, its partition waits until that is done"},
    {"TRYAGAIN", SS_RETRY, "the slot is being moved, its partition waits until that is done"},
    {"CLUSTERDOWN", SS_RETRY, "the cluster, or the part that has the slot, is down"},
    {"CROSSSLOT", SS_STOP, "keys of one partition are not in one slot"},
    {"ERR This instance has cluster support disabled", SS_STOP,
     "it is no cluster's node: begin the URL with redis://"},
};

static const struct meaning *find_meaning(const struct meaning *list, size_t count,
                                          const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, list[i].prefix, strlen(list[i].prefix)) == 0)
            return &list[i];
    return NULL;
}

/* MOVED 1584 10.0.0.3:7002; the host may be empty or an IPv6 address. */
static void note_redirect(struct ss_redis_redirect *redirect, const char *text)
{
    const char *last_space = strrchr(text, ' '), *last_colon = strrchr(text, ':');
    if (redirect->kind != SS_REDIS_HERE)
        return;
    if (strncmp(text, "ASK ", 4) == 0 || strncmp(text, "TRYAGAIN", 8) == 0)
        redirect->kind = SS_REDIS_MOVING;
    if (strncmp(text, "MOVED ", 6) != 0 || !last_colon || last_colon < last_space)
        return;
    size_t size = (size_t)(last_colon - last_space) - 1;
    long port = strtol(last_colon + 1, NULL, 10);
    if (size >= sizeof redirect->host || port < 1 || port > 65535)
        return;
    memcpy(redirect->host, last_space + 1, size);
    redirect->host[size] = '\0';
    redirect->port = (int)port;
    redirect->kind = SS_REDIS_MOVED;
}

enum ss_status ss_redis_error(struct ss_redis_connection *c, const redisReply *reply,
                              struct ss_error *err)
{
    int word = (int)strcspn(reply->str, " ");
    const struct meaning *meaning = NULL;
    if (c->url.cluster) {
        note_redirect(&c->redirect, reply->str);
        meaning = find_meaning(cluster_meanings,
                               sizeof cluster_meanings / sizeof cluster_meanings[0], reply->str);
    }
    if (!meaning)
        meaning = find_meaning(meanings, sizeof meanings / sizeof meanings[0], reply->str);
    if (meaning)
        return ss_fail(err, meaning->status, "redis %s answers %.*s: %s", c->name, word, reply->str,
                       meaning->advice);
    return ss_fail(err, SS_RETRY, "redis %s answers %.*s", c->name, word < 24 ? word : 24,
                   reply->str);
}

/* Sends what was written and drops the answer, which must not be an error. */
static enum ss_status expect_ok(struct ss_redis_connection *c, struct ss_error *err)
{
    redisReply *reply;
    enum ss_status status = ss_redis_reply(c, &reply, err);
    if (status == SS_OK)
        freeReplyObject(reply);
    return status;
}

enum ss_status ss_redis_log_in(struct ss_redis_connection *c, struct ss_error *err)
{
    const struct ss_redis_url *url = &c->url;
    enum ss_status status = SS_OK;
    if (url->user[0])
        ss_redis_texts(c, "AUTH", url->user, url->password, NULL);
    else if (url->password[0])
        ss_redis_texts(c, "AUTH", url->password, NULL);
    if (url->password[0] || url->user[0])
        status = expect_ok(c, err);
    if (status == SS_OK && url->db > 0) {
        char db[16];
        snprintf(db, sizeof db, "%d", url->db);
        ss_redis_texts(c, "SELECT", db, NULL);
        status = expect_ok(c, err);
    }
    return status;
}

/* Asks a question that the server may refuse to answer: *refused then, and the connection goes on.
 */
static enum ss_status ask(struct ss_redis_connection *c, redisReply **reply, bool *refused,
                          struct ss_error *err)
{
    enum ss_status status = ss_redis_reply_any(c, reply, err);
    *refused = false;
    if (status != SS_OK || (*reply)->type != REDIS_REPLY_ERROR)
        return status;
    status = ss_redis_error(c, *reply, err);
    freeReplyObject(*reply);
    *reply = NULL;
    if (status != SS_STOP)
        return status; /* not refused, but away */
    *refused = true;
    return SS_OK;
}

/* CONFIG GET of one option; *value is empty where the server does not know it. */
static enum ss_status config_get(struct ss_redis_connection *c, const char *option, char *value,
                                 size_t size, bool *refused, struct ss_error *err)
{
    redisReply *reply = NULL;
    value[0] = '\0';
    ss_redis_texts(c, "CONFIG", "GET", option, NULL);
    enum ss_status status = ask(c, &reply, refused, err);
    if (status != SS_OK || *refused)
        return status;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING)
        snprintf(value, size, "%s", reply->element[1]->str);
    freeReplyObject(reply);
    return SS_OK;
}

/* Where CONFIG is forbidden, as managed services do, INFO still tells the policy. */
static enum ss_status info_policy(struct ss_redis_connection *c, char *value, size_t size,
                                  struct ss_error *err)
{
    static const char name[] = "maxmemory_policy:";
    redisReply *reply = NULL;
    bool refused;
    value[0] = '\0';
    ss_redis_texts(c, "INFO", "memory", NULL);
    enum ss_status status = ask(c, &reply, &refused, err);
    if (status != SS_OK || refused)
        return status;
    const char *at = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    if (at) {
        at += sizeof name - 1;
        snprintf(value, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    freeReplyObject(reply);
    return SS_OK;
}

/* Saves bring times forward with ZADD LT. A server that may not tell is believed, until it refuses
 * that. Valkey tells the version of Redis that it is compatible with. */
static enum ss_status check_version(struct ss_redis_connection *c, struct ss_error *err)
{
    static const char name[] = "redis_version:";
    redisReply *reply = NULL;
    bool refused;
    int major = 0, minor = 0;
    ss_redis_texts(c, "INFO", "server", NULL);
    enum ss_status status = ask(c, &reply, &refused, err);
    if (status != SS_OK || refused)
        return status;
    const char *at = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    bool told = at && sscanf(at + sizeof name - 1, "%d.%d", &major, &minor) == 2;
    freeReplyObject(reply);
    if (told && (major < 6 || (major == 6 && minor < 2)))
        return ss_fail(err, SS_STOP,
                       "redis %s is of version %d.%d: it must be 6.2 or newer, or Valkey", c->name,
                       major, minor);
    return SS_OK;
}

static enum ss_status check_eviction(struct ss_redis_connection *c, struct ss_error *err)
{
    char policy[64];
    bool refused;
    enum ss_status status = config_get(c, "maxmemory-policy", policy, sizeof policy, &refused, err);
    if (status == SS_OK && refused)
        status = info_policy(c, policy, sizeof policy, err);
    if (status != SS_OK || strcmp(policy, "noeviction") == 0)
        return status;
    if (!policy[0])
        return ss_fail(err, SS_STOP,
                       "redis %s refuses to tell its maxmemory-policy: allow CONFIG GET or INFO",
                       c->name);
    return ss_fail(err, SS_STOP,
                   "redis %s has maxmemory-policy %s, which deletes states silently: set it to "
                   "noeviction",
                   c->name, policy);
}

/* Raises one limit to at least `least`. The older name is what Redis before 7 knows. */
static enum ss_status raise_limit(struct ss_redis_connection *c, const char *option,
                                  const char *older, long least, bool *raised, struct ss_error *err)
{
    char value[32];
    bool refused;
    *raised = false;
    enum ss_status status = config_get(c, option, value, sizeof value, &refused, err);
    if (status == SS_OK && !refused && !value[0]) {
        option = older;
        status = config_get(c, option, value, sizeof value, &refused, err);
    }
    if (status != SS_OK || refused)
        return status;
    if (strtol(value, NULL, 10) < least) {
        char wanted[32];
        redisReply *reply = NULL;
        snprintf(wanted, sizeof wanted, "%ld", least);
        ss_redis_texts(c, "CONFIG", "SET", option, wanted, NULL);
        status = ask(c, &reply, &refused, err);
        if (status != SS_OK || refused)
            return status;
        freeReplyObject(reply);
    }
    *raised = true;
    return SS_OK;
}

static enum ss_status check_listpacks(struct ss_redis_connection *c, struct ss_error *err)
{
    bool value_raised, entries_raised = false;
    enum ss_status status = raise_limit(c, "hash-max-listpack-value", "hash-max-ziplist-value",
                                        LISTPACK_VALUE_MIN, &value_raised, err);
    if (status == SS_OK)
        status = raise_limit(c, "hash-max-listpack-entries", "hash-max-ziplist-entries",
                             LISTPACK_ENTRIES_MIN, &entries_raised, err);
    if (status == SS_OK && !(value_raised && entries_raised) && !c->warned) {
        c->warned = true;
        ss_warn("redis",
                "%s does not let us set its limits: unless hash-max-listpack-value is %d or more "
                "and hash-max-listpack-entries %d or more, states take several times the memory",
                c->name, LISTPACK_VALUE_MIN, LISTPACK_ENTRIES_MIN);
    }
    return status;
}

enum ss_status ss_redis_check(struct ss_redis_connection *c, struct ss_error *err)
{
    enum ss_status status = check_version(c, err);
    if (status == SS_OK)
        status = check_eviction(c, err);
    return status == SS_OK ? check_listpacks(c, err) : status;
}
