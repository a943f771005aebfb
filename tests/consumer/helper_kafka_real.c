#include "helper_kafka_real.h"
#include "base/clock.h"

#include "consumer/kafka_admin.h"
#include "consumer/kafka_producer.h"
#include "consumer/kafka_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ss_kafka_config config;
static char prefix[64];

static void make_topics(void)
{
    static const struct ss_kafka_property changelog[] = {
        {"cleanup.policy", "compact"}, {"message.timestamp.type", "LogAppendTime"}};
    struct ss_kafka_topic topics[SS_INPUT_COUNT + SS_TARGET_COUNT] = {0};
    struct ss_error err;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        topics[i].name = config.inputs[i];
    for (int i = 0; i < SS_TARGET_COUNT; i++)
        topics[SS_INPUT_COUNT + i].name = config.targets[i];
    for (int i = 0; i < SS_INPUT_COUNT + SS_TARGET_COUNT; i++)
        topics[i].partitions = i == SS_INPUT_COUNT + SS_TO_RANKS ? 1 : PARTITIONS;
    topics[SS_INPUT_COUNT + SS_TO_CHANGELOG].config = (struct ss_kafka_properties){changelog, 2};
    cr_assert_eq(ss_kafka_topics_create(&config.access, topics, SS_INPUT_COUNT + SS_TARGET_COUNT,
                                        30000, &err),
                 SS_OK, "%s", err.detail);
    cr_assert(topics[0].created);
    /* Again: nothing to do. Then with another count: refused, and the topic named. */
    cr_assert_eq(ss_kafka_topics_create(&config.access, topics, 2, 30000, &err), SS_OK, "%s",
                 err.detail);
    cr_assert(!topics[0].created);
    topics[0].partitions = PARTITIONS + 1;
    cr_assert_eq(ss_kafka_topics_create(&config.access, topics, 1, 30000, &err), SS_STOP);
    cr_assert(strstr(err.detail, topics[0].name), "%s", err.detail);
}

/* The port of the broker of the stack in that directory, as `tools/stack` writes it down. */
static int stack_port(const char *directory)
{
    char path[256];
    int port;
    snprintf(path, sizeof path, "%.200s/port.kafka", directory);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "no stack in %s", directory);
    cr_assert_eq(fscanf(file, "%d", &port), 1, "no port in %s", path);
    fclose(file);
    return port;
}

void real_open(void)
{
    const char *directory = getenv("SESAME_STACK_DIR");
    static char bootstrap[32]; /* the config refers to it */
    if (!directory) {
        fprintf(stderr, "SESAME_STACK_DIR names no stack: skipped\n");
        cr_skip_test("SESAME_STACK_DIR names no stack: skipped");
    }
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", stack_port(directory));
    snprintf(prefix, sizeof prefix, "t%d-%lld-", (int)getpid(), (long long)ss_clock_steady_ms());
    helper_config(&config, 0, bootstrap, prefix);
    make_topics();
}

enum ss_status transact(struct worker *w, const struct ss_poll *poll)
{
    struct ss_bus *bus = w->bus;
    bool touched[PARTITIONS] = {false};
    enum ss_status status = bus->ops->begin(bus, &w->err);
    for (size_t i = 0; i < poll->record_count && !status; i++) {
        const struct ss_record *r = &poll->records[i];
        char name[64];
        int size = snprintf(name, sizeof name, "%d/%d/%lld", (int)r->input, r->partition,
                            (long long)r->offset);
        status = bus->ops->produce(bus, SS_TO_SCORES, r->partition, r->key,
                                   (struct ss_bytes){name, (size_t)size}, NULL, 0, false, &w->err);
        if (!status)
            status = bus->ops->offset(bus, r->input, r->partition, r->offset + 1, &w->err);
        touched[r->partition] = true;
    }
    for (int32_t p = 0; p < PARTITIONS && !status; p++)
        if (touched[p])
            status = helper_mark(bus, p, "real", &w->err);
    w->transactions++;
    if (status || (w->abort_every && w->transactions % w->abort_every == 0))
        return bus->ops->abort(bus, &w->err);
    status = bus->ops->commit(bus, &w->err);
    if (!status)
        w->records += (int64_t)poll->record_count;
    return status;
}

enum ss_status step(struct worker *w, size_t records_max, int timeout_ms)
{
    struct ss_poll poll;
    struct ss_partition_start start;
    enum ss_status status = w->bus->ops->poll(w->bus, records_max, timeout_ms, &poll, &w->err);
    if (status)
        return status;
    if (poll.event == SS_BUS_RECORDS)
        return transact(w, &poll);
    for (size_t i = 0; i < poll.partition_count; i++) {
        cr_assert_eq(w->owned[poll.partitions[i]], poll.event == SS_BUS_REVOKED,
                     "partition %d given twice or taken twice", poll.partitions[i]);
        w->owned[poll.partitions[i]] = poll.event == SS_BUS_ASSIGNED;
        if (poll.event != SS_BUS_ASSIGNED)
            continue;
        status = w->bus->ops->start(w->bus, poll.partitions[i], &start, &w->err);
        if (!status)
            status =
                w->bus->ops->open_partition(w->bus, poll.partitions[i], start.positions, &w->err);
        cr_assert(status == SS_OK || status == SS_GIVE_UP, "%s", w->err.detail);
    }
    return SS_OK;
}

int owned_count(const struct worker *w)
{
    int count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        count += w->owned[p];
    return count;
}

void produce(int64_t count, size_t size)
{
    struct ss_kafka_producer *producer;
    struct ss_error err;
    char key[32], value[1000];
    memset(value, 'x', sizeof value);
    cr_assert_eq(ss_kafka_producer_open(&config.access, &producer, &err), SS_OK, "%s", err.detail);
    for (int64_t i = 0; i < count; i++) {
        int key_size = snprintf(key, sizeof key, "user-%lld", (long long)(i % 5000));
        cr_assert_eq(ss_kafka_producer_send(producer, config.inputs[SS_PAYMENTS],
                                            (struct ss_bytes){key, (size_t)key_size},
                                            (struct ss_bytes){value, size}, NULL, 0, 0, &err),
                     SS_OK, "%s", err.detail);
    }
    cr_assert_eq(ss_kafka_producer_flush(producer, 60000, NULL, &err), SS_OK, "%s", err.detail);
    ss_kafka_producer_close(producer);
}

int64_t count_outputs(void)
{
    struct ss_kafka_reader_config reading = {.access = config.access,
                                             .topic = config.targets[SS_TO_SCORES],
                                             .partition = -1,
                                             .from_offset = -1};
    struct ss_kafka_reader *reader;
    struct ss_kafka_record record;
    struct ss_error err;
    int64_t count = 0;
    bool end = false;
    static uint8_t seen[PARTITIONS][200000];
    memset(seen, 0, sizeof seen);
    cr_assert_eq(ss_kafka_reader_open(&reading, &reader, &err), SS_OK, "%s", err.detail);
    for (;;) {
        cr_assert_eq(ss_kafka_reader_next(reader, &record, &end, &err), SS_OK, "%s", err.detail);
        if (end)
            break;
        char name[64];
        int input, partition;
        long long offset;
        snprintf(name, sizeof name, "%.*s", (int)record.value.size,
                 (const char *)record.value.data);
        cr_assert_eq(sscanf(name, "%d/%d/%lld", &input, &partition, &offset), 3);
        cr_assert_eq(partition, record.partition);
        cr_assert_eq(seen[partition][offset], 0, "%s was counted twice", name);
        seen[partition][offset] = 1;
        count++;
    }
    ss_kafka_reader_close(reader);
    return count;
}
