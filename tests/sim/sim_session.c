/* sim_session.c - one life of a worker's process: a stack of its own to step on, so that it can be
 * left alone, frozen or killed in the middle of a step, and what may happen to each of its ops. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH(save, bottom, size)   __sanitizer_start_switch_fiber(save, bottom, size)
#define FINISH_SWITCH(saved, bottom, size) __sanitizer_finish_switch_fiber(saved, bottom, size)
#else
#define START_SWITCH(save, bottom, size)   ((void)(save), (void)(bottom), (void)(size))
#define FINISH_SWITCH(saved, bottom, size) ((void)(saved), (void)(bottom), (void)(size))
#endif

static struct sim_session *starting; /* handed to the first entry of a stack */

static int64_t world_now(void *arg)
{
    const struct sim_session *session = arg;
    return session->world->now_ms +
           (session->slot - 1) * SIM_SKEW_MS; /* clocks are never quite equal */
}

static void to_scheduler(struct sim_session *session, bool for_good)
{
    struct sim_world *world = session->world;
    (void)for_good; /* only the sanitizers want to know */
    START_SWITCH(for_good ? NULL : &session->fake_stack, world->scheduler_stack,
                 world->scheduler_stack_size);
    swapcontext(&session->context, &world->scheduler);
    FINISH_SWITCH(session->fake_stack, &world->scheduler_stack, &world->scheduler_stack_size);
}

static void open_worker(struct sim_session *session)
{
    struct sim_world *world = session->world;
    struct ss_error err;
    struct ss_worker_config config = {
        .index = session->number,
        .group = SIM_GROUP,
        .bus = &session->bus,
        .store = &session->store.store,
        .registry = world->registry,
        .ranks = session->ranks,
        .models = {.person = world->model},
        .live = sim_models_live,
        .live_arg = session,
        .keys = &world->keys,
        .clock = {world_now, session},
        .limits = {.batch_records_max = SIM_BATCH_MAX,
                   .cache_bytes_max = 6000,
                   .event_bytes_max = SIM_EVENT_BYTES_MAX,
                   .dead_letter_bytes_max = SIM_LETTER_BYTES_MAX,
                   .future_tolerance_ms = SIM_FUTURE_TOLERANCE_MS,
                   .delete_retention_ms = SIM_DELETE_RETENTION_MS,
                   .retry_ms = 100,
                   .wake_interval_ms = (int)sim_below(world, 200),
                   .heartbeat_ms = sim_chance(world, 500) ? SIM_DAY_MS / 4 : 0,
                   .ranks_interval_ms = sim_below(world, 3000),
                   .sweep_users_max = sim_models_slice(world),
                   .restore_save_records = 1 + sim_below(world, 30)},
        .stats = &session->stats,
        .stop = &session->stop,
    };
    memcpy(config.schema_ids, world->output_ids, sizeof config.schema_ids);
    config.neighbours_schema_id = world->input_ids[SS_NEIGHBOURS];
    sim_subscribers(config.subscribers);
    config.subscriber_count = SIM_SUBSCRIBERS;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        config.topics[i] = ss_input_name((enum ss_input)i);
    if (ss_worker_open(&config, &session->worker, &err) != SS_OK)
        abort();
}

static void step(struct sim_session *session)
{
    struct sim_world *world = session->world;
    struct ss_error err = {0};
    session->running_step = true;
    enum ss_status status = ss_worker_step(session->worker, &session->idle, &err);
    session->running_step = false;
    if (status == SS_OK || session->dead)
        return;
    sim_trace(world, "session %d: %s: %s", session->number, ss_status_name(status), err.detail);
    session->idle = false;
    session->paused_until_ms = world->now_ms + 100;
    if (status != SS_STOP)
        return;
    if (!session->fenced)
        sim_differ(world, "session %d had to stop: %s", session->number, err.detail);
    session->stopping = session->stopped = true;
}

static void leave(struct sim_session *session)
{
    struct ss_error err;
    session->running_step = true;
    if (ss_worker_leave(session->worker, &err) != SS_OK)
        sim_trace(session->world, "session %d: leaving: %s", session->number, err.detail);
    session->running_step = false;
}

static void live(void)
{
    struct sim_session *session = starting;
    FINISH_SWITCH(NULL, &session->world->scheduler_stack, &session->world->scheduler_stack_size);
    while (!session->dead && !session->stopping) {
        step(session);
        if (!session->dead && !session->stopping)
            to_scheduler(session, false);
    }
    if (!session->dead && !session->stopped)
        leave(session);
    ss_worker_close(session->worker);
    session->worker = NULL;
    ss_ranks_close(session->ranks);
    session->ranks = NULL;
    if (!session->dead)
        sim_bus_leave(session);
    sim_trace(session->world, "session %d ended", session->number);
    session->ended = true;
    to_scheduler(session, true);
}

struct sim_session *sim_session_start(struct sim_world *world, int slot)
{
    if (world->session_count == SIM_SESSIONS_MAX)
        return NULL;
    struct sim_session *session = sim_alloc(world->arena, sizeof *session);
    session->world = world;
    session->slot = slot;
    session->number = world->session_count;
    pthread_mutex_init(&session->stats.lock, NULL);
    sim_bus_init(session);
    sim_store_init(session);
    sim_ranks_init(session);
    sim_models_session(session);
    open_worker(session);
    void **stack = &world->stacks[session->number];
    if (!*stack && !(*stack = malloc(SIM_STACK_SIZE)))
        abort();
    session->stack = *stack;
    getcontext(&session->context);
    session->context.uc_stack.ss_sp = session->stack;
    session->context.uc_stack.ss_size = SIM_STACK_SIZE;
    makecontext(&session->context, live, 0);
    world->sessions[world->session_count++] = session;
    sim_trace(world, "session %d of slot %d starts", session->number, slot);
    return session;
}

void sim_session_resume(struct sim_session *session)
{
    struct sim_world *world = session->world;
    starting = session;
    START_SWITCH(&world->scheduler_fake_stack, session->stack, SIM_STACK_SIZE);
    swapcontext(&world->scheduler, &session->context);
    FINISH_SWITCH(world->scheduler_fake_stack, NULL, NULL);
}

void sim_session_end(struct sim_session *session)
{
    session->dead = true;
    while (!session->ended)
        sim_session_resume(session);
}

static void yield_point(struct sim_session *session)
{
    if (!session->dead)
        to_scheduler(session, false);
}

/* --- what happens to an op --- */

enum ss_status sim_dead(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "the process is gone");
}

bool sim_wait(struct sim_session *session)
{
    yield_point(session);
    return !session->dead;
}

static enum sim_fate fault(struct sim_session *session, const char *op)
{
    struct sim_world *world = session->world;
    world->to_op_fault = 20 + (int)sim_below(world, 260);
    world->faults++;
    uint32_t kind = sim_below(world, 100);
    if (kind < 22) {
        sim_trace(world, "session %d killed at %s", session->number, op);
        session->dead = true;
        return SIM_DEAD;
    }
    if (kind < 46) {
        int64_t ms = 50 + sim_below(world, sim_chance(world, 500) ? 8000 : 1500);
        sim_trace(world, "session %d frozen at %s for %lld ms", session->number, op, (long long)ms);
        session->frozen_until_ms = world->now_ms + ms;
        yield_point(session);
        return session->dead ? SIM_DEAD : SIM_GOES;
    }
    sim_trace(world, "session %d: %s fails%s", session->number, op, kind < 73 ? "" : " afterwards");
    return kind < 73 ? SIM_FAILS : SIM_FAILS_LATER;
}

enum sim_fate sim_point(struct sim_session *session, const char *op)
{
    struct sim_world *world = session->world;
    if (session->dead)
        return SIM_DEAD;
    world->ops++;
    sim_ranks_follow(session);
    if (world->calm)
        return SIM_GOES;
    if (sim_chance(world, 90)) {
        yield_point(session);
        if (session->dead)
            return SIM_DEAD;
    }
    if (--world->to_op_fault > 0)
        return SIM_GOES;
    return fault(session, op);
}
