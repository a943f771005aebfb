/* Archived logs as an audit reads them. */
#include "audit/source.h"
#include "schemas/codec.h"
#include "schemas/container.h"
#include "schemas/varint.h"
#include "scoring/apply.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

static struct ss_error err = {.detail = ""};

static struct ss_puller *open_puller(struct ss_source *source,
                                     const struct ss_puller_config *config)
{
    struct ss_puller *puller;
    cr_assert_eq(ss_puller_open(source, config, &puller, &err), SS_OK, "%s", err.detail);
    return puller;
}

/* What an input has, one after the other: "e1@0 e2@1 …", rejected ones by their reason. */
static const char *pulled(struct ss_source *source, const struct ss_puller_config *config,
                          enum ss_input input, struct ss_source_report *report)
{
    static char text[4096];
    struct ss_puller *puller = open_puller(source, config);
    struct ss_source_batch batch;
    size_t used = 0;
    *text = '\0';
    do {
        cr_assert_eq(ss_puller_next(puller, input, &batch, &err), SS_OK, "%s", err.detail);
        for (size_t i = 0; i < batch.count; i++) {
            const struct ss_source_event *one = &batch.events[i];
            const struct ss_text id = one->event.event_id;
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s@%lld",
                                     used ? " " : "", one->reject ? 100 : (int)id.size,
                                     one->reject ? one->reject : id.data, (long long)one->offset);
        }
    } while (batch.count > 0);
    ss_puller_report(puller, input, report);
    ss_puller_close(puller);
    return text;
}

static struct logged payment(const char *user, const char *id, int64_t offset)
{
    return (struct logged){logs_event(SS_PAYMENTS, user, id, LOGS_BEGIN + offset), offset,
                           LOGS_BEGIN + offset};
}

static void begin(void)
{
    logs_directory();
}

TestSuite(source, .init = begin, .fini = logs_remove);

Test(source, files_of_a_partition_are_read_in_the_order_of_their_offsets)
{
    struct ss_source_report report;
    const struct logged early[] = {payment("ann", "a", 7), payment("ben", "b", 8)};
    const struct logged late[] = {payment("ann", "c", 9), payment("ann", "d", 12)};
    const struct logged other[] = {payment("cyd", "z", 3)};
    mkdir(logs_path("deep"), 0700);
    /* a name that sorts before, with a greater offset */
    logs_archive(logs_path("deep/payments+0+9.avro"), SS_PAYMENTS, 0, late, 2);
    logs_archive(logs_path("payments+0+0000000007+0000000008.avro"), SS_PAYMENTS, 0, early, 2);
    logs_archive(logs_path("payments+2+0000000003.avro"), SS_PAYMENTS, 2, other, 1);
    struct ss_source *source = logs_source(0);
    cr_expect_eq(ss_source_kind(source), SS_SOURCE_ARCHIVE);
    cr_expect_eq(ss_source_partition_count(source), 3);
    cr_expect_eq(ss_source_range(source, 0, SS_PAYMENTS).low, 7);
    const struct ss_puller_config config = {.partition = 0};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "a@7 b@8 c@9 d@12");
    cr_expect_eq(report.records, 4);
    cr_expect_eq(report.first, 7);
    cr_expect_eq(report.next, 13);
    cr_expect_eq(report.gaps, 1);
    cr_expect_eq(report.missing, 2);
    cr_expect_eq(report.missing_at, 10);
    cr_expect_eq(report.out_of_time, 7);
    cr_expect_str_eq(pulled(source, &config, SS_BILLS, &report), "");
    const struct ss_puller_config third = {.partition = 2};
    cr_expect_str_eq(pulled(source, &third, SS_PAYMENTS, &report), "z@3");
    ss_source_close(source);
}

Test(source, a_range_of_offsets_and_some_users)
{
    struct ss_source_report report;
    const struct logged first[] = {payment("ann", "a", 0), payment("ben", "b", 1)};
    const struct logged second[] = {payment("ann", "c", 2), payment("ben", "d", 3),
                                    payment("ann", "e", 4)};
    logs_archive(logs_path("payments+0+0.avro"), SS_PAYMENTS, 0, first, 2);
    logs_archive(logs_path("payments+0+2.avro"), SS_PAYMENTS, 0, second, 3);
    struct ss_source *source = logs_source(0);
    int64_t from[SS_INPUT_COUNT] = {[SS_PAYMENTS] = 1}, to[SS_INPUT_COUNT] = {[SS_PAYMENTS] = 4};
    struct ss_puller_config config = {.from = from, .to = to};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "b@1 c@2 d@3");
    cr_expect_eq(report.gaps, 0);
    from[SS_PAYMENTS] = 2;
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "c@2 d@3");
    from[SS_PAYMENTS] = 3;
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "d@3");
    struct ss_source_users *users = ss_source_users_open();
    cr_assert_eq(ss_source_users_add(users, (struct ss_bytes){"ann", 3}, &err), SS_OK);
    config = (struct ss_puller_config){.users = users};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "a@0 c@2 e@4");
    cr_expect_eq(report.records, 5);
    cr_expect_eq(report.next, 5);
    ss_source_users_close(users);
    ss_source_close(source);
}

Test(source, what_is_there_twice_comes_once)
{
    struct ss_source_report report;
    const struct logged first[] = {payment("ann", "a", 0), payment("ben", "b", 1)};
    const struct logged again[] = {payment("ben", "b", 1), payment("ann", "c", 2)};
    logs_archive(logs_path("payments+0+0.avro"), SS_PAYMENTS, 0, first, 2);
    logs_archive(logs_path("payments+0+1.avro"), SS_PAYMENTS, 0, again, 2);
    struct ss_source *source = logs_source(0);
    const struct ss_puller_config config = {.partition = 0};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "a@0 b@1 c@2");
    cr_expect_eq(report.repeated, 1);
    ss_source_close(source);
}

Test(source, a_record_in_the_wrong_partition_is_rejected_and_in_the_wrong_file_refused)
{
    struct ss_source_report report;
    struct ss_source_batch batch;
    const struct logged one[] = {payment("ann", "a", 0)};
    logs_archive(logs_path("payments+0+0.avro"), SS_PAYMENTS, 0, one, 1);
    logs_archive(logs_path("payments+1+0.avro"), SS_PAYMENTS, 1, one, 1);
    struct ss_source *source = logs_source(64); /* of which ann is in another */
    struct ss_puller_config config = {.partition = 0};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "MISROUTED@0");
    cr_expect_eq(report.rejected, 1);
    ss_source_close(source);
    logs_archive(logs_path("payments+1+0.avro"), SS_PAYMENTS, 0, one, 1);
    source = logs_source(0);
    config.partition = 1;
    struct ss_puller *puller = open_puller(source, &config);
    cr_expect_eq(ss_puller_next(puller, SS_PAYMENTS, &batch, &err), SS_STOP);
    cr_expect(strstr(err.detail, "partition 0"), "%s", err.detail);
    ss_puller_close(puller);
    ss_source_close(source);
}

Test(source, plain_files_are_one_partition_and_prove_nothing)
{
    struct ss_source_report report;
    struct ss_event events[] = {logs_event(SS_PAYMENTS, "ann", "a", LOGS_BEGIN),
                                logs_event(SS_PAYMENTS, "ben", "b", LOGS_BEGIN + 1)};
    logs_plain(logs_path("payments.avro"), SS_PAYMENTS, events, 2);
    logs_plain(logs_path("payments-2020-01.avro"), SS_PAYMENTS, events, 2); /* of no account */
    struct ss_source *source = logs_source(0);
    cr_expect_eq(ss_source_kind(source), SS_SOURCE_PLAIN);
    cr_expect_eq(ss_source_partition_count(source), 1);
    struct ss_puller_config config = {.partition = 0};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "a@0 b@1");
    const int64_t from[SS_INPUT_COUNT] = {[SS_PAYMENTS] = 1};
    config.from = from;
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "b@1");
    ss_source_close(source);
}

Test(source, an_archive_that_tells_no_offsets_is_as_plain_as_that)
{
    struct ss_source_report report;
    struct ss_event events[] = {logs_event(SS_PAYMENTS, "ann", "a", LOGS_BEGIN),
                                logs_event(SS_PAYMENTS, "ben", "b", LOGS_BEGIN + 1)};
    logs_plain(logs_path("payments+1+5.avro"), SS_PAYMENTS, events, 2);
    struct ss_source *source = logs_source(0);
    cr_expect_eq(ss_source_kind(source), SS_SOURCE_PLAIN);
    cr_expect_eq(ss_source_partition_count(source), 2);
    const struct ss_puller_config config = {.partition = 1};
    cr_expect_str_eq(pulled(source, &config, SS_PAYMENTS, &report), "a@5 b@6");
    ss_source_close(source);
}

/* As AvroConverter writes a record of `social` that it has read: enums are strings, and everything
 * may be null. The second one has an action that nobody knows. */
Test(source, records_that_went_through_connect_are_understood)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"ConnectDefault\",\"namespace\":\"io.confluent.connect\","
        "\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"user_id\",\"type\":"
        "\"string\"},{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\",\"connect.name\":"
        "\"org.apache.kafka.connect.data.Timestamp\",\"logicalType\":\"timestamp-millis\"}},"
        "{\"name\":\"action\",\"type\":{\"type\":\"string\",\"connect.parameters\":"
        "{\"io.confluent.connect.avro.Enum\":\"sesame.SocialAction\"}}},"
        "{\"name\":\"friend_id\",\"type\":[\"null\",\"string\"],\"default\":null},"
        "{\"name\":\"kafka_partition\",\"type\":[\"null\",\"int\"],\"default\":null},"
        "{\"name\":\"kafka_offset\",\"type\":[\"null\",\"long\"],\"default\":null}]}";
    static const char *const actions[] = {"FRIEND_ADDED", "POKED", "FRIEND_REMOVED"};
    struct ss_container_writer *writer;
    struct ss_source_report report;
    struct ss_source_batch batch;
    cr_assert_eq(ss_container_create(logs_path("social+0+0.avro"), schema, "null", &writer, &err),
                 SS_OK, "%s", err.detail);
    for (int i = 0; i < 3; i++) {
        char body[128];
        uint8_t *p = (uint8_t *)body;
        const char *const texts[] = {"e1", "ann"};
        for (int t = 0; t < 2; t++) {
            p = ss_varint_write(p, (int64_t)strlen(texts[t]));
            p = (uint8_t *)stpcpy((char *)p, texts[t]);
        }
        p = ss_varint_write(p, LOGS_BEGIN);
        p = ss_varint_write(p, (int64_t)strlen(actions[i]));
        p = (uint8_t *)stpcpy((char *)p, actions[i]);
        p = ss_varint_write(ss_varint_write(p, 1), 3);
        p = (uint8_t *)stpcpy((char *)p, "ben");
        p = ss_varint_write(ss_varint_write(p, 1), 0);
        p = ss_varint_write(ss_varint_write(p, 1), i);
        cr_assert_eq(
            ss_container_append(writer, (struct ss_bytes){body, (size_t)((char *)p - body)}, &err),
            SS_OK);
    }
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK);
    struct ss_source *source = logs_source(0);
    cr_expect_eq(ss_source_kind(source), SS_SOURCE_ARCHIVE);
    const struct ss_puller_config config = {.partition = 0};
    cr_expect_str_eq(pulled(source, &config, SS_SOCIAL, &report), "e1@0 UNREADABLE@1 e1@2");
    cr_expect_eq(report.gaps, 0);
    struct ss_puller *puller = open_puller(source, &config);
    cr_assert_eq(ss_puller_next(puller, SS_SOCIAL, &batch, &err), SS_OK);
    cr_assert_eq(batch.count, 3);
    cr_expect_eq(batch.events[0].event.social.action, SS_FRIEND_ADDED);
    cr_expect_eq(batch.events[2].event.social.action, SS_FRIEND_REMOVED);
    cr_expect_eq(batch.events[2].timestamp_ms, -1);
    ss_puller_close(puller);
    ss_source_close(source);
}

Test(source, a_time_is_the_first_offset_that_is_not_older)
{
    int64_t offsets[SS_INPUT_COUNT];
    const struct logged some[] = {payment("ann", "a", 3), payment("ben", "b", 5)};
    logs_archive(logs_path("payments+0+3.avro"), SS_PAYMENTS, 0, some, 2);
    struct ss_source *source = logs_source(0);
    cr_assert_eq(ss_source_offsets_at(source, 0, LOGS_BEGIN + 4, offsets, &err), SS_OK);
    cr_expect_eq(offsets[SS_PAYMENTS], 5);
    cr_expect_eq(offsets[SS_BILLS], 0);
    cr_assert_eq(ss_source_offsets_at(source, 0, LOGS_BEGIN + 6, offsets, &err), SS_OK);
    cr_expect_eq(offsets[SS_PAYMENTS], 6);
    ss_source_close(source);
}

Test(source, a_directory_without_logs_is_refused)
{
    struct ss_source_config config = {.directory = logs_path("%s", "")};
    struct ss_source *source;
    cr_expect_eq(ss_source_open(&config, &source, &err), SS_STOP);
    cr_expect(strstr(err.detail, "payments.avro"), "%s", err.detail);
    config.directory = logs_path("nowhere");
    cr_expect_eq(ss_source_open(&config, &source, &err), SS_STOP);
    cr_expect(strstr(err.detail, "nowhere"), "%s", err.detail);
}
