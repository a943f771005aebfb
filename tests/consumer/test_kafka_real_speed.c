/* What the bus alone costs on a real Kafka, with one output per record. Informational: nothing is
 * asserted of time. */
#include "base/clock.h"
#include "consumer/kafka_producer.h"
#include "helper_kafka_real.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(kafka_real_speed, .init = real_open, .timeout = 200);

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* From the producer's timestamp to the end of the commit, at 5,000 records a second. */
Test(kafka_real_speed, latency_of_poll_produce_commit)
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
        const int64_t from = ss_clock_steady_ms();
        for (int sent = 0; sent < TOTAL;) {
            const int64_t due = (ss_clock_steady_ms() - from) * RATE / 1000;
            for (; sent < due && sent < TOTAL; sent++) {
                int size = snprintf(key, sizeof key, "user-%d", sent % 1000);
                if (ss_kafka_producer_send(producer, config.inputs[SS_PAYMENTS],
                                           (struct ss_bytes){key, (size_t)size}, text("a payment"),
                                           NULL, 0, 0, &err))
                    _exit(1);
            }
            usleep(500); /* paces the load */
        }
        _exit(ss_kafka_producer_flush(producer, 30000, NULL, &err) != SS_OK);
    }
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    while (count < TOTAL && ss_clock_steady_ms() < deadline) {
        cr_assert_eq(w.bus->ops->poll(w.bus, 10000, 100, &poll, &err), SS_OK, "%s", err.detail);
        if (poll.event != SS_BUS_RECORDS)
            continue;
        cr_assert_eq(transact(&w, &poll), SS_OK, "%s", w.err.detail);
        const int64_t now = ss_clock_wall_ms();
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

Test(kafka_real_speed, speed_of_poll_produce_commit)
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
    const int64_t from = ss_clock_steady_ms();
    while (w.records < total && ss_clock_steady_ms() < from + 150000)
        cr_assert_eq(step(&w, 20000, 100), SS_OK, "%s", w.err.detail);
    const int64_t ms = ss_clock_steady_ms() - from + 1;
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
