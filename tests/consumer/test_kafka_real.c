/* The bus on a real Kafka, named by SESAME_BOOTSTRAP: what the mock cluster cannot show. Each test
 * makes topics of its own. */
#include "consumer/kafka_admin.h"
#include "consumer/kafka_bus.h"
#include "consumer/kafka_producer.h"
#include "consumer/kafka_reader.h"
#include "helper_kafka.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 4 };

static struct ss_kafka_config config;
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

static void set_up(void)
{
    const char *bootstrap = getenv("SESAME_BOOTSTRAP");
    if (!bootstrap) {
        fprintf(stderr, "SESAME_BOOTSTRAP names no Kafka: skipped\n");
        cr_skip_test("SESAME_BOOTSTRAP names no Kafka: skipped");
    }
    snprintf(prefix, sizeof prefix, "t%d-%lld-", (int)getpid(), (long long)helper_now_ms());
    helper_config(&config, 0, bootstrap, prefix);
    make_topics();
}

TestSuite(kafka_real, .init = set_up, .timeout = 200);

/* --- a small worker: one output for each record, named after it; a mark for each partition --- */

struct worker {
    struct ss_bus *bus;
    bool owned[PARTITIONS];
    int64_t transactions, records;
    int abort_every; /* 0: never */
    struct ss_error err;
};

static enum ss_status transact(struct worker *w, const struct ss_poll *poll)
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
            status = bus->ops->produce(bus, SS_TO_CHANGELOG, p, helper_text("\1"),
                                       helper_text("mark"), NULL, 0, true, &w->err);
    w->transactions++;
    if (status || (w->abort_every && w->transactions % w->abort_every == 0))
        return bus->ops->abort(bus, &w->err);
    status = bus->ops->commit(bus, &w->err);
    if (!status)
        w->records += (int64_t)poll->record_count;
    return status;
}

static enum ss_status step(struct worker *w, size_t records_max, int timeout_ms)
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

static int owned_count(const struct worker *w)
{
    int count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        count += w->owned[p];
    return count;
}

/* Produces count records of `size` bytes into payments, over many keys. */
static void produce(int64_t count, size_t size)
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

/* How many committed outputs there are; fails on a second one for the same input record. */
static int64_t count_outputs(void)
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

Test(kafka_real, counts_each_record_once_through_aborts_and_rebalances)
{
    const int64_t total = 40000;
    struct worker a = {.abort_every = 5}, b = {.abort_every = 7};
    struct ss_kafka_config second = config;
    produce(total, 100);
    second.worker = 1;
    a.bus = helper_open(&config);
    const int64_t deadline = helper_now_ms() + 120000;
    while (a.records < total / 10 && helper_now_ms() < deadline)
        (void)step(&a, 500, 100);
    b.bus = helper_open(&second);
    bool shared = false;
    while ((a.records + b.records < total || !shared) && helper_now_ms() < deadline) {
        enum ss_status status = step(&a, 500, 10);
        cr_assert_neq(status, SS_STOP, "%s", a.err.detail);
        status = step(&b, 500, 10);
        cr_assert_neq(status, SS_STOP, "%s", b.err.detail);
        shared |= owned_count(&a) == 2 && owned_count(&b) == 2;
    }
    cr_assert(shared);
    cr_assert_eq(a.records + b.records, total);
    a.bus->ops->close(a.bus);
    b.bus->ops->close(b.bus);
    cr_assert_eq(count_outputs(), total);
}

/* Runs a worker in a process of its own that is killed inside its third transaction. */
static void run_and_die(void)
{
    int status;
    pid_t child = fork();
    cr_assert_neq(child, -1);
    if (child == 0) {
        struct worker w = {0};
        struct ss_poll poll;
        w.bus = helper_open(&config);
        for (;;) {
            if (w.transactions < 2) {
                (void)step(&w, 200, 100);
                continue;
            }
            /* As transact, but it ends before the commit, with everything sent. */
            if (w.bus->ops->poll(w.bus, 200, 100, &poll, &w.err) || poll.event != SS_BUS_RECORDS)
                continue;
            (void)w.bus->ops->begin(w.bus, &w.err);
            for (size_t i = 0; i < 60000; i++)
                if (w.bus->ops->produce(w.bus, SS_TO_CHANGELOG, poll.records[0].partition,
                                        helper_text("ghost"), helper_text("ghost"), NULL, 0, false,
                                        &w.err))
                    break;
            raise(SIGKILL);
        }
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status));
}

struct restored {
    int64_t marks, ghosts, last_time_ms;
};

static enum ss_status on_restored(void *arg, int64_t offset, int64_t broker_time_ms,
                                  struct ss_bytes key, struct ss_bytes value, struct ss_error *err)
{
    struct restored *r = arg;
    (void)offset;
    (void)value;
    (void)err;
    r->marks += ss_bytes_equal(key, helper_text("\1"));
    r->ghosts += ss_bytes_equal(key, helper_text("ghost"));
    r->last_time_ms = broker_time_ms;
    return SS_OK;
}

static void take_over(const struct ss_kafka_config *successor)
{
    const int64_t total = 5000;
    struct ss_poll poll;
    struct ss_partition_start start;
    struct ss_error err;
    struct restored all = {0};
    int64_t committed = 0;
    bool behind = false;

    produce(total, 100);
    run_and_die();
    struct ss_bus *bus = helper_open(successor);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(poll.partition_count, PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct restored r = {0};
        cr_assert_eq(bus->ops->start(bus, p, &start, &err), SS_OK, "%s", err.detail);
        enum ss_status status = bus->ops->restore(bus, p, start.changelog_start,
                                                  start.changelog_end, on_restored, &r, &err);
        cr_assert_eq(status, SS_OK, "%s", err.detail);
        committed += start.positions[SS_PAYMENTS];
        behind |= start.changelog_end > start.changelog_start;
        all.marks += r.marks;
        all.ghosts += r.ghosts;
    }
    cr_assert(behind);
    cr_assert_eq(all.ghosts, 0, "records of a transaction that was never committed");
    cr_assert_gt(all.marks, 0);
    cr_assert_gt(committed, 0);
    cr_assert_lt(committed, total);

    struct worker w = {.bus = bus};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        w.owned[p] = true;
        helper_begin(bus, p, &start);
    }
    const int64_t deadline = helper_now_ms() + 60000;
    while (committed + w.records < total && helper_now_ms() < deadline)
        cr_assert_eq(step(&w, 1000, 100), SS_OK, "%s", w.err.detail);
    bus->ops->close(bus);
    cr_assert_eq(count_outputs(), total);
}

Test(kafka_real, resumes_after_a_kill_under_the_same_name)
{
    take_over(&config);
}

/* Another id cannot abort the dead one's transaction: the restore waits until the broker does. */
Test(kafka_real, takes_over_from_a_killed_worker_of_another_name)
{
    struct ss_kafka_config successor = config;
    successor.instance = "two";
    take_over(&successor);
}

Test(kafka_real, stops_the_older_of_two_twins)
{
    struct worker a = {.bus = helper_open(&config)};
    const int64_t total = 2000;
    produce(total / 2, 100);
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    struct worker b = {.bus = helper_open(&config)};
    enum ss_status status = SS_OK;
    const int64_t begun = helper_now_ms(), deadline = begun + 90000;
    while (status != SS_STOP && helper_now_ms() < deadline) {
        status = step(&a, 100, 50);
        cr_assert_neq(step(&b, 100, 50), SS_STOP, "%s", b.err.detail);
    }
    cr_assert_eq(status, SS_STOP);
    fprintf(stderr, "told apart after %lld ms\n", (long long)(helper_now_ms() - begun));
    cr_assert(strstr(a.err.detail, "another process runs as instance one"), "%s", a.err.detail);
    a.bus->ops->close(a.bus);

    /* and the younger one has the name to itself */
    produce(total / 2, 100);
    while (a.records + b.records < total && helper_now_ms() < deadline)
        cr_assert_neq(step(&b, 100, 100), SS_STOP, "%s", b.err.detail);
    b.bus->ops->close(b.bus);
    cr_assert_eq(count_outputs(), total);
}

/* A client of the same name that came and went: to the broker it is what a held-up request of the
 * worker's own past is. */
Test(kafka_real, outlives_a_late_request_of_its_own_past)
{
    struct ss_poll poll;
    struct worker a = {.bus = helper_open(&config)};
    const int64_t total = 1000, deadline = helper_now_ms() + 90000;
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    struct ss_bus *late = helper_open(&config);
    helper_await(late, SS_BUS_ASSIGNED, &poll);
    late->ops->close(late);
    bool lost = false;
    while (!lost && helper_now_ms() < deadline) {
        cr_assert_neq(step(&a, 100, 100), SS_STOP, "%s", a.err.detail);
        lost = owned_count(&a) == 0;
    }
    cr_assert(lost);
    produce(total, 100);
    while (a.records < total && helper_now_ms() < deadline)
        cr_assert_neq(step(&a, 100, 100), SS_STOP, "%s", a.err.detail);
    a.bus->ops->close(a.bus);
    cr_assert_eq(count_outputs(), total);
}

Test(kafka_real, cannot_commit_once_a_twin_has_its_id)
{
    struct ss_error err = {.detail = ""};
    struct worker a = {0};
    produce(100, 100);
    a.bus = helper_open(&config);
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    cr_assert_eq(a.bus->ops->begin(a.bus, &err), SS_OK);
    cr_assert_eq(a.bus->ops->produce(a.bus, SS_TO_SCORES, 0, helper_text("k"), helper_text("0/0/0"),
                                     NULL, 0, false, &err),
                 SS_OK);
    struct ss_bus *b = helper_open(&config);
    enum ss_status status = a.bus->ops->commit(a.bus, &err);
    cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
    cr_assert(strstr(err.detail, "was taken over"), "%s", err.detail);
    cr_assert_eq(a.bus->ops->begin(a.bus, &err), SS_RETRY); /* nothing to begin with */
    a.bus->ops->close(a.bus);
    b->ops->close(b);
    cr_assert_eq(count_outputs(), 0);
}

Test(kafka_real, outlives_a_transaction_that_lasted_too_long)
{
    struct ss_error err = {.detail = ""};
    struct worker w = {0};
    produce(100, 100);
    config.transaction_timeout_ms = 1000;
    w.bus = helper_open(&config);
    while (owned_count(&w) < PARTITIONS)
        cr_assert_eq(step(&w, 100, 100), SS_OK, "%s", w.err.detail);
    cr_assert_eq(w.bus->ops->begin(w.bus, &err), SS_OK);
    cr_assert_eq(w.bus->ops->produce(w.bus, SS_TO_SCORES, 0, helper_text("k"), helper_text("0/0/0"),
                                     NULL, 0, false, &err),
                 SS_OK);
    /* Until the broker has aborted it: its marker lets the end move past the record. */
    const int64_t deadline = helper_now_ms() + 60000;
    struct ss_kafka_end ends[PARTITIONS] = {0};
    while (ends[0].high < 2 && helper_now_ms() < deadline) {
        int32_t room = PARTITIONS;
        cr_assert_eq(ss_kafka_topic_ends(&config.access, config.targets[SS_TO_SCORES], false, ends,
                                         &room, 10000, &err),
                     SS_OK, "%s", err.detail);
        /* A record waits up to linger.ms; nothing else is sent meanwhile. */
    }
    cr_assert_geq(ends[0].high, 2);
    enum ss_status status = w.bus->ops->commit(w.bus, &err);
    cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
    while (w.records < 100 && helper_now_ms() < deadline) {
        status = step(&w, 100, 100);
        cr_assert_neq(status, SS_STOP, "%s", w.err.detail);
    }
    w.bus->ops->close(w.bus);
    cr_assert_eq(count_outputs(), 100);
}

Test(kafka_real, reaches_an_end_that_is_a_marker)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_partition_start start;
    /* A transactional producer of inputs: a bus whose outputs are our inputs. */
    struct ss_kafka_config upstream = config;
    upstream.group = "upstream";
    upstream.targets[SS_TO_SCORES] = config.inputs[SS_PAYMENTS];
    struct ss_bus *writer = helper_open(&upstream);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(writer->ops->begin(writer, &err), SS_OK);
        cr_assert_eq(writer->ops->produce(writer, SS_TO_SCORES, 0, helper_text("k"),
                                          helper_text("v"), NULL, 0, false, &err),
                     SS_OK);
        if (i == 0)
            cr_assert_eq(writer->ops->commit(writer, &err), SS_OK, "%s", err.detail);
        else
            cr_assert_eq(writer->ops->abort(writer, &err), SS_OK, "%s", err.detail);
    }
    writer->ops->close(writer);

    struct ss_bus *bus = helper_open(&config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    helper_begin(bus, 0, &start);
    cr_assert_geq(start.ends[SS_PAYMENTS], 2);
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert_eq(poll.record_count, 1);
    const int64_t deadline = helper_now_ms() + 30000;
    while (bus->ops->position(bus, SS_PAYMENTS, 0) < start.ends[SS_PAYMENTS] &&
           helper_now_ms() < deadline) {
        cr_assert_eq(bus->ops->poll(bus, 100, 50, &poll, &err), SS_OK);
        cr_assert_eq(poll.event, SS_BUS_NOTHING);
    }
    cr_assert_eq(bus->ops->position(bus, SS_PAYMENTS, 0), start.ends[SS_PAYMENTS]);
    bus->ops->close(bus);
}

Test(kafka_real, refuses_committed_offsets_that_the_log_does_not_hold)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_partition_start start;
    struct ss_bus *bus = helper_open(&config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(bus->ops->start(bus, 1, &start, &err), SS_OK, "%s", err.detail);
    cr_assert(!start.committed);
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(bus->ops->offset(bus, SS_BILLS, 1, 1000, &err), SS_OK);
    cr_assert_eq(bus->ops->commit(bus, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(bus->ops->start(bus, 1, &start, &err), SS_STOP);
    cr_assert(strstr(err.detail, "bills [1]") && strstr(err.detail, "1000"), "%s", err.detail);
    bus->ops->close(bus);
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Informational: from the producer's timestamp to the end of the commit, at 5,000 records a second.
 */
Test(kafka_real, latency_of_poll_produce_commit)
{
    enum { RATE = 5000, SECONDS = 4, TOTAL = RATE * SECONDS };
    static int64_t latency_ms[TOTAL];
    struct worker w = {0};
    struct ss_poll poll;
    struct ss_error err;
    size_t count = 0;
    w.bus = helper_open(&config);
    while (owned_count(&w) < PARTITIONS)
        cr_assert_eq(step(&w, 100, 100), SS_OK, "%s", w.err.detail);
    pid_t child = fork();
    if (child == 0) {
        struct ss_kafka_property linger = {"linger.ms", "1"};
        struct ss_kafka_access access = config.access;
        struct ss_kafka_producer *producer;
        char key[32];
        access.producer = (struct ss_kafka_properties){&linger, 1};
        if (ss_kafka_producer_open(&access, &producer, &err))
            _exit(1);
        const int64_t from = helper_now_ms();
        for (int sent = 0; sent < TOTAL;) {
            const int64_t due = (helper_now_ms() - from) * RATE / 1000;
            for (; sent < due && sent < TOTAL; sent++) {
                int size = snprintf(key, sizeof key, "user-%d", sent % 1000);
                if (ss_kafka_producer_send(producer, config.inputs[SS_PAYMENTS],
                                           (struct ss_bytes){key, (size_t)size},
                                           helper_text("a payment"), NULL, 0, 0, &err))
                    _exit(1);
            }
            usleep(500); /* paces the load */
        }
        _exit(ss_kafka_producer_flush(producer, 30000, NULL, &err) != SS_OK);
    }
    const int64_t deadline = helper_now_ms() + 60000;
    while (count < TOTAL && helper_now_ms() < deadline) {
        cr_assert_eq(w.bus->ops->poll(w.bus, 10000, 100, &poll, &err), SS_OK, "%s", err.detail);
        if (poll.event != SS_BUS_RECORDS)
            continue;
        cr_assert_eq(transact(&w, &poll), SS_OK, "%s", w.err.detail);
        const int64_t now = wall_clock_ms();
        for (size_t i = 0; i < poll.record_count; i++)
            latency_ms[count++] = now - poll.records[i].timestamp_ms;
    }
    cr_assert_eq(count, TOTAL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    qsort(latency_ms, count, sizeof latency_ms[0], by_value);
    cr_log_info("latency at %d/s: median %lld ms, 99%% %lld ms, worst %lld ms, %lld transactions",
                RATE, (long long)latency_ms[count / 2], (long long)latency_ms[count * 99 / 100],
                (long long)latency_ms[count - 1], (long long)w.transactions);
    w.bus->ops->close(w.bus);
}

/* Informational: what the bus alone costs, with one output per record. */
Test(kafka_real, speed_of_poll_produce_commit)
{
    const char *asked = getenv("SESAME_SPEED_RECORDS");
    const int64_t total = asked ? atoll(asked) : 100000;
    struct worker w = {0};
    struct rusage before, after;
    produce(total, 100);
    w.bus = helper_open(&config);
    while (owned_count(&w) < PARTITIONS)
        cr_assert_eq(step(&w, 100, 100), SS_OK, "%s", w.err.detail);
    getrusage(RUSAGE_SELF, &before);
    const int64_t from = helper_now_ms();
    while (w.records < total && helper_now_ms() < from + 150000)
        cr_assert_eq(step(&w, 20000, 100), SS_OK, "%s", w.err.detail);
    const int64_t ms = helper_now_ms() - from + 1;
    getrusage(RUSAGE_SELF, &after);
    cr_assert_eq(w.records, total);
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
                 (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
                 (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    cr_log_info("%lld records in %lld ms: %lld/s, %lld transactions, %.2f CPU s per million",
                (long long)total, (long long)ms, (long long)(total * 1000 / ms),
                (long long)w.transactions, cpu * 1e6 / (double)total);
    w.bus->ops->close(w.bus);
}
