/* The worker's loop in memory: each kind of input that cannot be used is put aside as it came, with
 * the reason, and nothing else suffers. */
#include "helper_text.h"
#include "helper_worker.h"

#include "consumer/dead_letter.h"

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

TestSuite(dead_letter, .init = open_one, .fini = close_rig);

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

    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 2);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_REFUSED], 1);
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

Test(dead_letter, puts_aside_what_has_no_key)
{
    check_bad((struct ss_bytes){NULL, 0}, text("x"), "NO_KEY");
}

Test(dead_letter, puts_aside_what_has_an_empty_key)
{
    check_bad((struct ss_bytes){"", 0}, text("x"), "NO_KEY");
}

Test(dead_letter, puts_aside_what_has_no_value)
{
    check_bad_value((struct ss_bytes){NULL, 0}, "NO_VALUE");
}

Test(dead_letter, puts_aside_an_empty_value)
{
    check_bad_value((struct ss_bytes){"", 0}, "BAD_WIRE_FORMAT");
}

Test(dead_letter, puts_aside_another_magic)
{
    check_bad_value((struct ss_bytes){"\1\0\0\0\1abc", 8}, "BAD_WIRE_FORMAT");
}

Test(dead_letter, puts_aside_an_unknown_schema)
{
    check_bad_value((struct ss_bytes){"\0\0\0\3\xe7 abc", 8}, "BAD_SCHEMA");
}

Test(dead_letter, puts_aside_the_schema_of_another_topic)
{
    /* id 8 is of scores, which have no event_id */
    check_bad_value((struct ss_bytes){"\0\0\0\0\10abc", 8}, "BAD_SCHEMA");
}

Test(dead_letter, puts_aside_a_truncated_value)
{
    struct ss_event event = good();
    struct ss_bytes value = rig_encode(&event);
    check_bad_value((struct ss_bytes){value.data, value.size - 3}, "UNREADABLE");
    free((void *)value.data);
}

Test(dead_letter, puts_aside_a_hostile_length)
{
    check_bad_value((struct ss_bytes){"\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 15},
                    "UNREADABLE");
}

Test(dead_letter, puts_aside_a_key_that_is_not_the_user)
{
    struct ss_event event = good();
    struct ss_bytes value = rig_encode(&event);
    check_bad(text(rig_user(&rig, 0, 1)), value, "KEY_MISMATCH");
    free((void *)value.data);
}

Test(dead_letter, puts_aside_a_user_id_with_control_characters)
{
    struct ss_event event = good();
    event.user_id = (struct ss_text){"\1", 1}; /* the key of the changelog's marks */
    check_bad_event(event, "BAD_USER_ID");
}

Test(dead_letter, puts_aside_a_long_user_id_before_asking_the_store)
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

Test(dead_letter, puts_aside_a_bad_event_id)
{
    struct ss_event event = good();
    event.event_id = (struct ss_text){"a\nb", 3};
    check_bad_event(event, "BAD_EVENT_ID");
}

Test(dead_letter, puts_aside_a_time_before_2000)
{
    struct ss_event event = good();
    event.occurred_at_ms = 0;
    check_bad_event(event, "BAD_TIME");
}

Test(dead_letter, puts_aside_a_time_after_its_record)
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

Test(dead_letter, puts_aside_an_absurd_amount)
{
    struct ss_event event = good();
    event.payment.amount_minor = SS_AMOUNT_MAX + 1;
    check_refused(event, "BAD_AMOUNT");
}

Test(dead_letter, puts_aside_an_unknown_currency)
{
    struct ss_event event = good();
    event.payment.currency = (struct ss_text){"XXX", 3};
    check_refused(event, "UNKNOWN_CURRENCY");
}

Test(dead_letter, puts_aside_an_unknown_symbol)
{
    struct ss_event event = good();
    event.payment.status = (enum ss_payment_status)7;
    check_refused(event, "UNREADABLE");
}

Test(dead_letter, puts_aside_a_value_over_the_limit_undecoded)
{
    size_t size = rig.config.limits.event_bytes_max + 1;
    char *bytes = calloc(1, size);
    check_bad_value((struct ss_bytes){bytes, size}, "TOO_LARGE");
    free(bytes);
}

Test(dead_letter_partitions, puts_aside_what_is_in_the_wrong_one)
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
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], 0);
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

Test(dead_letter, records_ten_megabytes_by_coordinates_and_hash)
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

Test(dead_letter, records_what_the_bus_does_not_carry_by_coordinates_and_hash)
{
    char bytes[5000] = {0};
    struct ss_bytes value = {bytes, sizeof bytes};
    memory_bus_set_record_max(rig.memory, 4000);
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text(rig_user(&rig, 0, 0)), value, 5, NULL, 0);
    rig_run(&rig);
    check_by_hash(dead_letter(), value);
}

Test(dead_letter, records_what_has_a_huge_key_by_coordinates_and_hash)
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

Test(dead_letter, records_what_has_too_many_headers_by_coordinates_and_hash)
{
    struct ss_header headers[SS_HEADERS_MAX + 1];
    for (int i = 0; i <= SS_HEADERS_MAX; i++)
        headers[i] = (struct ss_header){"many", {"x", 1}};
    memory_bus_append(rig.memory, SS_PAYMENTS, 0, text("u"), text("value"), 5, headers,
                      SS_HEADERS_MAX + 1);
    rig_run(&rig);
    check_by_hash(dead_letter(), text("value"));
}

Test(dead_letter, keeps_as_many_headers_as_there_is_room_for)
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

Test(dead_letter, gives_its_own_headers_once_and_keeps_the_others_in_order)
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
