/* The worker's loop in memory: what is let through, what is put aside, what is counted. */
#include "helper_worker.h"

#include "consumer/dead_letter.h"
#include "consumer/partitioner.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;

static void open_one(void)
{
    rig_open(&rig, 1);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(worker, .init = open_one, .fini = close_rig);

static struct ss_bytes text(const char *s)
{
    return (struct ss_bytes){s, strlen(s)};
}

static struct ss_counts counts_of(enum ss_input input)
{
    struct ss_mark mark;
    int64_t offset;
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    return mark.counts[input];
}

static json_t *score_at(json_t *scores, size_t i)
{
    json_t *score = json_array_get(scores, i);
    cr_assert_not_null(score, "there are only %zu scores", json_array_size(scores));
    return score;
}

static const char *string_in(json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

/* --- the gate --- */

Test(worker, reads_consents_to_their_end_before_anything_else)
{
    /* the bus offers payments first, one record a poll: unless they are held, they come first */
    memory_bus_set_poll_max(rig.memory, 1);
    for (int i = 0; i < 20; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, i % 2), 1000 * i));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 1), SS_CONSENT_GRANTED));
    rig_run(&rig);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_COUNTED], 20);
    rig_check(&rig);
}

Test(worker, listings_do_not_wait_for_the_consents)
{
    memory_bus_set_poll_max(rig.memory, 1);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_send(&rig, rig_listing(&rig, rig_user(&rig, 0, 0), SS_LISTED, "case"));
    for (int i = 0; i < 3; i++)
        rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, i), SS_CONSENT_GRANTED));
    rig_run(&rig);
    json_t *scores = rig_values(&rig, SS_TO_SCORES, 0);
    json_t *first = score_at(scores, 0);
    cr_assert_str_eq(string_in(first, "kind"), "OPT_IN");
    cr_assert_str_eq(string_in(first, "standing"), "LISTED");
    json_t *positions = json_object_get(first, "positions");
    cr_assert_eq(json_integer_value(json_object_get(positions, "blacklist")), 1);
    cr_assert_eq(json_integer_value(json_object_get(positions, "payments")), 0);
    json_decref(scores);
    rig_check(&rig);
}

Test(worker, consents_that_end_in_what_is_never_delivered_are_read_to_their_end)
{
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    memory_bus_append_gap(rig.memory, SS_CONSENTS, 0);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    rig_check(&rig);
}

Test(worker, a_consent_given_while_running_counts_from_then_on)
{
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_NOT_CONSENTED], 1);
    cr_assert(!rig_stored(&rig, rig_user(&rig, 0, 0)));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_run(&rig);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    rig_check(&rig);
}

Test(worker, withdrawal_leaves_a_tombstone_and_nothing_in_the_store)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_send(&rig, rig_payment(&rig, user, 1000));
    rig_run(&rig);
    cr_assert(rig_stored(&rig, user));

    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    cr_assert(!rig_stored(&rig, user));
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, 0);
    const struct memory_record *record, *last = NULL;
    for (int64_t next = 0; (record = memory_log_next(log, &next));)
        if (ss_bytes_equal(record->key, text(user)))
            last = record;
    cr_assert_not_null(last);
    cr_assert_null(last->value.data, "a tombstone has no value");
    json_t *scores = rig_values(&rig, SS_TO_SCORES, 0);
    cr_assert_str_eq(string_in(score_at(scores, json_array_size(scores) - 1), "kind"), "OPT_OUT");
    json_decref(scores);
    rig_check(&rig);
}

Test(worker, a_duplicate_changes_nothing)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    struct ss_event payment = rig_payment(&rig, user, 1000);
    rig_send(&rig, payment);
    rig_send(&rig, payment);
    rig_run(&rig);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_DUPLICATE], 1);
    rig_check(&rig);
}

Test(worker_partitions, are_counted_apart)
{
    rig_open(&rig, 3);
    for (int32_t p = 0; p < 3; p++)
        for (int i = 0; i < 2; i++)
            rig_send(&rig, rig_consent(&rig, rig_user(&rig, p, i), SS_CONSENT_GRANTED));
    for (int32_t p = 0; p < 3; p++)
        for (int i = 0; i < 5 * (p + 1); i++)
            rig_send(&rig, rig_payment(&rig, rig_user(&rig, p, i % 3), 5000));
    rig_run(&rig);
    for (int32_t p = 0; p < 3; p++) {
        struct ss_mark mark;
        int64_t offset;
        cr_assert(rig_mark(&rig, p, &mark, &offset));
        cr_assert_eq(mark.counts[SS_PAYMENTS].consumed, 5 * (p + 1));
        cr_assert_eq(mark.counts[SS_PAYMENTS].outcomes[SS_NOT_CONSENTED], 5 * (p + 1) / 3);
    }
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].consumed, 30);
    cr_assert_eq(rig.stats.counts[SS_CONSENTS].outcomes[SS_COUNTED], 6);
    rig_check(&rig);
    rig_close(&rig);
}

/* --- bad input --- */

/* The only dead letter. */
static const struct memory_record *dead_letter(void)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_DEAD_LETTERS, 0);
    int64_t next = 0;
    const struct memory_record *record = memory_log_next(log, &next);
    cr_assert_not_null(record, "there is no dead letter");
    cr_assert_null(memory_log_next(log, &next), "there is more than one");
    return record;
}

static void check_header(const struct memory_record *record, const char *name, const char *expected)
{
    struct ss_bytes value = memory_record_header(record, name);
    cr_assert(ss_bytes_equal(value, text(expected)), "%s is '%.*s' instead of '%s'", name,
              (int)value.size, (const char *)value.data, expected);
}

/* Sends one bad record between good ones and sees it put aside with a reason, as it came. */
static void check_bad(struct ss_bytes key, struct ss_bytes value, const char *reason)
{
    const char *user = rig_user(&rig, 0, 0);
    const struct ss_header original = {"trace", {"\0\1", 2}};
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_send(&rig, rig_payment(&rig, user, 1000));
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, key, value, 1234567, &original, 1);
    rig_send(&rig, rig_payment(&rig, user, 2000));
    rig_run(&rig);

    const struct memory_record *record = dead_letter();
    check_header(record, "sesame.reason", reason);
    check_header(record, "sesame.topic", "payments");
    check_header(record, "sesame.partition", "0");
    check_header(record, "sesame.offset", "1");
    check_header(record, "sesame.timestamp", "1234567");
    cr_assert_gt(memory_record_header(record, "sesame.detail").size, 0);
    cr_assert_gt(memory_record_header(record, "sesame.version").size, 0);
    cr_assert(ss_bytes_equal(memory_record_header(record, "trace"), original.value));
    cr_assert(ss_bytes_equal(record->key, key));
    cr_assert(ss_bytes_equal(record->value, value));
    cr_assert_eq(record->value.data == NULL, value.data == NULL);
    cr_assert_eq(record->key.data == NULL, key.data == NULL);

    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_COUNTED], 2);
    cr_assert_eq(counts_of(SS_PAYMENTS).outcomes[SS_REFUSED], 1);
    rig_check(&rig);
}

/* A bad payment of the first user, made from a good one. */
static struct ss_event good(void)
{
    return rig_payment(&rig, rig_user(&rig, 0, 0), 1000);
}

static void check_bad_event(struct ss_event event, const char *reason)
{
    struct ss_bytes value = rig_encode(&event);
    check_bad((struct ss_bytes){event.user_id.data, event.user_id.size}, value, reason);
    free((void *)value.data);
}

static void check_bad_value(struct ss_bytes value, const char *reason)
{
    check_bad(text(rig_user(&rig, 0, 0)), value, reason);
}

Test(worker, puts_aside_what_has_no_key)
{
    check_bad((struct ss_bytes){NULL, 0}, text("x"), "NO_KEY");
}

Test(worker, puts_aside_what_has_an_empty_key)
{
    check_bad((struct ss_bytes){"", 0}, text("x"), "NO_KEY");
}

Test(worker, puts_aside_what_has_no_value)
{
    check_bad_value((struct ss_bytes){NULL, 0}, "NO_VALUE");
}

Test(worker, puts_aside_an_empty_value)
{
    check_bad_value((struct ss_bytes){"", 0}, "BAD_WIRE_FORMAT");
}

Test(worker, puts_aside_another_magic)
{
    check_bad_value((struct ss_bytes){"\1\0\0\0\1abc", 8}, "BAD_WIRE_FORMAT");
}

Test(worker, puts_aside_an_unknown_schema)
{
    check_bad_value((struct ss_bytes){"\0\0\0\3\xe7 abc", 8}, "BAD_SCHEMA");
}

Test(worker, puts_aside_the_schema_of_another_topic)
{
    /* id 8 is of scores, which have no event_id */
    check_bad_value((struct ss_bytes){"\0\0\0\0\10abc", 8}, "BAD_SCHEMA");
}

Test(worker, puts_aside_a_truncated_value)
{
    struct ss_event event = good();
    struct ss_bytes value = rig_encode(&event);
    check_bad_value((struct ss_bytes){value.data, value.size - 3}, "UNREADABLE");
    free((void *)value.data);
}

Test(worker, puts_aside_a_hostile_length)
{
    check_bad_value((struct ss_bytes){"\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 15},
                    "UNREADABLE");
}

Test(worker, puts_aside_a_key_that_is_not_the_user)
{
    struct ss_event event = good();
    struct ss_bytes value = rig_encode(&event);
    check_bad(text(rig_user(&rig, 0, 1)), value, "KEY_MISMATCH");
    free((void *)value.data);
}

Test(worker, puts_aside_a_user_id_with_control_characters)
{
    struct ss_event event = good();
    event.user_id = (struct ss_text){"\1", 1}; /* the key of the changelog's marks */
    check_bad_event(event, "BAD_USER_ID");
}

Test(worker, puts_aside_a_long_user_id_before_asking_the_store)
{
    static char id[SS_USER_ID_MAX + 1];
    memset(id, 'a', sizeof id);
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_run(&rig);
    struct ss_event event = good();
    event.user_id = (struct ss_text){id, sizeof id};
    rig_send(&rig, event);
    rig_run(&rig);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_LOAD), 0);
    check_header(dead_letter(), "sesame.reason", "BAD_USER_ID");
    rig_check(&rig);
}

Test(worker, puts_aside_a_bad_event_id)
{
    struct ss_event event = good();
    event.event_id = (struct ss_text){"a\nb", 3};
    check_bad_event(event, "BAD_EVENT_ID");
}

Test(worker, puts_aside_a_time_before_2000)
{
    struct ss_event event = good();
    event.occurred_at_ms = 0;
    check_bad_event(event, "BAD_TIME");
}

Test(worker, puts_aside_a_time_after_its_record)
{
    struct ss_event event = good(); /* occurred in 2026, the record is of 1970 */
    check_bad_event(event, "BAD_TIME");
}

static void check_refused(struct ss_event event, const char *reason)
{
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_send(&rig, event);
    rig_run(&rig);
    check_header(dead_letter(), "sesame.reason", reason);
    rig_check(&rig);
}

Test(worker, puts_aside_an_absurd_amount)
{
    struct ss_event event = good();
    event.payment.amount_minor = SS_AMOUNT_MAX + 1;
    check_refused(event, "BAD_AMOUNT");
}

Test(worker, puts_aside_an_unknown_currency)
{
    struct ss_event event = good();
    event.payment.currency = (struct ss_text){"XXX", 3};
    check_refused(event, "UNKNOWN_CURRENCY");
}

Test(worker, puts_aside_an_unknown_symbol)
{
    struct ss_event event = good();
    event.payment.status = (enum ss_payment_status)7;
    check_refused(event, "UNREADABLE");
}

Test(worker, puts_aside_a_value_over_the_limit_undecoded)
{
    size_t size = rig.config.limits.event_bytes_max + 1;
    char *bytes = calloc(1, size);
    check_bad_value((struct ss_bytes){bytes, size}, "TOO_LARGE");
    free(bytes);
}

Test(worker_partitions, puts_aside_what_is_in_the_wrong_one)
{
    rig_open(&rig, 2);
    const char *user = rig_user(&rig, 1, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    struct ss_event event = rig_payment(&rig, user, 1000);
    struct ss_bytes value = rig_encode(&event);
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text(user), value, -1, NULL, 0);
    rig_run(&rig);
    const struct memory_record *record = dead_letter();
    check_header(record, "sesame.reason", "MISROUTED");
    check_header(record, "sesame.timestamp", "-1");
    cr_assert(ss_bytes_equal(record->value, value));
    cr_assert_eq(rig_last_score(&rig, user), rig_last_score(&rig, user));
    rig_check(&rig);
    free((void *)value.data);
    rig_close(&rig);
}

/* --- dead letters that do not fit --- */

static void check_by_hash(const struct memory_record *record, struct ss_bytes value)
{
    char size[24], hex[65];
    unsigned char hash[32];
    snprintf(size, sizeof size, "%zu", value.size);
    crypto_hash_sha256(hash, value.data, value.size);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    cr_assert_eq(record->value.size, 0);
    check_header(record, "sesame.size", size);
    check_header(record, "sesame.sha256", hex);
    check_header(record, "sesame.topic", "payments");
    check_header(record, "sesame.partition", "0");
    check_header(record, "sesame.offset", "0");
    rig_check(&rig);
}

Test(worker, records_ten_megabytes_by_coordinates_and_hash)
{
    enum { SIZE = 10 << 20 };
    char *bytes = malloc(SIZE);
    memset(bytes, 0x5a, SIZE);
    struct ss_bytes value = {bytes, SIZE}, key = text(rig_user(&rig, 0, 0));
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, key, value, 5, NULL, 0);
    rig_run(&rig);
    const struct memory_record *record = dead_letter();
    check_header(record, "sesame.reason", "TOO_LARGE");
    cr_assert(ss_bytes_equal(record->key, key));
    check_by_hash(record, value);
    free(bytes);
}

Test(worker, records_what_the_bus_does_not_carry_by_coordinates_and_hash)
{
    char bytes[5000] = {0};
    struct ss_bytes value = {bytes, sizeof bytes};
    memory_bus_set_record_max(rig.memory, 4000);
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text(rig_user(&rig, 0, 0)), value, 5, NULL, 0);
    rig_run(&rig);
    check_by_hash(dead_letter(), value);
}

Test(worker, records_what_has_a_huge_key_by_coordinates_and_hash)
{
    enum { SIZE = 100000 };
    char *bytes = calloc(1, SIZE);
    memory_bus_set_record_max(rig.memory, 64 * 1024);
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, (struct ss_bytes){bytes, SIZE}, text("value"), 5,
                      NULL, 0);
    rig_run(&rig);
    cr_assert_null(dead_letter()->key.data);
    check_header(dead_letter(), "sesame.reason", "BAD_USER_ID");
    check_by_hash(dead_letter(), text("value"));
    free(bytes);
}

Test(worker, records_what_has_too_many_headers_by_coordinates_and_hash)
{
    struct ss_header headers[SS_HEADERS_MAX + 1];
    for (int i = 0; i <= SS_HEADERS_MAX; i++)
        headers[i] = (struct ss_header){"many", {"x", 1}};
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text("u"), text("value"), 5, headers,
                      SS_HEADERS_MAX + 1);
    rig_run(&rig);
    check_by_hash(dead_letter(), text("value"));
}

Test(worker, keeps_as_many_headers_as_there_is_room_for)
{
    struct ss_header headers[SS_HEADERS_MAX];
    for (int i = 0; i < SS_HEADERS_MAX; i++)
        headers[i] = (struct ss_header){"many", {"x", 1}};
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text("u"), text("value"), 5, headers,
                      SS_HEADERS_MAX);
    rig_run(&rig);
    const struct memory_record *record = dead_letter();
    cr_assert(ss_bytes_equal(record->value, text("value")));
    cr_assert_eq(record->header_count, SS_HEADERS_MAX + 7);
    rig_check(&rig);
}

Test(worker, gives_its_own_headers_once_and_keeps_the_others_in_order)
{
    const struct ss_header headers[] = {{"b", {"1", 1}},
                                        {"sesame.reason", {"OLD", 3}},
                                        {"a", {NULL, 0}},
                                        {"sesame.sha256", {"", 0}},
                                        {"sesame.replayed", {"3:4", 3}},
                                        {"b", {"2", 1}}};
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text("u"), text("value"), 5, headers, 6);
    rig_run(&rig);
    const struct memory_record *record = dead_letter();
    const char *const names[] = {"b", "a", "sesame.replayed", "b"};
    for (size_t i = 0; i < 4; i++)
        cr_assert_str_eq(record->headers[i].name, names[i]);
    cr_assert(ss_bytes_equal(record->headers[3].value, text("2")));
    cr_assert_null(record->headers[1].value.data);
    check_header(record, "sesame.reason", "BAD_WIRE_FORMAT");
    check_header(record, "sesame.sha256", "");
    cr_assert_eq(record->header_count, 4 + 7);
    rig_check(&rig);
}

/* --- caught up --- */

static int32_t caught_up(void)
{
    struct ss_error err;
    bool idle;
    cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    return rig.stats.caught_up;
}

Test(worker, is_caught_up_once_it_has_read_what_was_there_at_assignment)
{
    memory_bus_set_poll_max(rig.memory, 1);
    for (int i = 0; i < 5; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    for (int steps = 0; memory_bus_calls(rig.memory, MEMORY_COMMIT) < 4; steps++) {
        cr_assert_lt(steps, 100);
        cr_assert_eq(caught_up(), 0);
    }
    /* more comes in all the time, but that was not there at assignment */
    for (int steps = 0; caught_up() == 0; steps++) {
        cr_assert_lt(steps, 10, "never caught up while records come in");
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    }
    cr_assert_geq(rig.stats.counts[SS_PAYMENTS].consumed, 5);
    rig_run(&rig);
    rig_check(&rig);
}

Test(worker, is_not_caught_up_while_the_store_is_behind)
{
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    flaky_store_fail(rig.flaky, FLAKY_SAVE, 1, 5, SS_RETRY, false);
    for (int i = 0; memory_bus_calls(rig.memory, MEMORY_COMMIT) < 1; i++) {
        cr_assert_lt(i, 10);
        caught_up();
    }
    for (int i = 0; flaky_store_calls(rig.flaky, FLAKY_SAVE) < 5; i++) {
        cr_assert_lt(i, 10);
        cr_assert_eq(caught_up(), 0);
    }
    rig_run(&rig);
    cr_assert_eq(rig.stats.caught_up, 1);
    rig_check(&rig);
}

Test(worker, an_empty_topic_is_caught_up_at_once)
{
    rig_run(&rig);
    cr_assert_eq(rig.stats.assigned, 1);
    cr_assert_eq(rig.stats.ready, 1);
    cr_assert_eq(rig.stats.caught_up, 1);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_BEGIN), 0);
}

Test(worker_partitions, one_that_is_passed_without_a_record_does_not_wait_for_a_lull)
{
    rig_open(&rig, 2);
    memory_bus_set_poll_max(rig.memory, 1);
    memory_bus_append_gap(rig.memory, SS_CONSENTS, 1);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 1, 0), 1000));
    struct ss_error err;
    bool idle;
    for (int steps = 0; rig.stats.counts[SS_PAYMENTS].consumed < 50; steps++) {
        cr_assert_lt(steps, 200);
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    }
    rig_run(&rig);
    rig_check(&rig);
    rig_close(&rig);
}
