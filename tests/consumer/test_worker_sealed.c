/* The worker's loop in memory with keys: what is stored is sealed, keys change under it, and a
 * missing one stops it and loses nothing. */
#include "helper_scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct ss_keys keys;

static void add_key(int64_t active_from_ms)
{
    struct ss_key_entry added;
    struct ss_error err = {0};
    cr_assert_eq(ss_key_file_add(path, rig.now_ms, active_from_ms, &added, &err), SS_OK, "%s",
                 err.detail);
}

static void take_keys(enum ss_plain_states plain)
{
    struct ss_error err = {0};
    cr_assert_eq(ss_key_ring_open(path, plain, rig.now_ms, &keys.ring, &err), SS_OK, "%s",
                 err.detail);
    rig.config.keys = &keys;
    rig_restart(&rig);
}

static void drop_keys(void)
{
    struct ss_key_ring *ring = keys.ring;
    ss_keys_reset(&keys);
    ss_key_ring_close(ring);
    rig.config.keys = NULL;
}

static void begin(void)
{
    open_rig();
    snprintf(folder, sizeof folder, "/tmp/sesame-sealed-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    add_key(0);
}

static void end(void)
{
    drop_keys();
    close_rig();
    unlink(path);
    rmdir(folder);
}

TestSuite(sealed, .init = begin, .fini = end);

/* --- what is stored --- */

struct tally {
    int states, by_key[4]; /* index: key id, 0 for those that are plain */
};

/* Six bytes of a state that are found in what is stored are no accident: 2^-48 each time. */
static void no_plain_text(struct ss_bytes stored, struct ss_bytes packed)
{
    for (size_t i = 0; i + 6 <= packed.size; i++)
        cr_assert_null(memmem(stored.data, stored.size, (const uint8_t *)packed.data + i, 6));
}

static void look_at(void *arg, struct ss_bytes user_id, struct ss_bytes stored)
{
    struct tally *tally = arg;
    struct ss_error err = {0};
    uint8_t opened[SS_PACKED_MAX];
    struct ss_bytes packed;
    struct ss_user_state state;
    uint32_t id = ss_seal_key_id(stored);
    cr_assert_lt(id, 4);
    tally->states++;
    tally->by_key[id]++;
    cr_assert_eq(ss_stored_read(&keys, user_id, stored, &state, &err), SS_OK, "%s", err.detail);
    if (id == 0)
        return;
    cr_assert_eq(ss_unseal(keys.sealer, user_id, stored, opened, &packed, &err), SS_OK);
    no_plain_text(stored, packed);
}

static struct tally stored_states(void)
{
    struct tally tally = {0};
    for (int32_t p = 0; p < PARTITIONS; p++)
        cr_assert_eq(rig.store->ops->scan(rig.store, p, look_at, &tally, NULL), SS_OK);
    return tally;
}

/* The store equals the changelog by rig_check; this looks at all that the changelog ever held. */
static struct tally logged_states(void)
{
    struct tally tally = {0};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, p);
        const struct memory_record *record;
        for (int64_t next = 0; (record = memory_log_next(log, &next));)
            if (!ss_bytes_equal(record->key, ss_mark_key) && record->value.size > 0)
                look_at(&tally, record->key, record->value);
    }
    return tally;
}

static void send_all(void)
{
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
}

static const char *some_user(void)
{
    return rig_user(&rig, 0, 0);
}

static void pay(const char *user_id)
{
    rig_send(&rig, rig_payment(&rig, user_id, 1234));
    rig_run(&rig);
}

Test(sealed, states_are_sealed_in_store_and_changelog_and_scores_are_the_same)
{
    take_keys(SS_PLAIN_REFUSE);
    run_all(NULL);
    check_against_reference("sealed", 0);
    struct tally stored = stored_states(), logged = logged_states();
    cr_assert_gt(stored.states, 2);
    cr_assert_eq(stored.by_key[1], stored.states);
    cr_assert_gt(logged.states, stored.states);
    cr_assert_eq(logged.by_key[1], logged.states);
}

Test(sealed, a_wiped_store_is_restored_from_sealed_states)
{
    take_keys(SS_PLAIN_REFUSE);
    run_all(wipe_store);
    check_against_reference("sealed and wiped", 0);
    cr_assert_gt(rig.stats.restored_records, 0);
}

/* --- keys change --- */

Test(sealed, a_new_key_seals_from_the_next_batch_on_and_the_old_one_still_opens)
{
    take_keys(SS_PLAIN_REFUSE);
    send_all();
    int states = stored_states().states;
    add_key(rig.now_ms + 5000);
    rig.now_ms += 1000;
    pay(some_user());
    cr_assert_eq(stored_states().by_key[1], states, "not before its time");
    rig.now_ms += 4000;
    pay(some_user());
    cr_assert_eq(stored_states().by_key[2], 1);
    cr_assert_eq(stored_states().by_key[1], states - 1);
    rig_check(&rig);
    wipe_store();
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(stored_states().by_key[2], 1, "a restore seals nothing anew");
    rig_check(&rig);
}

Test(sealed, a_key_that_another_process_has_just_added_is_looked_for)
{
    take_keys(SS_PLAIN_REFUSE);
    send_all();
    struct ss_keys ours = keys;
    add_key(rig.now_ms);
    keys = (struct ss_keys){0};
    take_keys(SS_PLAIN_REFUSE); /* the other one, which seals with it */
    pay(some_user());
    cr_assert_eq(stored_states().by_key[2], 1);
    drop_keys();
    keys = ours;
    rig.config.keys = &keys;
    rig_restart(&rig); /* within the second in which the file is not looked at */
    pay(some_user());
    rig_check(&rig);
}

/* --- a key is missing --- */

static void hide_keys(const char *hidden)
{
    cr_assert_eq(rename(path, hidden), 0);
}

/* As a host has it that was forgotten: the first key and nothing else. */
static void keep_first_key_only(const char *hidden)
{
    char line[512];
    FILE *from = fopen(hidden, "r"), *to = fopen(path, "w");
    cr_assert(from && to);
    while (fgets(line, sizeof line, from))
        if (line[0] != '2')
            fputs(line, to);
    cr_assert_eq(fchmod(fileno(to), 0600), 0);
    fclose(from);
    fclose(to);
}

static void lose_second_key(const char *hidden)
{
    take_keys(SS_PLAIN_REFUSE);
    send_all();
    add_key(rig.now_ms);
    rig.now_ms += 1000;
    pay(some_user());
    cr_assert_eq(stored_states().by_key[2], 1);
    drop_keys();
    hide_keys(hidden);
    keep_first_key_only(hidden);
    take_keys(SS_PLAIN_REFUSE);
}

static void find_second_key(const char *hidden)
{
    drop_keys();
    cr_assert_eq(rename(hidden, path), 0);
    take_keys(SS_PLAIN_REFUSE);
}

Test(sealed, a_missing_key_stops_without_taking_anything_away)
{
    char hidden[112];
    snprintf(hidden, sizeof hidden, "%s.hidden", path);
    lose_second_key(hidden);
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    rig_send(&rig, rig_payment(&rig, some_user(), 100));
    rig_run_to_stop(&rig, "sealed with key 2, which the key file does not have");
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes);
    find_second_key(hidden);
    rig_run(&rig);
    cr_assert_eq(stored_states().by_key[2], 1);
    cr_assert_eq(rig.stats.restored_records, PARTITIONS, "nothing but the newest marks");
    rig_check(&rig);
}

Test(sealed, a_missing_key_stops_a_restore_as_well)
{
    char hidden[112];
    snprintf(hidden, sizeof hidden, "%s.hidden", path);
    lose_second_key(hidden);
    wipe_store();
    rig_run_to_stop(&rig, "sealed with key 2");
    find_second_key(hidden);
    rig_run(&rig);
    cr_assert_eq(stored_states().by_key[2], 1);
    rig_check(&rig);
}

Test(sealed, without_keys_sealed_states_stop_the_engine)
{
    take_keys(SS_PLAIN_REFUSE);
    send_all();
    drop_keys();
    rig_restart(&rig);
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    rig_send(&rig, rig_payment(&rig, some_user(), 100));
    rig_run_to_stop(&rig, "encryption.key_file is not set");
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes);
}

/* --- switching it on --- */

Test(sealed, states_from_before_are_sealed_as_they_change)
{
    send_all();
    take_keys(SS_PLAIN_ACCEPT);
    send_payments(&rig); /* of one user in each partition */
    rig_run(&rig);
    struct tally tally = stored_states();
    cr_assert_eq(tally.by_key[1], PARTITIONS);
    cr_assert_eq(tally.by_key[0], tally.states - PARTITIONS);
    send_payments(&rig);
    send_the_rest(&rig);
    rig_run(&rig);
    check_against_reference("switched on", 0);
}

Test(sealed, what_is_not_sealed_is_refused_where_that_is_wished)
{
    send_all();
    take_keys(SS_PLAIN_REFUSE);
    rig_send(&rig, rig_payment(&rig, some_user(), 100));
    rig_run_to_stop(&rig, "encryption.plain_states");
    drop_keys();
    take_keys(SS_PLAIN_ACCEPT);
    rig_run(&rig);
    rig_check(&rig);
}

/* Somebody who can write to Redis moves a state to another user. */
Test(sealed, a_state_of_somebody_else_is_not_believed)
{
    take_keys(SS_PLAIN_REFUSE);
    send_all();
    struct ss_bytes id = {some_user(), strlen(some_user())};
    struct ss_checkpoint now, next;
    bool found;
    uint8_t out[SS_SEALED_MAX];
    struct ss_user_state state = {.consents = {.scoring = true, .granted_at_ms = RIG_TIME}};
    struct ss_bytes moved = ss_stored_write(&keys, (struct ss_bytes){"other", 5}, &state, out);
    struct ss_put put = {id, {moved.data, moved.size}, SS_WAKE_NEVER};
    cr_assert_eq(rig.store->ops->checkpoint(rig.store, 0, &now, &found, NULL), SS_OK);
    next = now;
    next.offset++;
    cr_assert_eq(rig.store->ops->save(rig.store, 0, &now, &next, &put, 1, NULL), SS_OK);
    put.packed.size = 0;
    put.user_id = (struct ss_bytes){"nobody", 6};
    cr_assert_eq(rig.store->ops->save(rig.store, 0, &next, &now, &put, 1, NULL), SS_OK);
    rig_restart(&rig); /* its cache would still know better */
    cr_assert_gt((rig_send(&rig, rig_payment(&rig, some_user(), 100)), rig_run(&rig)), 0);
    rig_check(&rig);
}
