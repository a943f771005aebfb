/* The thread that follows sesame-ranks, on librdkafka's mock cluster: from the beginning, on and
 * on, past what is no histogram, and while the brokers are away. */
#include "base/clock.h"
#include "consumer/kafka_mock.h"
#include "consumer/kafka_producer.h"
#include "consumer/kafka_ranks.h"
#include "helper_kafka.h"

#include <criterion/criterion.h>
#include <poll.h>

enum { DEADLINE_MS = 60000 };

static const struct ss_kafka_mock_topic topics[] = {{"ranks", 1}};
static struct ss_kafka_mock *mock;
static struct ss_kafka_access access;
static struct ss_kafka_producer *producer;
static struct ss_ranks *ranks;
static struct ss_kafka_ranks *reader;
static struct ss_ranks_view view;

static void open_mock(void)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_kafka_mock_open(1, topics, 1, &mock, &err), SS_OK, "%s", err.detail);
    access = (struct ss_kafka_access){.bootstrap = ss_kafka_mock_bootstrap(mock)};
    cr_assert_eq(ss_kafka_producer_open(&access, &producer, &err), SS_OK, "%s", err.detail);
}

static void follow(void)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_kafka_ranks_open(&access, "ranks", ranks, &reader, &err), SS_OK, "%s",
                 err.detail);
}

static void set_up(void)
{
    open_mock();
    cr_assert_eq(ss_ranks_open(&ranks, NULL), SS_OK);
    memset(&view, 0, sizeof view);
}

static void tear_down(void)
{
    ss_kafka_ranks_close(reader);
    ss_ranks_close(ranks);
    ss_kafka_producer_close(producer);
    ss_kafka_mock_close(mock);
}

TestSuite(kafka_ranks, .init = set_up, .fini = tear_down);

static void send(struct ss_bytes value)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_kafka_producer_send(producer, "ranks", text("0"), value, NULL, 0, 0, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(ss_kafka_producer_flush(producer, DEADLINE_MS, NULL, &err), SS_OK, "%s",
                 err.detail);
}

/* users with 350 */
static void send_histogram(int32_t partition, uint32_t users)
{
    struct ss_histogram histogram = {0};
    struct ss_rank_record record = {.partition = partition, .histogram = &histogram};
    struct ss_buffer out;
    histogram.users[0] = users;
    ss_buffer_init(&out, 1 << 16);
    cr_assert_eq(ss_encode_rank(1, &record, &out, NULL), SS_OK);
    send((struct ss_bytes){out.data, out.size});
    ss_buffer_reset(&out);
}

static void await(int64_t offset, int64_t users)
{
    const int64_t deadline = ss_clock_steady_ms() + DEADLINE_MS;
    while (!ss_ranks_look(ranks, &view) || view.offset != offset ||
           view.table.below[SS_SCORE_COUNT] != users) {
        cr_assert_lt(ss_clock_steady_ms(), deadline, "%lld users before %lld",
                     (long long)view.table.below[SS_SCORE_COUNT], (long long)view.offset);
        poll(NULL, 0, 5);
    }
}

Test(kafka_ranks, an_empty_topic_is_read_at_once)
{
    follow();
    await(0, 0);
    send_histogram(1, 5);
    await(1, 5);
}

Test(kafka_ranks, all_is_read_from_the_beginning_on)
{
    send_histogram(0, 5);
    send_histogram(1, 7);
    send(text("no histogram"));
    send_histogram(0, 6);
    follow();
    await(4, 13);
    send_histogram(1, 0);
    await(5, 6);
}

Test(kafka_ranks, goes_on_after_the_brokers_were_away)
{
    send_histogram(0, 5);
    follow();
    await(1, 5);
    ss_kafka_mock_down(mock, true);
    cr_assert(ss_ranks_look(ranks, &view), "what is known stays known");
    ss_kafka_mock_down(mock, false);
    send_histogram(0, 9);
    await(2, 9);
}

Test(kafka_ranks, waits_for_a_topic_that_nobody_answers_for)
{
    ss_kafka_mock_down(mock, true);
    follow();
    cr_assert(!ss_ranks_look(ranks, &view));
    ss_kafka_mock_down(mock, false);
    await(0, 0);
}
