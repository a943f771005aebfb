/* The bus on a real Kafka: what the mock cluster cannot show of reading, committing and taking
 * over. Twins and fencing: test_kafka_real_twins.c. */
#include "base/clock.h"
#include "helper_kafka_real.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(kafka_real, .init = real_open, .timeout = 200);

Test(kafka_real, counts_each_record_once_through_aborts_and_rebalances)
{
    const int64_t total = 40000;
    struct worker a = {.abort_every = 5}, b = {.abort_every = 7};
    struct ss_kafka_config second = config;
    produce(total, 100);
    second.worker = 1;
    a.bus = helper_open(&config);
    const int64_t deadline = ss_clock_steady_ms() + 120000;
    while (a.records < total / 10 && ss_clock_steady_ms() < deadline)
        (void)step(&a, 500, 100);
    b.bus = helper_open(&second);
    bool shared = false;
    while ((a.records + b.records < total || !shared) && ss_clock_steady_ms() < deadline) {
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
                                        text("ghost"), text("ghost"), NULL, 0, false, &w.err))
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
    r->marks += ss_bytes_equal(key, text("\1"));
    r->ghosts += ss_bytes_equal(key, text("ghost"));
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
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    while (committed + w.records < total && ss_clock_steady_ms() < deadline)
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
        cr_assert_eq(writer->ops->produce(writer, SS_TO_SCORES, 0, text("k"), text("v"), NULL, 0,
                                          false, &err),
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
    const int64_t deadline = ss_clock_steady_ms() + 30000;
    while (bus->ops->position(bus, SS_PAYMENTS, 0) < start.ends[SS_PAYMENTS] &&
           ss_clock_steady_ms() < deadline) {
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
