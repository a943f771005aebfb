/* Subscribers' topics, from the grant to the withdrawal, with nothing failing and with everything
 * failing once. */
#include "helper_worker.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { BANK, HOTEL, SUBSCRIBERS };

static const char *const names[SUBSCRIBERS] = {"bank", "hotel"};
static const uint32_t fields[SUBSCRIBERS] = {SS_FIELDS_ALL, SS_FIELD_BIT(SS_FIELD_TIER) |
                                                                SS_FIELD_BIT(SS_FIELD_STANDING)};
static struct rig rig;

static void subscribe(int count)
{
    struct ss_error err;
    for (int i = 0; i < count; i++) {
        struct ss_worker_subscriber *subscriber = &rig.config.subscribers[i];
        char *json;
        subscriber->hash =
            ss_subscriber_hash((struct ss_text){names[i], (uint32_t)strlen(names[i])});
        subscriber->fields = fields[i];
        cr_assert_eq(ss_schema_of_subscriber(fields[i], &json, &err), SS_OK);
        cr_assert_eq(ss_registry_find(rig.registry, "any", json, &subscriber->schema_id, &err),
                     SS_OK);
        free(json);
    }
    rig.config.subscriber_count = count;
    rig_restart(&rig);
}

static void open_two(void)
{
    rig_open(&rig, 1);
    subscribe(SUBSCRIBERS);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(subscribers, .init = open_two, .fini = close_rig);

static void send_share(const char *user, enum ss_consent_action action, const char *name)
{
    struct ss_event event = rig_consent(&rig, user, action);
    event.consent.purpose = SS_PURPOSE_SHARE;
    event.consent.subscriber = (struct ss_text){name, (uint32_t)strlen(name)};
    rig_send(&rig, event);
}

/* What a subscriber sees of one user: objects, and null for a tombstone. */
static json_t *seen(int subscriber, const char *user)
{
    const struct memory_log *log =
        memory_bus_target(rig.memory, (enum ss_target)(SS_TO_SUBSCRIBERS + subscriber), 0);
    const struct memory_record *record;
    json_t *all = json_array();
    int64_t offset = 0;
    while ((record = memory_log_next(log, &offset)))
        if (ss_bytes_equal(record->key, (struct ss_bytes){user, strlen(user)}))
            json_array_append_new(all,
                                  record->value.data ? rig_json(&rig, record->value) : json_null());
    return all;
}

static const char *text_at(json_t *all, size_t i, const char *name)
{
    return json_string_value(json_object_get(json_array_get(all, i), name));
}

static json_int_t number_at(json_t *all, size_t i, const char *name)
{
    return json_integer_value(json_object_get(json_array_get(all, i), name));
}

Test(subscribers, see_the_score_at_the_grant_and_every_one_after_it)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_send(&rig, rig_payment(&rig, user, 100000));
    rig_run(&rig);
    cr_assert_eq(json_array_size(seen(BANK, user)), 0, "nobody has authorised it");
    send_share(user, SS_CONSENT_GRANTED, "bank");
    rig_run(&rig);
    json_t *all = seen(BANK, user), *scores = rig_values(&rig, SS_TO_SCORES, 0);
    size_t published = json_array_size(scores);
    cr_assert_eq(json_array_size(all), 1);
    cr_assert_str_eq(text_at(all, 0, "kind"), "SHARED");
    cr_assert_eq(number_at(all, 0, "score"), rig_last_score(&rig, user));
    cr_assert_eq(number_at(all, 0, "sequence"), (json_int_t)published);
    json_decref(all);
    json_decref(scores);

    rig_send(&rig, rig_listing(&rig, user, SS_LISTED, "case"));
    rig_send(&rig, rig_listing(&rig, user, SS_DELISTED, "case"));
    rig_run(&rig);
    all = seen(BANK, user);
    scores = rig_values(&rig, SS_TO_SCORES, 0);
    cr_assert_eq(json_array_size(all), 3);
    for (size_t i = 1; i < 3; i++) /* one who may see all of it sees what is published */
        cr_assert(json_equal(json_array_get(all, i), json_array_get(scores, published + i - 1)));
    json_decref(all);
    json_decref(scores);
    cr_assert_eq(json_array_size(seen(HOTEL, user)), 0);
    rig_check(&rig);
}

/* Of the histograms as they are then, in the record at the grant too. */
Test(subscribers, see_ranks)
{
    const char *user = rig_user(&rig, 0, 0);
    rig.config.limits.ranks_interval_ms = 1000;
    rig_restart(&rig);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_run(&rig);
    send_share(user, SS_CONSENT_GRANTED, "bank");
    rig_run(&rig);
    rig_send(&rig, rig_listing(&rig, user, SS_LISTED, "case"));
    rig_run(&rig);
    json_t *bank = seen(BANK, user), *all = rig_values(&rig, SS_TO_SCORES, 0);
    cr_assert_eq(json_array_size(bank), 2);
    cr_assert(json_is_null(json_object_get(json_array_get(all, 0), "percentile")));
    for (size_t i = 0; i < 2; i++) {
        cr_expect(json_is_integer(json_object_get(json_array_get(bank, i), "percentile")));
        cr_expect_eq(number_at(bank, i, "percentile"), 0);
        cr_expect_eq(number_at(bank, i, "ranks"), 1);
    }
    cr_expect_eq(number_at(all, 1, "ranks"), 1);
    json_decref(all);
    json_decref(bank);
}

Test(subscribers, see_only_their_fields)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    send_share(user, SS_CONSENT_GRANTED, "hotel");
    rig_run(&rig);
    json_t *all = seen(HOTEL, user);
    cr_assert_eq(json_array_size(all), 1);
    cr_assert_eq(json_object_size(json_array_get(all, 0)), 3);
    cr_assert_str_eq(text_at(all, 0, "user_id"), user);
    cr_assert_str_eq(text_at(all, 0, "standing"), "SCORED");
    cr_assert_not_null(text_at(all, 0, "tier"));
    json_decref(all);
}

static void expect_last(int subscriber, const char *user, size_t count, bool tombstone)
{
    json_t *all = seen(subscriber, user);
    cr_assert_eq(json_array_size(all), count, "%s: %zu records, not %zu", names[subscriber],
                 json_array_size(all), count);
    cr_assert_eq(json_is_null(json_array_get(all, count - 1)), tombstone);
    json_decref(all);
}

Test(subscribers, get_one_tombstone_when_the_share_ends)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    send_share(user, SS_CONSENT_GRANTED, "bank");
    send_share(user, SS_CONSENT_GRANTED, "hotel");
    send_share(user, SS_CONSENT_WITHDRAWN, "bank");
    send_share(user, SS_CONSENT_WITHDRAWN, "bank");
    rig_run(&rig);
    expect_last(BANK, user, 2, true);
    expect_last(HOTEL, user, 1, false);
    rig_send(&rig, rig_listing(&rig, user, SS_LISTED, "case"));
    rig_run(&rig);
    expect_last(BANK, user, 2, true);
    expect_last(HOTEL, user, 2, false);
    send_share(user, SS_CONSENT_GRANTED, "bank");
    rig_run(&rig);
    expect_last(BANK, user, 3, false);
    rig_check(&rig); /* before sequence numbers begin anew */
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    expect_last(BANK, user, 4, true);
    expect_last(HOTEL, user, 3, true);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_run(&rig);
    expect_last(BANK, user, 4, true);
}

Test(subscribers, whom_the_config_does_not_know_get_nothing)
{
    const char *user = rig_user(&rig, 0, 0);
    subscribe(1); /* the hotel is not there yet */
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    send_share(user, SS_CONSENT_GRANTED, "hotel");
    send_share(user, SS_CONSENT_GRANTED, "who?");
    rig_run(&rig);
    for (int i = 0; i < SS_SUBSCRIBERS_MAX; i++)
        cr_assert_eq(memory_bus_target(rig.memory, (enum ss_target)(SS_TO_SUBSCRIBERS + i), 0)->end,
                     0);
    struct ss_mark mark;
    int64_t offset;
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    cr_assert_eq(mark.counts[SS_CONSENTS].outcomes[SS_COUNTED], 3);
    subscribe(2); /* now it is, and the grant is remembered */
    rig_run(&rig);
    cr_assert_eq(json_array_size(seen(HOTEL, user)), 0);
    rig_send(&rig, rig_listing(&rig, user, SS_LISTED, "case"));
    rig_run(&rig);
    expect_last(HOTEL, user, 1, false);
    send_share(user, SS_CONSENT_WITHDRAWN, "hotel");
    rig_run(&rig);
    expect_last(HOTEL, user, 2, true);
    rig_check(&rig);
}

/* --- exactly once (promise 1) --- */

enum { USERS = 3 };

static void send_all(void)
{
    for (int i = 0; i < USERS; i++) {
        const char *user = rig_user(&rig, 0, i);
        rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
        send_share(user, SS_CONSENT_GRANTED, "bank");
        if (i == 1)
            send_share(user, SS_CONSENT_WITHDRAWN, "bank");
        for (int n = 0; n < 5; n++)
            rig_send(&rig, rig_payment(&rig, user, 50000 * (n + 1)));
        rig_send(&rig, rig_bill(&rig, user, SS_BILL_ISSUED, "bill"));
        rig_send(&rig, rig_bill(&rig, user, SS_BILL_PAID, "bill"));
    }
}

/* Each record is the published one of its number; none is missing behind the grant. */
static void check_bank(const char *user, bool shares, const char *what, int nth)
{
    json_t *all = seen(BANK, user), *scores = rig_values(&rig, SS_TO_SCORES, 0), *score;
    json_int_t sequence = 0;
    size_t i, at = 0;
    json_array_foreach(scores, i, score)
    {
        if (strcmp(json_string_value(json_object_get(score, "user_id")), user) != 0)
            continue;
        sequence = json_integer_value(json_object_get(score, "sequence"));
        if (at == 0 && sequence == number_at(all, 0, "sequence")) {
            cr_assert_str_eq(text_at(all, 0, "kind"), "SHARED");
            cr_assert(json_equal(json_object_get(json_array_get(all, 0), "score"),
                                 json_object_get(score, "score")));
            at++;
        } else if (at > 0 && shares) {
            cr_assert(json_equal(json_array_get(all, at), score), "%s %d: record %zu of %s", what,
                      nth, at, user);
            at++;
        }
    }
    cr_assert_gt(sequence, 3, "%s: only %d records", user, (int)sequence);
    if (!shares) {
        cr_assert(json_is_null(json_array_get(all, at)));
        at++;
    }
    cr_assert_eq(json_array_size(all), at, "%s %d: %zu records of %s, not %zu", what, nth,
                 json_array_size(all), user, at);
    json_decref(all);
    json_decref(scores);
}

static void check_all(const char *what, int nth)
{
    for (int i = 0; i < USERS; i++)
        check_bank(rig_user(&rig, 0, i), i != 1, what, nth);
    rig_check(&rig);
}

Test(subscribers, see_each_record_once_whatever_fails)
{
    static const struct {
        enum memory_op op;
        const char *name;
        bool late;
    } calls[] = {
        {MEMORY_PRODUCE, "produce", false},   {MEMORY_COMMIT, "commit", false},
        {MEMORY_COMMIT, "late commit", true}, {MEMORY_OFFSET, "offset", false},
        {MEMORY_BEGIN, "begin", false},
    };
    send_all();
    rig_run(&rig);
    check_all("nothing", 0);
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        for (int nth = 1;; nth++) {
            close_rig();
            open_two();
            memory_bus_set_poll_max(rig.memory, 4);
            memory_bus_fail(rig.memory, calls[c].op, nth, SS_RETRY, calls[c].late);
            send_all();
            int failed = rig_run(&rig);
            check_all(calls[c].name, nth);
            if (!failed)
                break;
        }
    }
}

Test(subscribers, a_restart_repeats_nothing)
{
    send_all();
    memory_bus_set_poll_max(rig.memory, 3);
    for (int i = 0; i < 4; i++) {
        bool idle;
        struct ss_error err;
        for (int step = 0; step < 3; step++)
            cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
        rig_restart(&rig);
    }
    rig_run(&rig);
    check_all("restart", 0);
}
