/* A partition that is found to differ is invalidated in the store, and its owner brings it back, if
 * there is one. */
#include "audit/repair_state.h"
#include "helper_verify_state.h"

#include <criterion/criterion.h>

TestSuite(repair_state, .init = verify_open, .fini = verify_close);

static bool lives(void *arg)
{
    return (*(int *)arg)-- > 0;
}

static void owner_restores(struct meddler *self)
{
    if (self->checkpoints == 3)
        engine_save(self->engine);
}

Test(repair_state, an_owner_brings_an_invalidated_partition_back)
{
    struct ss_error err;
    int alive = 1000;
    bool back;
    struct ss_repair_wait wait = {
        .store = &meddler.store, .wait_ms = 5000, .live = lives, .arg = &alive};
    engine_commit_many(engine, 10);
    engine_save(engine);
    tamper(engine, "u1", "wrong");
    cr_assert_eq(verify(), 1);
    int64_t mark = result.mark_offset;
    cr_assert_eq(ss_repair_invalidate(&meddler.store, LOG_PARTITION, &err), SS_OK);
    cr_assert_eq(verify(), 11);
    engine->saved_any = false;
    meddler.checkpoints = 0;
    meddler.before_checkpoint = owner_restores;
    cr_assert_eq(ss_repair_await(&wait, LOG_PARTITION, mark, &back, &err), SS_OK);
    cr_assert(back);
    cr_assert_eq(verify(), 0);
}

Test(repair_state, without_an_owner_nobody_is_waited_for)
{
    struct ss_error err;
    int alive = 2;
    bool back = true;
    struct ss_repair_wait wait = {
        .store = &meddler.store, .wait_ms = 60000, .live = lives, .arg = &alive};
    engine_commit_many(engine, 10);
    engine_save(engine);
    cr_assert_eq(ss_repair_invalidate(&meddler.store, LOG_PARTITION, &err), SS_OK);
    cr_assert_eq(ss_repair_await(&wait, LOG_PARTITION, 10, &back, &err), SS_OK);
    cr_assert_not(back);
    cr_assert_eq(alive, -1);
}

Test(repair_state, an_owner_that_wipes_too_is_no_failure)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_save(engine);
    meddler.wipe_status = SS_GIVE_UP;
    cr_assert_eq(ss_repair_invalidate(&meddler.store, LOG_PARTITION, &err), SS_OK);
    meddler.wipe_status = SS_RETRY;
    cr_assert_eq(ss_repair_invalidate(&meddler.store, LOG_PARTITION, &err), SS_RETRY);
}

static void move_on_twice(struct meddler *self)
{
    if (self->wipes > 2)
        return;
    engine_commit(self->engine, "u2", "newer");
    engine_save(self->engine);
}

/* The owner commits between the look at its checkpoint and the wipe. */
Test(repair_state, an_owner_that_moves_on_is_looked_at_again)
{
    struct ss_error err;
    engine_commit_many(engine, 10);
    engine_save(engine);
    meddler.before_wipe = move_on_twice;
    cr_assert_eq(ss_repair_invalidate(&meddler.store, LOG_PARTITION, &err), SS_OK, "%s",
                 err.detail);
    cr_assert_eq(meddler.checkpoints, 3);
    cr_assert_eq(verify(), 11, "it was not taken away");
}
