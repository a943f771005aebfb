/* Redis against the changelog, on a log and a store in memory, with an engine that moves on at the
 * worst moments. */
#include "helper_verify_state.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(verify_state, .init = verify_open, .fini = verify_close);

Test(verify_state, equal_copies_have_no_difference)
{
    cr_assert_eq(verify(), 0);
    cr_assert_eq(result.checkpoint, SS_VERIFY_NONE_NEEDED);
    engine_commit_many(engine, 100);
    engine_commit(engine, "u3", "newer");
    engine_commit(engine, "u4", NULL);
    engine_save(engine);
    cr_assert_eq(verify(), 0);
    cr_assert_eq(result.checkpoint, SS_VERIFY_USABLE);
    cr_assert_eq(result.states, 99);
    cr_assert_eq(result.equal, 99);
    cr_assert_eq(result.mark_offset, engine->saved.offset);
    cr_assert_eq(meddler.loads, 0);
}

Test(verify_state, what_the_store_has_not_taken_yet_is_no_difference)
{
    engine_commit_many(engine, 10);
    engine_save(engine);
    engine_commit(engine, "u3", "newer");
    engine_commit(engine, "new", "new");
    cr_assert_eq(verify(), 0);
    cr_assert_eq(result.states, 10);
}

Test(verify_state, each_kind_is_found_with_its_coordinates)
{
    engine_commit_many(engine, 10);
    engine_commit(engine, "gone", "gone");
    engine_commit(engine, "gone", NULL);
    engine_save(engine);

    tamper(engine, "u3", "s4");
    cr_assert_eq(verify(), 1);
    cr_assert_eq(result.differing, 1);
    cr_assert_eq(last.kind, SS_VERIFY_DIFFERING);
    cr_assert_eq(last.offset, 3);
    cr_assert_eq(last.mark_offset, engine->saved.offset);
    cr_assert_str_eq(last_user, "u3");

    tamper(engine, "u5", NULL);
    cr_assert_eq(verify(), 2);
    cr_assert_eq(result.missing, 1);

    tamper(engine, "ghost", "s1");
    tamper(engine, "gone", "gone");
    cr_assert_eq(verify(), 4);
    cr_assert_eq(result.extra, 2);
    cr_assert_eq(result.states, 12);
    cr_assert_eq(result.equal, 8);
    cr_assert_eq(reported, 4);
}

static void move_on(struct meddler *self)
{
    char user[16], state[32];
    int number = self->scans + self->loads;
    snprintf(user, sizeof user, "u%d", number % 10);
    snprintf(state, sizeof state, "at %d", number);
    engine_commit(self->engine, user, state);
    engine_commit(self->engine, "u9", number % 2 ? NULL : state);
    snprintf(user, sizeof user, "new%d", number);
    engine_commit(self->engine, user, state);
    engine_save(self->engine);
}

static void move_on_five_times(struct meddler *self)
{
    if (self->loads < 5)
        move_on(self);
}

Test(verify_state, an_engine_that_moves_on_makes_no_difference)
{
    engine_commit_many(engine, 20);
    engine_save(engine);
    meddler.before_scan = move_on;
    cr_assert_eq(verify(), 0);
    cr_assert_geq(result.rechecked, 3);
    cr_assert_eq(result.undecided, 0);
    meddler.before_load = move_on_five_times;
    meddler.loads = 0;
    cr_assert_eq(verify(), 0);
    cr_assert_geq(meddler.loads, 5);
    tamper(engine, "u17", "wrong"); /* and yet what is wrong is found */
    meddler.loads = 0;
    cr_assert_eq(verify(), 1);
    cr_assert_str_eq(last_user, "u17");
}

Test(verify_state, a_checkpoint_that_never_holds_still_is_no_verdict)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_save(engine);
    meddler.before_scan = meddler.before_load = move_on;
    cr_assert_eq(try_verify(VERIFY_MEMORY, 0, &err), SS_RETRY);
}

static void wipe_and_restore(struct meddler *self)
{
    struct ss_error err;
    struct ss_store *store = self->engine->store;
    struct ss_checkpoint shown;
    bool found;
    if (self->loads > 1 && self->scans > 1)
        return;
    cr_assert_eq(store->ops->checkpoint(store, LOG_PARTITION, &shown, &found, &err), SS_OK);
    cr_assert_eq(store->ops->wipe(store, LOG_PARTITION, &shown, &err), SS_OK);
    self->engine->saved_any = false;
    if (self->scans > 1)
        engine_save(self->engine);
}

static void restore(struct meddler *self)
{
    if (!self->engine->saved_any && self->engine->record_count > 0 && self->scans > 0 &&
        self->checkpoints > 3)
        engine_save(self->engine);
}

Test(verify_state, a_store_that_is_wiped_meanwhile_is_compared_again)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_save(engine);
    meddler.before_scan = wipe_and_restore;
    meddler.before_checkpoint = restore;
    cr_assert_eq(try_verify(VERIFY_MEMORY, 5000, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_verify_differences(&result), 0);
    cr_assert_eq(result.states, 10);
    cr_assert_geq(meddler.scans, 2);
}

Test(verify_state, a_commit_that_is_not_visible_yet_is_waited_for)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_save(engine);
    engine->hidden = 4;
    cr_assert_eq(try_verify(VERIFY_MEMORY, 5000, &err), SS_OK);
    cr_assert_eq(ss_verify_differences(&result), 0);
    cr_assert_eq(engine->reads, 2);
}

static void catch_up(struct meddler *self)
{
    if (self->loads == 1 && self->engine->saved.offset < self->engine->next_offset - 2)
        engine_save(self->engine);
}

Test(verify_state, what_compaction_took_is_undecided_until_the_store_moves_on)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_commit(engine, "u9", "older");
    engine_save(engine);
    engine_commit(engine, "u9", "newest");
    engine_compact(engine, 1000);
    cr_assert_eq(verify(), 0);
    cr_assert_eq(result.undecided, 1);
    cr_assert_eq(result.equal, 9);
    tamper(engine, "u8", "wrong");
    cr_assert_eq(verify(), 1);
    meddler.loads = 0;
    meddler.before_checkpoint = catch_up;
    cr_assert_eq(try_verify(VERIFY_MEMORY, 5000, &err), SS_OK);
    cr_assert_eq(ss_verify_differences(&result), 1);
    cr_assert_eq(result.undecided, 0);
    cr_assert_eq(result.equal, 9);
}

static void twice(struct meddler *self, ss_store_scan_sink *sink, void *arg)
{
    (void)self;
    sink(arg, text_bytes("u1"), text_bytes("s1"));
    sink(arg, text_bytes("nobody"), text_bytes("s1"));
    sink(arg, text_bytes(""), text_bytes("s1"));
}

static void twice_at_first(struct meddler *self, ss_store_scan_sink *sink, void *arg)
{
    if (self->scans == 1)
        twice(self, sink, arg);
}

Test(verify_state, states_where_no_reader_looks_are_extra)
{
    engine_commit_many(engine, 10);
    engine_save(engine);
    meddler.after_scan = twice;
    cr_assert_eq(verify(), 3);
    cr_assert_eq(result.extra, 3);
    cr_assert_eq(result.states, 12);
    cr_assert_eq(result.equal, 9);
    meddler.scans = 0;
    meddler.after_scan = twice_at_first; /* seen in the middle of a restore */
    cr_assert_eq(verify(), 0);
}

Test(verify_state, little_memory_means_more_passes_with_the_same_result)
{
    struct ss_error err;
    engine_commit_many(engine, 5000);
    engine_save(engine);
    tamper(engine, "u17", "wrong");
    tamper(engine, "u4321", NULL);
    tamper(engine, "ghost", "s1");
    cr_assert_eq(verify(), 3);
    cr_assert_eq(result.passes, 1);
    cr_assert_eq(try_verify(64 << 10, 0, &err), SS_OK);
    cr_assert_gt(result.passes, 5);
    cr_assert_eq(result.states, 5001);
    cr_assert_eq(result.equal, 4998);
    cr_assert_eq(result.differing, 1);
    cr_assert_eq(result.missing, 1);
    cr_assert_eq(result.extra, 1);
    cr_assert_eq(reported, 3);
    cr_assert_eq(try_verify(1, 0, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(result.states, 5001);
}

static enum ss_verify_checkpoint judged(const struct ss_checkpoint *checkpoint)
{
    set_checkpoint(engine, checkpoint);
    cr_assert_eq(verify(), 11); /* ten missing states, and the checkpoint */
    cr_assert_eq(result.missing, 10);
    cr_assert_eq(reported, 0);
    cr_assert_eq(result.mark_offset, 12); /* the newest, to which it must come back */
    return result.checkpoint;
}

Test(verify_state, each_unusable_checkpoint_has_its_name)
{
    struct ss_error err;
    engine_commit_many(engine, 10);    /* offsets 0 to 9, mark 10, marker 11 */
    engine_commit(engine, "u1", "s1"); /* 12, mark 13, marker 14 */
    engine->records[11].offset = 11;   /* as if there was no marker */
    engine->records[12].offset = 12;
    engine->next_offset = 13;
    cr_assert_eq(verify(), 11);
    cr_assert_eq(result.checkpoint, SS_VERIFY_MISSING);
    engine_save(engine);
    cr_assert_eq(verify(), 0);

    const struct ss_checkpoint good = engine->saved;
    struct ss_checkpoint bad = good;
    strcpy(bad.cluster_id, "another");
    cr_assert_eq(judged(&bad), SS_VERIFY_OTHER_CLUSTER);
    bad = good;
    bad.partition_count++;
    cr_assert_eq(judged(&bad), SS_VERIFY_OTHER_PARTITION_COUNT);
    bad = good;
    bad.incarnation[3]++;
    cr_assert_eq(judged(&bad), SS_VERIFY_OTHER_INCARNATION);
    bad = good;
    bad.offset = 500; /* the log is not that long */
    cr_assert_eq(judged(&bad), SS_VERIFY_UNKNOWN_MARK);
    set_checkpoint(engine, &good);
    cr_assert_eq(verify(), 0);

    /* the mark itself may be compacted away: the next one tells whose log it is */
    engine_commit(engine, "later", "later");
    engine_compact(engine, 13);
    cr_assert_eq(verify(), 0);
    cr_assert_eq(try_verify(VERIFY_MEMORY, 0, &err), SS_OK);
    cr_assert_eq(result.states, 10);
}

Test(verify_state, a_restore_under_way_is_compared_where_it_stands)
{
    engine_commit_many(engine, 10);       /* offsets 0 to 9, mark 10, marker 11 */
    engine_commit(engine, "u1", "newer"); /* 12, mark 13, marker 14 */
    engine_save(engine);
    struct ss_checkpoint between = engine->saved;
    between.offset = 12;
    set_checkpoint(engine, &between);
    cr_assert_eq(verify(), 0);
    memset(between.incarnation, 0, sizeof between.incarnation); /* it has met no mark yet */
    set_checkpoint(engine, &between);
    cr_assert_eq(verify(), 0);
    tamper(engine, "u1", "wrong");
    cr_assert_eq(verify(), 1);
    cr_assert_str_eq(last_user, "u1");
}
/* --- keys --- */

static struct ss_verify_key key_of(uint32_t id)
{
    for (size_t i = 0; i < result.keys.count; i++)
        if (result.keys.list[i].id == id)
            return result.keys.list[i];
    return (struct ss_verify_key){.id = id};
}

static void expect_key(uint32_t id, int64_t states, int64_t records)
{
    struct ss_verify_key key = key_of(id);
    cr_assert(key.states == states && key.records == records,
              "key %u: %lld states, %lld records, not %lld and %lld", id, (long long)key.states,
              (long long)key.records, (long long)states, (long long)records);
}

Test(verify_state, what_each_key_seals_is_counted_once)
{
    engine_commit_many(engine, 3000); /* plain */
    engine_commit(engine, "u1", "\xe5\x01 sealed");
    engine_commit(engine, "u2", "\xe5\x01 sealed");
    engine_commit(engine, "u2", "\xe5\x02 sealed anew");
    engine_commit(engine, "u3", "\xe5\x01 sealed, then erased");
    engine_commit(engine, "u3", NULL);
    engine_save(engine);
    static const size_t memories[] = {VERIFY_MEMORY, 20000};
    for (int i = 0; i < 2; i++) {
        struct ss_error err;
        cr_assert_eq(try_verify(memories[i], 0, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(ss_verify_differences(&result), 0);
        cr_assert((result.passes > 1) == (i > 0));
        expect_key(0, 2997, 3000);
        expect_key(1, 1, 3);
        expect_key(2, 1, 1);
    }
}

Test(verify_state, more_keys_than_there_can_be_are_counted_together)
{
    static struct ss_verify_keys keys;
    for (int twice = 0; twice < 2; twice++)
        for (uint32_t id = 0; id < SS_VERIFY_KEYS_MAX + 5; id++)
            ss_verify_count_key(&keys, id, 1, 2);
    cr_assert_eq(keys.count, SS_VERIFY_KEYS_MAX + 1);
    cr_assert_eq(keys.list[SS_VERIFY_KEYS_MAX].id, SS_VERIFY_OTHER_KEYS);
    cr_assert_eq(keys.list[SS_VERIFY_KEYS_MAX].states, 10);
    cr_assert_eq(keys.list[0].records, 4);
}
