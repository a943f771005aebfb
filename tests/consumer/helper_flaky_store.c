#include "helper_flaky_store.h"

#include <stdlib.h>

struct plan {
    int nth, times;
    enum ss_status status;
    bool late;
};

struct flaky_store {
    struct ss_store store;
    struct ss_store *inner;
    struct plan plans[FLAKY_OP_COUNT];
    int calls[FLAKY_OP_COUNT];
    bool finds_all;
};

static struct flaky_store *flaky_of(struct ss_store *store)
{
    return (struct flaky_store *)store;
}

static bool fails(struct flaky_store *flaky, enum flaky_op op)
{
    struct plan *plan = &flaky->plans[op];
    flaky->calls[op]++;
    if (plan->nth > 1)
        plan->nth--;
    else if (plan->times > 0)
        return plan->times-- > 0;
    return false;
}

static enum ss_status injected(const struct flaky_store *flaky, enum flaky_op op,
                               struct ss_error *err)
{
    static const char *const names[] = {"checkpoint", "load",  "save", "wipe",
                                        "wakes",      "rearm", "walk"};
    return ss_fail(err, flaky->plans[op].status, "injected failure of the store's %s", names[op]);
}

static enum ss_status flaky_checkpoint(struct ss_store *store, int32_t partition,
                                       struct ss_checkpoint *out, bool *found, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    if (fails(flaky, FLAKY_CHECKPOINT))
        return injected(flaky, FLAKY_CHECKPOINT, err);
    return flaky->inner->ops->checkpoint(flaky->inner, partition, out, found, err);
}

static enum ss_status flaky_load(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect,
                                 const struct ss_bytes *user_ids, size_t count, ss_store_sink *sink,
                                 void *arg, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    if (fails(flaky, FLAKY_LOAD))
        return injected(flaky, FLAKY_LOAD, err);
    return flaky->inner->ops->load(flaky->inner, partition, expect, user_ids, count, sink, arg,
                                   err);
}

static enum ss_status flaky_save(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect,
                                 const struct ss_checkpoint *next, const struct ss_put *puts,
                                 size_t count, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    bool failing = fails(flaky, FLAKY_SAVE);
    enum ss_status status = SS_OK;
    if (!failing || flaky->plans[FLAKY_SAVE].late)
        status = flaky->inner->ops->save(flaky->inner, partition, expect, next, puts, count, err);
    return failing ? injected(flaky, FLAKY_SAVE, err) : status;
}

static enum ss_status flaky_wipe(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *shown, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    if (fails(flaky, FLAKY_WIPE))
        return injected(flaky, FLAKY_WIPE, err);
    return flaky->inner->ops->wipe(flaky->inner, partition, shown, err);
}

static void on_nobody(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    (void)arg, (void)user_id, (void)packed;
}

/* Puts the earlier ones to sleep, looks, and wakes them again. */
static enum ss_status find_nth(struct flaky_store *flaky, int32_t partition,
                               const struct ss_checkpoint *expect, int64_t until_ms, uint32_t nth,
                               struct ss_wake_group *out, ss_store_scan_sink *sink, void *arg,
                               struct ss_error *err)
{
    struct ss_store *inner = flaky->inner;
    struct ss_wake_group before;
    enum ss_status status =
        inner->ops->wakes(inner, partition, expect, INT64_MIN, 0, &before, on_nobody, NULL, err);
    if (status != SS_OK || nth == 0 || !before.found)
        return inner->ops->wakes(inner, partition, expect, until_ms, 0, out, sink, arg, err);
    status = inner->ops->rearm(inner, partition, expect, before.group, SS_WAKE_NEVER, err);
    if (status == SS_OK)
        status = find_nth(flaky, partition, expect, until_ms, nth - 1, out, sink, arg, err);
    struct ss_error ignored;
    enum ss_status back =
        inner->ops->rearm(inner, partition, expect, before.group, before.wake_ms, &ignored);
    return status != SS_OK ? status : back;
}

static enum ss_status flaky_wakes(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect, int64_t until_ms,
                                  uint32_t nth, struct ss_wake_group *out, ss_store_scan_sink *sink,
                                  void *arg, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    if (fails(flaky, FLAKY_WAKES))
        return injected(flaky, FLAKY_WAKES, err);
    if (flaky->finds_all)
        return find_nth(flaky, partition, expect, until_ms, nth, out, sink, arg, err);
    return flaky->inner->ops->wakes(flaky->inner, partition, expect, until_ms, nth, out, sink, arg,
                                    err);
}

static enum ss_status flaky_rearm(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect, uint32_t group,
                                  int64_t wake_ms, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    bool failing = fails(flaky, FLAKY_REARM);
    enum ss_status status = SS_OK;
    if (!failing || flaky->plans[FLAKY_REARM].late)
        status = flaky->inner->ops->rearm(flaky->inner, partition, expect, group, wake_ms, err);
    return failing ? injected(flaky, FLAKY_REARM, err) : status;
}

static enum ss_status flaky_walk(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                                 uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                                 struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    if (fails(flaky, FLAKY_WALK))
        return injected(flaky, FLAKY_WALK, err);
    return flaky->inner->ops->walk(flaky->inner, partition, expect, from, next, groups, sink, arg,
                                   err);
}

static enum ss_status flaky_scan(struct ss_store *store, int32_t partition,
                                 ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct flaky_store *flaky = flaky_of(store);
    return flaky->inner->ops->scan(flaky->inner, partition, sink, arg, err);
}

static void flaky_close(struct ss_store *store)
{
    struct flaky_store *flaky = flaky_of(store);
    flaky->inner->ops->close(flaky->inner);
    free(flaky);
}

static const struct ss_store_ops flaky_ops = {
    .checkpoint = flaky_checkpoint,
    .load = flaky_load,
    .save = flaky_save,
    .wipe = flaky_wipe,
    .wakes = flaky_wakes,
    .rearm = flaky_rearm,
    .walk = flaky_walk,
    .scan = flaky_scan,
    .close = flaky_close,
};

struct flaky_store *flaky_store_new(struct ss_store *inner)
{
    struct flaky_store *flaky = calloc(1, sizeof *flaky);
    flaky->store.ops = &flaky_ops;
    flaky->inner = inner;
    return flaky;
}

struct ss_store *flaky_store_handle(struct flaky_store *flaky)
{
    return &flaky->store;
}

void flaky_store_fail(struct flaky_store *flaky, enum flaky_op op, int nth, int times,
                      enum ss_status status, bool late)
{
    flaky->plans[op] = (struct plan){nth, times, status, late};
}

void flaky_store_find_all(struct flaky_store *flaky)
{
    flaky->finds_all = true;
}

int flaky_store_calls(const struct flaky_store *flaky, enum flaky_op op)
{
    return flaky->calls[op];
}
