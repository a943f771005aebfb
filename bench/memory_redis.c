#include "bench/memory_redis.h"

#include "cli/demo_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct ss_demo_redis server;
static redisContext *asking;

void memory_redis_stop(void)
{
    if (asking)
        redisFree(asking);
    asking = NULL;
    ss_demo_redis_stop(&server);
}

static redisReply *ask(const char *command)
{
    redisReply *reply = redisCommand(asking, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "memory: redis: %s\n", reply ? reply->str : asking->errstr);
        exit(1);
    }
    return reply;
}

double memory_redis_info(const char *section, const char *name)
{
    char command[32], line[64];
    snprintf(command, sizeof command, "INFO %s", section);
    snprintf(line, sizeof line, "\n%s:", name);
    redisReply *reply = ask(command);
    const char *at = strstr(reply->str, line);
    double value = at ? strtod(at + strlen(line), NULL) : 0;
    freeReplyObject(reply);
    return value;
}

const char *memory_redis_start(void)
{
    struct ss_error err;
    static bool registered;
    if (ss_demo_redis_start(&server, &err) != SS_OK) {
        fprintf(stderr, "memory: %s\n", err.detail);
        exit(1);
    }
    if (!registered)
        atexit(memory_redis_stop);
    registered = true;
    asking = redisConnectUnix(server.url + strlen("unix://"));
    if (!asking || asking->err) {
        fprintf(stderr, "memory: cannot connect to Redis\n");
        exit(1);
    }
    return server.url;
}

/* Buffers are freed, and the table of keys is moved, in the background. */
double memory_redis_at_rest(void)
{
    double used = memory_redis_info("memory", "used_memory");
    for (int same = 0, tries = 0; same < 10 && tries < 150; tries++) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        double now = memory_redis_info("memory", "used_memory");
        same = now == used ? same + 1 : 0;
        used = now;
    }
    return used;
}

double memory_redis_seconds(void)
{
    return memory_redis_info("cpu", "used_cpu_user") + memory_redis_info("cpu", "used_cpu_sys");
}

size_t memory_listpack_entry(size_t size)
{
    size_t head = size < 64 ? 1 : size < 4096 ? 2 : 5, entry = head + size;
    return entry + (entry < 128 ? 1 : 2); /* its length again, from the back: below 16384 */
}

struct memory_buckets memory_redis_buckets(void)
{
    struct memory_buckets buckets = {0, 0};
    redisReply *keys = ask("KEYS bench:*");
    for (size_t i = 0; i < keys->elements; i++) {
        const char *key = keys->element[i]->str;
        char command[96];
        snprintf(command, sizeof command, "TYPE %s", key);
        redisReply *reply = ask(command);
        bool bucket = strcmp(reply->str, "hash") == 0; /* or checkpoint or wakes */
        freeReplyObject(reply);
        if (!bucket)
            continue;
        snprintf(command, sizeof command, "OBJECT ENCODING %s", key);
        reply = ask(command);
        if (strcmp(reply->str, "listpack") != 0) {
            fprintf(stderr, "memory: %s is no listpack but a %s\n", key, reply->str);
            exit(1);
        }
        freeReplyObject(reply);
        snprintf(command, sizeof command, "MEMORY USAGE %s SAMPLES 0", key);
        reply = ask(command);
        size_t name = (keys->element[i]->len + 2 + 15) / 16 * 16;         /* an sds */
        buckets.given += (double)reply->integer - 16 - 24 - (double)name; /* robj, dictEntry */
        freeReplyObject(reply);
        buckets.count++;
    }
    freeReplyObject(keys);
    return buckets;
}
