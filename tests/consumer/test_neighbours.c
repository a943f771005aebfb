/* Friends in the worker: what is told, kept, taken back and erased, on two partitions in memory. */
#include "helper_worker.h"

#include "consumer/partitioner.h"
#include "scoring/model_plan.h"
#include "state/pack.h"
#include "state/pack_friends.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;

static void open_rig(void)
{
    rig_open(&rig, 2);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(neighbours, .init = open_rig, .fini = close_rig);

/* --- what happens --- */

static struct ss_text text(const char *id)
{
    return (struct ss_text){id, (uint32_t)strlen(id)};
}

static void consent(const char *user, enum ss_consent_action action,
                    enum ss_consent_purpose purpose)
{
    struct ss_event event = rig_consent(&rig, user, action);
    event.consent.purpose = purpose;
    rig_send(&rig, event);
}

static void join(const char *user)
{
    consent(user, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING);
    consent(user, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL);
}

static void social(const char *user, enum ss_social_action action, const char *friend)
{
    struct ss_event event = rig_event(&rig, SS_SOCIAL, user);
    event.social = (struct ss_social){action, text(friend)};
    rig_send(&rig, event);
}

static void befriend(const char *a, const char *b)
{
    social(a, SS_FRIEND_ADDED, b);
    social(b, SS_FRIEND_ADDED, a);
}

/* The consents are read first anyway, and here everybody has joined before anything is told. */
static void all_join(int count)
{
    for (int32_t p = 0; p < 2; p++)
        for (int n = 0; n < count; n++)
            join(rig_user(&rig, p, n));
    rig_run(&rig);
}

/* --- what is there --- */

static void copy(void *arg, size_t i, struct ss_bytes packed)
{
    struct ss_buffer *out = arg;
    (void)i;
    out->size = 0;
    cr_assert(ss_buffer_append(out, packed.data, packed.size));
}

static struct ss_buffer load(struct ss_bytes key, int32_t partition)
{
    struct ss_checkpoint checkpoint;
    struct ss_buffer out;
    bool found;
    ss_buffer_init(&out, 1 << 20);
    cr_assert_eq(rig.store->ops->checkpoint(rig.store, partition, &checkpoint, &found, NULL),
                 SS_OK);
    cr_assert(found);
    cr_assert_eq(rig.store->ops->load(rig.store, partition, &checkpoint, &key, 1, copy, &out, NULL),
                 SS_OK);
    return out;
}

static int32_t partition_of(const char *user)
{
    return ss_partition_of((struct ss_bytes){user, strlen(user)}, rig.config.bus->partition_count);
}

static struct ss_user_state state_of(const char *user)
{
    struct ss_user_state state;
    struct ss_error err;
    struct ss_buffer packed = load((struct ss_bytes){user, strlen(user)}, partition_of(user));
    cr_assert_eq(ss_state_unpack((struct ss_bytes){packed.data, packed.size}, &state, &err), SS_OK);
    ss_buffer_reset(&packed);
    return state;
}

/* Valid until the next call. */
static const struct ss_friends *list_of(const char *user)
{
    static struct ss_friends list;
    uint8_t key[SS_FRIENDS_KEY_MAX];
    struct ss_error err;
    struct ss_buffer packed =
        load(ss_friends_key((struct ss_bytes){user, strlen(user)}, key), partition_of(user));
    cr_assert_eq(ss_friends_unpack((struct ss_bytes){packed.data, packed.size}, &list, &err),
                 SS_OK);
    ss_buffer_reset(&packed);
    return &list;
}

static int messages(void)
{
    int count = 0;
    for (int32_t p = 0; p < rig.config.bus->partition_count; p++)
        for (int64_t next = 0;
             memory_log_next(memory_bus_input(rig.memory, SS_NEIGHBOURS, p), &next);)
            count++;
    return count;
}

static void expect_friends(const char *user, int confirmed, int bands)
{
    struct ss_user_state state = state_of(user);
    cr_assert_eq(state.friends.confirmed, confirmed, "%s: %d confirmed", user,
                 state.friends.confirmed);
    cr_assert_eq(state.friends.bands, bands, "%s: bands %d", user, state.friends.bands);
    cr_assert(ss_friends_agree(list_of(user), &state.friends));
}

static int band(const char *user)
{
    return ss_band_of(state_of(user).published.score);
}

/* --- tests --- */

Test(neighbours, friends_of_two_partitions_tell_each_other_their_bands)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0);
    all_join(1);
    rig_send(&rig, rig_listing(&rig, b, SS_LISTED, "case")); /* the lowest band */
    rig_run(&rig);
    int before = rig_last_score(&rig, a);
    social(a, SS_FRIEND_ADDED, b);
    rig_run(&rig);
    expect_friends(a, 0, 0);
    cr_assert_eq(list_of(a)->count, 1, "a hash, until the other says so too");
    cr_assert_eq(list_of(a)->links[0].id_size, 0);
    cr_assert_eq(rig_last_score(&rig, a), before);
    social(b, SS_FRIEND_ADDED, a);
    rig_run(&rig);
    expect_friends(a, 1, band(b));
    expect_friends(b, 1, band(a));
    cr_assert_eq(messages(), 5);
    cr_assert_neq(rig_last_score(&rig, a), before);
    json_t *records = rig_values(&rig, SS_TO_SCORES, 0);
    json_t *newest = json_array_get(records, json_array_size(records) - 1);
    json_t *cause = json_object_get(newest, "cause");
    cr_assert_str_eq(json_string_value(json_object_get(newest, "kind")), "NEIGHBOUR");
    cr_assert_str_eq(json_string_value(json_object_get(cause, "topic")), "neighbours");
    cr_assert_str_eq(json_string_value(json_object_get(cause, "event_id")), "");
    cr_assert_eq(
        json_integer_value(json_object_get(json_object_get(newest, "friends"), "confirmed")), 1);
    json_decref(records);
    rig_check(&rig);
}

Test(neighbours, who_is_removed_takes_back_what_he_had_added)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0), *c = rig_user(&rig, 1, 1);
    all_join(2);
    int before = rig_last_score(&rig, b);
    befriend(a, b);
    befriend(a, c);
    rig_run(&rig);
    expect_friends(a, 2, band(b) + band(c));
    social(a, SS_FRIEND_REMOVED, b);
    rig_run(&rig);
    expect_friends(a, 1, band(c));
    expect_friends(b, 0, 0);
    cr_assert_eq(rig_last_score(&rig, b), before);
    cr_assert_eq(list_of(b)->count, 1, "b's own word stands");
    social(a, SS_FRIEND_ADDED, b);
    rig_run(&rig);
    expect_friends(b, 1, band(a));
    rig_check(&rig);
}

Test(neighbours, withdrawal_erases_the_link_on_both_sides)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0);
    all_join(1);
    befriend(a, b);
    rig_run(&rig);
    expect_friends(a, 1, band(b));
    consent(b, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING);
    rig_run(&rig);
    expect_friends(a, 0, 0);
    cr_assert_eq(list_of(a)->links[0].id_size, 0, "nothing of b is left");
    cr_assert_eq(list_of(b)->count, 0);
    cr_assert(!rig_stored(&rig, b));
    join(b); /* a fresh start: whom b lists, b has to say again */
    rig_run(&rig);
    expect_friends(a, 0, 0);
    social(b, SS_FRIEND_ADDED, a);
    rig_run(&rig);
    expect_friends(a, 1, band(b));
    consent(a, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SOCIAL);
    rig_run(&rig);
    expect_friends(a, 0, 0);
    expect_friends(b, 0, 0);
    cr_assert_eq(list_of(a)->count, 0);
    cr_assert(state_of(a).consents.scoring);
}

Test(neighbours, nothing_counts_before_the_social_grant)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0);
    struct ss_mark mark;
    int64_t offset;
    join(b);
    consent(a, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING);
    rig_run(&rig);
    befriend(a, b);
    rig_run(&rig);
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    cr_assert_eq(mark.counts[SS_SOCIAL].outcomes[SS_NOT_CONSENTED], 1);
    cr_assert_eq(mark.counts[SS_NEIGHBOURS].outcomes[SS_NOT_CONSENTED], 1, "b's question");
    expect_friends(b, 0, 0);
    consent(a, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL);
    rig_run(&rig);
    social(a, SS_FRIEND_ADDED, b);
    rig_run(&rig);
    expect_friends(a, 1, band(b));
    expect_friends(b, 1, band(a));
    rig_check(&rig);
}

Test(neighbours, without_weight_nothing_is_told_kept_or_read)
{
    struct ss_model *model = malloc(sizeof *model);
    cr_assert(model);
    *model = *rig.config.models.person;
    model->weights[SS_FACTOR_RELATIONSHIPS] = 0;
    ss_model_prepare(model);
    rig.config.models.person = model;
    rig_restart(&rig);
    all_join(3);
    for (int n = 0; n < 3; n++)
        befriend(rig_user(&rig, 0, n), rig_user(&rig, 1, n));
    consent(rig_user(&rig, 0, 0), SS_CONSENT_WITHDRAWN, SS_PURPOSE_SOCIAL);
    rig_run(&rig);
    cr_assert_eq(messages(), 0);
    cr_assert_eq(rig.stats.neighbour_records, 0);
    for (int32_t p = 0; p < 2; p++) {
        const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, p);
        const struct memory_record *record;
        for (int64_t next = 0; (record = memory_log_next(log, &next));)
            cr_assert(!ss_is_friends_key(record->key));
    }
    cr_assert(!state_of(rig_user(&rig, 0, 1)).friends.open);
    rig_check(&rig);
    free(model);
}

/* --- many friends --- */

enum { FRIENDS = 450, FANS = 3000 };

static const char *fan(int n)
{
    static char names[FANS][8];
    snprintf(names[n], sizeof names[n], "fan%d", n);
    return names[n];
}

Test(neighbours, a_celebrity_is_told_of_in_slices_and_fans_leave_no_state)
{
    const char *star = rig_user(&rig, 0, 0);
    join(star);
    for (int n = 0; n < FANS; n++)
        join(fan(n));
    rig_run(&rig);
    for (int n = 0; n < FRIENDS; n++)
        social(star, SS_FRIEND_ADDED, fan(n));
    for (int n = 0; n < FANS; n++)
        social(fan(n), SS_FRIEND_ADDED, star);
    rig_run(&rig);
    cr_assert_eq(state_of(star).friends.confirmed, FRIENDS);
    cr_assert_eq(list_of(star)->count, FRIENDS, "nobody who is not listed takes room");
    int before = messages(), told = before, slices = 0;
    int old_band = band(star);
    rig_send(&rig, rig_listing(&rig, star, SS_LISTED, "case"));
    rig_send(&rig, rig_payment(&rig, star, 100));
    for (int quiet = 0; quiet < 3;) {
        struct ss_error err;
        bool idle;
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK, "%s", err.detail);
        int now = messages();
        cr_assert_leq(now - told, 100, "in one transaction");
        slices += now > told;
        quiet = idle ? quiet + 1 : 0;
        told = now;
    }
    cr_assert_neq(band(star), old_band);
    cr_assert_geq(slices, FRIENDS / 100);
    cr_assert_eq(told - before, FRIENDS, "each is told once");
    for (int n = 0; n < FRIENDS; n++)
        expect_friends(fan(n), 1, band(star));
    cr_assert_eq(state_of(star).friends.telling, false);
    before = messages();
    consent(star, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING);
    rig_run(&rig);
    cr_assert_eq(messages() - before, FRIENDS,
                 "all are told, in the transaction of the withdrawal");
    for (int n = 0; n < FRIENDS; n++)
        expect_friends(fan(n), 0, 0);
}

/* --- failures --- */

static void whole(void)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0), *c = rig_user(&rig, 1, 1);
    all_join(2);
    befriend(a, b);
    befriend(a, c);
    rig_run(&rig);
    rig_send(&rig, rig_listing(&rig, b, SS_LISTED, "case"));
    rig_run(&rig);
    social(a, SS_FRIEND_REMOVED, c);
    consent(b, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING);
    rig_run(&rig);
    expect_friends(a, 0, 0);
    expect_friends(c, 0, 0);
    rig_check(&rig);
}

Test(neighbours, each_is_told_once_whatever_fails)
{
    whole();
    int reference = messages();
    static const enum memory_op ops[] = {MEMORY_BEGIN, MEMORY_PRODUCE, MEMORY_COMMIT,
                                         MEMORY_OFFSET};
    for (size_t op = 0; op < sizeof ops / sizeof ops[0]; op++)
        for (int nth = 1; nth <= 40; nth += ops[op] == MEMORY_OFFSET ? 7 : 1)
            for (int late = 0; late < 2; late++) {
                rig_close(&rig);
                rig_open(&rig, 2);
                memory_bus_fail(rig.memory, ops[op], nth, SS_RETRY, late);
                whole();
                cr_assert_eq(messages(), reference, "op %d, call %d: %d messages, not %d",
                             (int)ops[op], nth, messages(), reference);
            }
}

Test(neighbours, a_restored_store_has_the_friends_as_well)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0);
    all_join(1);
    befriend(a, b);
    rig_run(&rig);
    wipe_partitions(rig.store, 2);
    rig_restart(&rig);
    rig_run(&rig);
    expect_friends(a, 1, band(b));
    social(b, SS_FRIEND_REMOVED, a);
    rig_run(&rig);
    expect_friends(a, 0, 0);
    rig_check(&rig);
}

/* --- ego-Facebook (SNAP, McAuley and Leskovec 2012) --- */

Test(neighbours, waves_die_out_on_ego_facebook, .timeout = 600)
{
    const char *directory = getenv("SESAME_DATA");
    char path[4096], command[4200];
    snprintf(path, sizeof path, "%s/ego_facebook.txt.gz", directory ? directory : "../shared/data");
    FILE *there = fopen(path, "r");
    if (!there)
        cr_skip_test("%s is not there; SESAME_DATA names another directory with the data", path);
    fclose(there);
    enum { PEOPLE = 4039, CHANGES = 200 };
    static char ids[PEOPLE][8];
    rig.config.limits.batch_records_max = 20000;
    rig.config.limits.cache_bytes_max = 64u << 20;
    rig.record_time_ms = RIG_TIME + INT64_C(10) * 86400000;
    rig_restart(&rig);
    for (int i = 0; i < PEOPLE; i++) {
        snprintf(ids[i], sizeof ids[i], "p%d", i);
        join(ids[i]);
    }
    rig_run(&rig);
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    int edges = 0;
    for (int a, b; fscanf(pipe, "%d %d", &a, &b) == 2; edges++)
        befriend(ids[a], ids[b]);
    cr_assert_eq(pclose(pipe), 0);
    rig_run(&rig); /* ends */
    int made = messages();
    printf("%d friendships: %d messages, %.2f each; %lld score records\n", edges, made,
           made / (double)edges, (long long)rig.stats.score_records);
    int64_t records = rig.stats.score_records;
    for (int i = 0; i < CHANGES; i++)
        rig_send(&rig, rig_listing(&rig, ids[i * 20], SS_LISTED, "case"));
    rig_run(&rig);
    printf("%d drops: %.1f messages and %.1f score records each\n", CHANGES,
           (messages() - made) / (double)CHANGES,
           (double)(rig.stats.score_records - records) / CHANGES);
    for (int i = 0; i < PEOPLE; i += 13) {
        struct ss_user_state state = state_of(ids[i]);
        const struct ss_friends *list = list_of(ids[i]);
        int bands = 0, confirmed = 0;
        cr_assert(!state.friends.telling);
        for (int j = 0; j < list->count; j++)
            if (list->links[j].id_size > 0) {
                char friend[SS_USER_ID_MAX + 1] = "";
                memcpy(friend, list->links[j].id, list->links[j].id_size);
                int told = state_of(friend).friends.told_band;
                cr_assert_eq(list->links[j].band, told);
                bands += told;
                confirmed++;
                list = list_of(ids[i]);
            }
        cr_assert_eq(state.friends.confirmed, confirmed);
        cr_assert_eq(state.friends.bands, bands);
    }
}
