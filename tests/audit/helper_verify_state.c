#include "helper_verify_state.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void call(struct meddler *self, void (*hook)(struct meddler *self), int *count)
{
    ++*count;
    if (hook)
        hook(self);
}

static enum ss_status checkpoint(struct ss_store *store, int32_t partition,
                                 struct ss_checkpoint *out, bool *found, struct ss_error *err)
{
    struct meddler *self = (struct meddler *)store;
    call(self, self->before_checkpoint, &self->checkpoints);
    store = self->engine->store;
    return store->ops->checkpoint(store, partition, out, found, err);
}

static enum ss_status load(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *expect, const struct ss_bytes *user_ids,
                           size_t count, ss_store_sink *sink, void *arg, struct ss_error *err)
{
    struct meddler *self = (struct meddler *)store;
    call(self, self->before_load, &self->loads);
    store = self->engine->store;
    return store->ops->load(store, partition, expect, user_ids, count, sink, arg, err);
}

static enum ss_status scan(struct ss_store *store, int32_t partition, ss_store_scan_sink *sink,
                           void *arg, struct ss_error *err)
{
    struct meddler *self = (struct meddler *)store;
    call(self, self->before_scan, &self->scans);
    store = self->engine->store;
    enum ss_status status = store->ops->scan(store, partition, sink, arg, err);
    if (self->after_scan)
        self->after_scan(self, sink, arg);
    return status;
}

static enum ss_status wipe(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *shown, struct ss_error *err)
{
    struct meddler *self = (struct meddler *)store;
    call(self, self->before_wipe, &self->wipes);
    if (self->wipe_status != SS_OK)
        return ss_fail(err, self->wipe_status, "told to");
    store = self->engine->store;
    return store->ops->wipe(store, partition, shown, err);
}

static const struct ss_store_ops meddler_ops = {
    .checkpoint = checkpoint, .load = load, .scan = scan, .wipe = wipe};

struct engine *engine;
struct meddler meddler;
struct ss_verify_result result;
struct ss_verify_difference last;
char last_user[64];
int reported;

void verify_open(void)
{
    engine = engine_open();
    meddler = (struct meddler){.store = {&meddler_ops}, .engine = engine};
    reported = 0;
}

void verify_close(void)
{
    engine_close(engine);
}

static void on_difference(void *arg, const struct ss_verify_difference *difference)
{
    (void)arg;
    last = *difference;
    snprintf(last_user, sizeof last_user, "%.*s", (int)difference->user_id.size,
             (const char *)difference->user_id.data);
    reported++;
}

enum ss_status try_verify(size_t memory, int settle_ms, struct ss_error *err)
{
    struct ss_verify_options options = {.store = &meddler.store,
                                        .log = &engine->log,
                                        .memory_bytes_max = memory,
                                        .settle_ms = settle_ms,
                                        .difference = on_difference};
    reported = 0;
    return ss_verify_partition(&options, LOG_PARTITION, &result, err);
}

int64_t verify(void)
{
    struct ss_error err;
    cr_assert_eq(try_verify(VERIFY_MEMORY, 0, &err), SS_OK, "%s", err.detail);
    return ss_verify_differences(&result);
}
