/* `sesame dead-letters` on librdkafka's mock cluster: what it shows, and what it sends back. */
#include "consumer/kafka_mock.h"
#include "consumer/kafka_producer.h"
#include "consumer/kafka_reader.h"
#include "consumer/partitioner.h"
#include "helper_command.h"
#include "schemas/codec.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { ERR_TOPIC_AUTHORIZATION_FAILED = 29, API_PRODUCE = 0, PARTITIONS = 3 };

static struct ss_kafka_mock *mock;
static struct ss_kafka_access access_;
static struct ss_buffer payment; /* a good one, in the wire format */

static struct ss_bytes text(const char *s)
{
    return (struct ss_bytes){s, strlen(s)};
}

struct letter {
    const char *reason, *topic, *offset;
    struct ss_bytes key, value;
    const char *sha256; /* NULL: kept whole */
};

static void send_letter(struct ss_kafka_producer *producer, const struct letter *letter)
{
    const struct ss_header headers[] = {
        {"trace", {"\0\xff", 2}},
        {"sesame.reason", text(letter->reason)},
        {"sesame.detail", text("because")},
        {"sesame.topic", text(letter->topic)},
        {"sesame.partition", text("2")},
        {"sesame.offset", text(letter->offset)},
        {"sesame.timestamp", text("1767225600000")},
        {"sesame.version", text("0")},
        {"sesame.size", text("10485760")},
        {"sesame.sha256", text(letter->sha256 ? letter->sha256 : "")}};
    struct ss_error err;
    size_t count = sizeof headers / sizeof headers[0] - (letter->sha256 ? 0 : 2);
    cr_assert_eq(ss_kafka_producer_send(producer, "dead-letters", letter->key, letter->value,
                                        headers, count, 0, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(ss_kafka_producer_flush(producer, 30000, NULL, &err), SS_OK, "%s", err.detail);
}

static void make_payment(void)
{
    struct ss_error err;
    struct ss_event event = {.input = SS_PAYMENTS,
                             .user_id = {"user-1", 6},
                             .event_id = {"the-event", 9},
                             .occurred_at_ms = 1767225600000,
                             .payment = {.amount_minor = 4711, .currency = {"CNY", 3}}};
    ss_buffer_init(&payment, 1 << 16);
    cr_assert_eq(ss_encode_event(SS_PAYMENTS + 1, &event, &payment, &err), SS_OK);
}

static struct ss_bytes payment_bytes(void)
{
    return (struct ss_bytes){payment.data, payment.size};
}

static void open_all(void)
{
    const struct ss_kafka_mock_topic topics[] = {{"dead-letters", PARTITIONS},
                                                 {"payments", PARTITIONS},
                                                 {"bills", PARTITIONS},
                                                 {"aside", 1}};
    struct ss_kafka_producer *producer;
    struct ss_error err;
    make_payment();
    cr_assert_eq(ss_kafka_mock_open(1, topics, 4, &mock, &err), SS_OK, "%s", err.detail);
    access_ = (struct ss_kafka_access){.bootstrap = ss_kafka_mock_bootstrap(mock)};
    cr_assert_eq(ss_kafka_producer_open(&access_, &producer, &err), SS_OK, "%s", err.detail);
    const struct letter letters[] = {
        {"MISROUTED", "payments", "5", text("user-1"), payment_bytes(), NULL},
        {"UNREADABLE", "bills", "6", text("\x1b[2J"), text("\1\x1b[2Jabc"), NULL},
        {"TOO_LARGE", "payments", "7", text("user-1"), {"", 0}, "c0ffee"},
        {"NO_VALUE", "elsewhere", "8", text("user-1"), {NULL, 0}, NULL},
    };
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        send_letter(producer, &letters[i]);
    ss_kafka_producer_close(producer);
}

static void close_all(void)
{
    ss_kafka_mock_close(mock);
    ss_buffer_reset(&payment);
}

TestSuite(dead_letters, .init = open_all, .fini = close_all, .timeout = 120);

/* --- running it --- */

static const struct command_output *run(const char *what, ...)
{
    char bootstrap[160];
    const char *argv[24] = {"dead-letters", what, "-X", bootstrap, "-X", "registry.url=embedded:"};
    int argc = 6;
    snprintf(bootstrap, sizeof bootstrap, "bootstrap.servers=%s", access_.bootstrap);
    va_list args;
    va_start(args, what);
    for (const char *arg; (arg = va_arg(args, const char *));)
        argv[argc++] = arg;
    va_end(args);
    return command_run(&ss_command_dead_letters, argc, argv);
}

#define RUN(...) run(__VA_ARGS__, NULL)

static int count_of(const char *where, const char *what)
{
    int count = 0;
    for (const char *at = where; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static void check_has(const char *where, const char *what)
{
    cr_assert(strstr(where, what), "no '%s' in:\n%s", what, where);
}

/* --- list --- */

Test(dead_letters, list_shows_each_readably)
{
    const struct command_output *output = RUN("list");
    cr_assert_eq(output->code, 0, "%s", output->err);
    check_has(output->out, "MISROUTED: because");
    check_has(output->out, "from payments [2] 5, key \"user-1\"");
    check_has(output->out, "\"event_id\":\"the-event\"");
    check_has(output->out, "\"amount_minor\":4711");
    check_has(output->out, "from bills [2] 6, key \"\\u001b[2J\"");
    check_has(output->out, "magic byte 0x01");
    check_has(output->out, "10485760 bytes");
    check_has(output->out, "sha256 c0ffee");
    check_has(output->out, "no value");
    check_has(output->out, "4 dead letters shown, 4 read");
    cr_assert_eq(count_of(output->out, "\x1b"), 0, "an escape sequence reaches the terminal");
}

static json_t *only_line(const struct command_output *output)
{
    cr_assert_eq(output->code, 0, "%s", output->err);
    cr_assert_eq(count_of(output->out, "\n"), 1, "%s", output->out);
    json_t *json = json_loads(output->out, 0, NULL);
    cr_assert_not_null(json, "%s", output->out);
    return json;
}

static void check_base64(json_t *object, const char *name, struct ss_bytes expected)
{
    unsigned char bytes[1024];
    size_t size;
    const char *encoded = json_string_value(json_object_get(object, name));
    cr_assert_not_null(encoded);
    cr_assert_eq(sodium_base642bin(bytes, sizeof bytes, encoded, strlen(encoded), NULL, &size, NULL,
                                   sodium_base64_VARIANT_ORIGINAL),
                 0);
    cr_assert(ss_bytes_equal((struct ss_bytes){bytes, size}, expected));
}

Test(dead_letters, list_as_json_holds_all_of_it)
{
    json_t *json = only_line(RUN("list", "--json", "--reason", "misrouted"));
    json_t *origin = json_object_get(json, "origin");
    cr_assert_str_eq(json_string_value(json_object_get(json, "reason")), "MISROUTED");
    cr_assert_str_eq(json_string_value(json_object_get(json, "key")), "user-1");
    cr_assert_str_eq(json_string_value(json_object_get(origin, "topic")), "payments");
    cr_assert_eq(json_integer_value(json_object_get(origin, "offset")), 5);
    check_base64(json, "value_base64", payment_bytes());
    json_t *decoded = json_object_get(json, "decoded");
    cr_assert_eq(json_integer_value(json_object_get(decoded, "amount_minor")), 4711);
    json_t *trace = json_array_get(json_object_get(json, "headers"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(trace, "name")), "trace");
    check_base64(trace, "value_base64", (struct ss_bytes){"\0\xff", 2});
    cr_assert_eq(json_array_size(json_object_get(json, "headers")), 8);
    json_decref(json);
}

Test(dead_letters, list_as_json_tells_nothing_from_empty)
{
    json_t *none = only_line(RUN("list", "--json", "--topic", "elsewhere"));
    cr_assert(json_is_null(json_object_get(none, "value")));
    cr_assert_str_eq(json_string_value(json_object_get(none, "not_decoded")), "no value");
    json_decref(none);
    json_t *large = only_line(RUN("list", "--json", "--reason", "TOO_LARGE"));
    cr_assert_null(json_object_get(large, "value"));
    cr_assert_str_eq(json_string_value(json_object_get(large, "sha256")), "c0ffee");
    cr_assert_eq(json_integer_value(json_object_get(large, "size")), 10485760);
    json_decref(large);
}

Test(dead_letters, list_filters)
{
    char partition[8];
    check_has(RUN("list", "--topic", "payments")->out, "2 dead letters shown, 4 read");
    check_has(RUN("list", "--reason", "NO_VALUE", "--reason", "TOO_LARGE")->out,
              "2 dead letters shown");
    check_has(RUN("list", "--limit", "1")->out, "1 dead letters shown");
    snprintf(partition, sizeof partition, "%d", ss_partition_of(text("user-1"), PARTITIONS));
    check_has(RUN("list", "--partition", partition, "--from-offset", "2")->out,
              ss_partition_of(text("\x1b[2J"), PARTITIONS) == atoi(partition) ? "2 dead letters"
                                                                              : "1 dead letters");
    cr_assert_eq(RUN("list", "--partition", "99")->code, 1);
}

Test(dead_letters, says_how_it_is_called)
{
    cr_assert_eq(RUN("lost")->code, 2);
    cr_assert_eq(RUN("list", "--partition", "-1")->code, 2);
    cr_assert_eq(RUN("list", "--from", "yesterday")->code, 2);
    cr_assert_eq(RUN("list", "--dry-run")->code, 2);
    cr_assert_eq(RUN("list", "--from", "2026-01-01", "--from-offset", "1")->code, 2);
}

/* --- replay --- */

/* Reads a topic; the last record's bytes stay in the reader, which the caller closes. */
static int64_t read_topic(const char *topic, struct ss_kafka_reader **reader,
                          struct ss_kafka_record *last)
{
    struct ss_kafka_reader_config config = {
        .access = access_, .topic = topic, .partition = -1, .from_offset = -1};
    struct ss_error err;
    bool end = false;
    int64_t count = 0;
    cr_assert_eq(ss_kafka_reader_open(&config, reader, &err), SS_OK, "%s", err.detail);
    while (!end && count == 0) {
        cr_assert_eq(ss_kafka_reader_next(*reader, last, &end, &err), SS_OK, "%s", err.detail);
        count += !end;
    }
    return count;
}

static bool is_empty(const char *topic)
{
    struct ss_kafka_reader *reader;
    struct ss_kafka_record last;
    int64_t count = read_topic(topic, &reader, &last);
    ss_kafka_reader_close(reader);
    return count == 0;
}

Test(dead_letters, replay_wants_to_be_told_which)
{
    const struct command_output *output = RUN("replay");
    cr_assert_eq(output->code, 2);
    check_has(output->err, "or --all");
    cr_assert_eq(RUN("replay", "--limit", "5")->code, 2);
    cr_assert(is_empty("payments"));
}

Test(dead_letters, a_dry_run_sends_nothing)
{
    const struct command_output *output = RUN("replay", "--all", "--dry-run");
    cr_assert_eq(output->code, 0, "%s", output->err);
    check_has(output->out, "key \"user-1\"");
    check_has(output->out, "to payments");
    check_has(output->out, "matched 4: would send 2, not replayable 2, failed 0");
    cr_assert(is_empty("payments"));
    cr_assert(is_empty("bills"));
}

Test(dead_letters, replay_sends_back_what_came_to_where_its_key_belongs)
{
    struct ss_kafka_reader *reader;
    struct ss_kafka_record record;
    struct ss_header header;
    char place[32];
    const struct command_output *output = RUN("replay", "--all");
    cr_assert_eq(output->code, 0, "%s", output->err);
    check_has(output->out, "matched 4: sent 2, not replayable 2, failed 0");
    check_has(output->err, "twice is safe only");
    check_has(output->err, "from payments [2] 7, key \"user-1\", 10485760 bytes, sha256 c0ffee");
    check_has(output->err, "none of the config's inputs");

    cr_assert_eq(read_topic("payments", &reader, &record), 1);
    int32_t home = ss_partition_of(text("user-1"), PARTITIONS);
    cr_assert_eq(record.partition, home);
    cr_assert(ss_bytes_equal(record.key, text("user-1")));
    cr_assert(ss_bytes_equal(record.value, payment_bytes()));
    cr_assert(ss_kafka_reader_header(&record, 0, &header));
    cr_assert_str_eq(header.name, "trace");
    cr_assert(ss_bytes_equal(header.value, (struct ss_bytes){"\0\xff", 2}));
    cr_assert(ss_kafka_reader_header(&record, 1, &header));
    cr_assert_str_eq(header.name, "sesame.replayed");
    snprintf(place, sizeof place, "%d:", home);
    cr_assert_eq(memcmp(header.value.data, place, strlen(place)), 0);
    cr_assert(!ss_kafka_reader_header(&record, 2, &header));
    ss_kafka_reader_close(reader);
    cr_assert(!is_empty("bills"));
}

Test(dead_letters, replay_sends_elsewhere_where_it_is_told_to)
{
    const struct command_output *output = RUN("replay", "--topic", "elsewhere", "--to", "aside");
    cr_assert_eq(output->code, 0, "%s", output->err);
    check_has(output->out, "matched 1: sent 1, not replayable 0, failed 0");
    struct ss_kafka_reader *reader;
    struct ss_kafka_record record;
    cr_assert_eq(read_topic("aside", &reader, &record), 1);
    cr_assert_null(record.value.data, "no value has become an empty one");
    ss_kafka_reader_close(reader);
    cr_assert_eq(RUN("replay", "--all", "--to", "dead-letters")->code, 1);
}

Test(dead_letters, a_refused_one_is_a_failure)
{
    ss_kafka_mock_fail(mock, API_PRODUCE, ERR_TOPIC_AUTHORIZATION_FAILED, 1);
    const struct command_output *output = RUN("replay", "--reason", "MISROUTED");
    cr_assert_eq(output->code, 1);
    check_has(output->out, "sent 0, not replayable 0, failed 1");
}
