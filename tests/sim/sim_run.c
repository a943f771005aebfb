/* sim_run.c - one seed: the scheduler, what befalls the world, and the end.
 *
 * First the faults, while upstream writes; then calm: everything mends itself, and what is not
 * caught up in time, or not as the oracle has it, is a difference. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALM_TICKS_MAX = 12000 };

static const char *const mutant_names[SIM_MUTANT_COUNT] = {
    [SIM_MUTANT_NONE] = "none",
    [SIM_RESTORE_TO_LAST_STABLE] = "restore-to-last-stable",
    [SIM_WATERMARK_BEFORE_OFFSETS] = "watermark-before-offsets",
    [SIM_UNSTABLE_OFFSETS] = "unstable-offsets",
    [SIM_OFFSETS_BEFORE_FLUSH] = "offsets-before-flush",
    [SIM_GENERATION_MINUS_ONE] = "generation-minus-one",
    [SIM_READ_UNCOMMITTED] = "read-uncommitted",
    [SIM_TOLD_OUTSIDE] = "told-outside",
    [SIM_CHECKPOINT_NOT_ATOMIC] = "checkpoint-not-atomic",
    [SIM_SAVE_WITHOUT_COMPARING] = "save-without-comparing",
    [SIM_LOAD_WITHOUT_CHECKPOINT] = "load-without-checkpoint",
    [SIM_WIPE_UNGUARDED] = "wipe-unguarded",
    [SIM_WIPE_WITHOUT_COMPARING] = "wipe-without-comparing",
    [SIM_UNKNOWN_COMMIT_IS_FINE] = "unknown-commit-is-fine",
    [SIM_REARM_WITHOUT_COMPARING] = "rearm-without-comparing",
    [SIM_RANKS_UNCOMMITTED] = "ranks-uncommitted",
    [SIM_RANKS_OUTSIDE] = "ranks-outside-the-transaction",
};

const char *sim_mutant_name(enum sim_mutant mutant)
{
    return mutant_names[mutant];
}

void sim_trace(const struct sim_world *world, const char *format, ...)
{
    va_list args;
    if (!world->options.verbose)
        return;
    printf("%9.3f ", (double)(world->now_ms - SIM_START_MS) / 1000);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void sim_differ(struct sim_world *world, const char *format, ...)
{
    va_list args;
    if (world->failed)
        return;
    world->failed = true;
    va_start(args, format);
    vsnprintf(world->difference, sizeof world->difference, format, args);
    va_end(args);
    sim_trace(world, "DIFFERENCE: %s", world->difference);
}

/* --- the registry's edge: the worker's look-ups come through here (link option --wrap) --- */

static const struct sim_world *registry_world;
enum ss_status __real_ss_registry_plan(struct ss_registry *registry, enum ss_input input,
                                       uint32_t id, const struct ss_plan **plan,
                                       struct ss_error *err);
enum ss_status __wrap_ss_registry_plan(struct ss_registry *registry, enum ss_input input,
                                       uint32_t id, const struct ss_plan **plan,
                                       struct ss_error *err);
enum ss_status __wrap_ss_registry_plan(struct ss_registry *registry, enum ss_input input,
                                       uint32_t id, const struct ss_plan **plan,
                                       struct ss_error *err)
{
    if (registry_world->now_ms < registry_world->registry_away_until_ms)
        return ss_fail(err, SS_RETRY, "the registry does not answer");
    return __real_ss_registry_plan(registry, input, id, plan, err);
}

/* --- the world --- */

struct sim_world *sim_world_new(const struct ss_model *model, struct ss_registry *registry)
{
    struct sim_world *world = calloc(1, sizeof *world);
    struct ss_error err;
    if (!world)
        abort();
    world->arena = sim_arena_new();
    world->model = model;
    world->other = malloc(sizeof *world->other);
    if (!world->other)
        abort();
    world->registry = registry;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (ss_registry_find(registry, "", ss_schema_of_input((enum ss_input)i),
                             &world->input_ids[i], &err) != SS_OK)
            abort();
    for (int i = 0; i < SS_DEAD_LETTERS; i++)
        if (ss_registry_find(registry, "", ss_schema_of_output((enum ss_output)i),
                             &world->output_ids[i], &err) != SS_OK)
            abort();
    return world;
}

static void free_logs(struct sim_world *world)
{
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++) {
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            sim_log_free(&world->inputs[i][p]);
        for (int i = 0; i < SIM_TARGETS; i++)
            sim_log_free(&world->targets[i][p]);
    }
}

void sim_world_free(struct sim_world *world)
{
    free_logs(world);
    for (int i = 0; i < SIM_SESSIONS_MAX; i++)
        free(world->stacks[i]);
    sim_arena_free(world->arena);
    free(world->other);
    free(world);
}

static void reset(struct sim_world *world, const struct sim_options *options)
{
    const struct sim_world kept = *world;
    free_logs(world);
    sim_arena_reset(world->arena);
    memset(world, 0, sizeof *world);
    world->arena = kept.arena;
    world->model = kept.model;
    world->other = kept.other;
    world->registry = kept.registry;
    memcpy(world->stacks, kept.stacks, sizeof world->stacks);
    memcpy(world->input_ids, kept.input_ids, sizeof world->input_ids);
    memcpy(world->output_ids, kept.output_ids, sizeof world->output_ids);
    world->options = *options;
    world->random.state = options->seed * 0x2545f4914f6cdd1du + 88172645463325252u;
    world->now_ms = SIM_START_MS;
    world->partition_count = 1 + (int32_t)sim_below(world, SIM_PARTITIONS_MAX);
    world->slot_count = sim_chance(world, 150) ? 1 : 2 + (int)sim_below(world, SIM_SLOTS_MAX - 1);
    world->static_members = sim_chance(world, 600);
    world->slow_input = (int)sim_below(world, SS_CONSENTS + 1);
    world->to_op_fault = 50 + (int)sim_below(world, 300);
    world->to_world_fault = 20 + (int)sim_below(world, 60);
    memset(world->group.committed, 0xff, sizeof world->group.committed);
    registry_world = world;
    sim_keys_init(world);
    sim_models_init(world);
    sim_upstream_init(world);
    sim_trace(world, "seed %llu: %d partitions, %d workers%s, %d users",
              (unsigned long long)options->seed, world->partition_count, world->slot_count,
              world->static_members ? " (static)" : "", world->user_count);
}

/* --- what befalls it --- */

static void replace_or_stop(struct sim_world *world, int slot)
{
    struct sim_session *session = world->slots[slot];
    uint32_t kind = sim_below(world, 4);
    if (!session)
        return;
    if (kind == 0 && world->static_members) {
        /* The platform takes it for dead and starts another; the old one wakes up later. */
        session->frozen_until_ms = world->now_ms + sim_below(world, 8000);
        sim_trace(world, "session %d frozen and replaced", session->number);
        world->slots[slot] = NULL;
        world->slot_back_ms[slot] = world->now_ms + sim_below(world, 1500);
    } else if (kind <= 1) {
        sim_trace(world, "session %d killed", session->number);
        sim_session_end(session);
    } else if (kind == 2) {
        sim_trace(world, "session %d is to stop", session->number);
        session->stopping = true;
    } else {
        session->frozen_until_ms = world->now_ms + sim_below(world, 8000);
        sim_trace(world, "session %d frozen", session->number);
    }
}

static void compact_some(struct sim_world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++)
        if (sim_chance(world, 600))
            sim_compact(world, p);
}

static bool between_steps(const struct sim_world *world)
{
    for (int i = 0; i < world->session_count; i++)
        if (world->sessions[i]->running_step)
            return false;
    return true;
}

/* Hours pass in which upstream goes on and the workers hear nothing, but not in the middle of
 * anybody's step. */
static void let_time_pass(struct sim_world *world)
{
    for (int i = 0; i < world->session_count; i++)
        if (world->sessions[i]->running_step && world->now_ms < world->sessions[i]->frozen_until_ms)
            world->time_waits = world->long_time = false; /* it would wait too long */
    if (!world->time_waits || !between_steps(world))
        return;
    if (world->long_time)
        compact_some(world);
    world->now_ms += (int64_t)sim_below(world, world->long_time ? 15 * 86400 : 86400) * 1000;
    if (world->long_time)
        compact_some(world);
    world->time_waits = world->long_time = false;
    sim_upstream_pass(world);
    if (sim_chance(world, 300))
        world->slow_input = (int)sim_below(world, SS_CONSENTS + 1);
}

static void world_fault(struct sim_world *world)
{
    world->to_world_fault = 5 + (int)sim_below(world, 70);
    world->faults++;
    switch (sim_below(world, 11)) {
    case 0:
    case 1:
    case 2:
        sim_redis_fault(world);
        break;
    case 3:
        sim_group_rebalance(world);
        break;
    case 4:
        world->registry_away_until_ms = world->now_ms + sim_below(world, 2000);
        break;
    case 5:
        sim_compact(world, (int32_t)sim_below(world, (uint32_t)world->partition_count));
        break;
    case 6:
        sim_move_input_starts(world);
        break;
    case 7:
        world->time_waits = world->long_time = true;
        break;
    case 8:
        sim_group_late_request(world, (int)sim_below(world, (uint32_t)world->slot_count));
        break;
    default:
        replace_or_stop(world, (int)sim_below(world, (uint32_t)world->slot_count));
        break;
    }
}

/* --- the scheduler --- */

static void keep_slots(struct sim_world *world)
{
    for (int slot = 0; slot < world->slot_count; slot++) {
        struct sim_session *session = world->slots[slot];
        if (session && session->ended) {
            world->slots[slot] = NULL;
            world->slot_back_ms[slot] =
                world->now_ms +
                sim_below(world, world->calm || sim_chance(world, 700) ? 400 : 6000);
        }
        if (!world->slots[slot] && world->now_ms >= world->slot_back_ms[slot])
            world->slots[slot] = sim_session_start(world, slot);
    }
}

static bool runnable(const struct sim_world *world, const struct sim_session *session)
{
    return !session->ended && world->now_ms >= session->frozen_until_ms &&
           (session->running_step ||
            (!world->time_waits && world->now_ms >= session->paused_until_ms));
}

/* Whether nobody has anything to do but wait. */
static bool run_one(struct sim_world *world)
{
    struct sim_session *candidates[SIM_SESSIONS_MAX];
    uint32_t count = 0;
    for (int i = 0; i < world->session_count; i++)
        if (runnable(world, world->sessions[i]))
            candidates[count++] = world->sessions[i];
    if (count == 0)
        return true;
    struct sim_session *session = candidates[sim_below(world, count)];
    sim_session_resume(session);
    if (session->dead && !session->ended)
        sim_session_end(session);
    return !session->running_step && session->idle;
}

static bool tick(struct sim_world *world)
{
    world->now_ms += sim_below(world, !world->calm && sim_chance(world, 20) ? 1200 : 12);
    world->time_waits = !world->calm && (world->time_waits || sim_chance(world, 40));
    let_time_pass(world);
    keep_slots(world);
    sim_group_tick(world);
    sim_broker_tick(world);
    sim_redis_tick(world);
    sim_upstream_tick(world);
    sim_models_tick(world);
    if (!world->calm && --world->to_world_fault <= 0)
        world_fault(world);
    return run_one(world);
}

static void become_calm(struct sim_world *world)
{
    world->calm = true;
    world->redis.away_until_ms = world->registry_away_until_ms = 0;
    sim_trace(world, "calm");
}

static void end_all(struct sim_world *world)
{
    for (int i = 0; i < world->session_count; i++)
        if (!world->sessions[i]->ended)
            sim_session_end(world->sessions[i]);
}

static bool all_ready(const struct sim_world *world)
{
    int32_t ready = 0;
    for (int slot = 0; slot < world->slot_count; slot++)
        if (world->slots[slot])
            ready += world->slots[slot]->stats.ready;
    return ready == world->partition_count;
}

/* Runs the calm world until all is read, and everybody has their partitions. */
static bool settle(struct sim_world *world, char why[160])
{
    int idle = 0;
    for (int i = 0; !world->failed && i < CALM_TICKS_MAX; i++) {
        idle = tick(world) ? idle + 1 : 0;
        if (idle > 8) { /* only time can help: timeouts */
            world->now_ms += 700;
            idle = 4;
        }
        if (i % 16 == 0 && all_ready(world) && sim_caught_up(world, why))
            return true;
    }
    return false;
}

/* Promise 2: with the store up to date a restart reads one mark of each partition, and no state.
 * Nor does it miss what retention has taken meanwhile. */
static void check_restart(struct sim_world *world)
{
    char why[160] = "not all are ready";
    int first = world->session_count;
    for (int32_t p = 0; p < world->partition_count; p++)
        if (world->redis.live[p].found &&
            world->now_ms - world->redis.live[p].checkpoint.broker_time_ms >
                SIM_DELETE_RETENTION_MS / 3)
            return; /* may be rebuilt */
    sim_trace(world, "all over again");
    end_all(world);
    if (!settle(world, why))
        sim_differ(world, "not up again after a restart: %s", why);
    for (int i = first; i < world->session_count; i++)
        if (world->sessions[i]->stats.restored_records > world->sessions[i]->restores)
            sim_differ(world,
                       "a restart with the store up to date has read %lld records in %lld "
                       "restores",
                       (long long)world->sessions[i]->stats.restored_records,
                       (long long)world->sessions[i]->restores);
}

void sim_world_run(struct sim_world *world, const struct sim_options *options)
{
    reset(world, options);
    int chaos_ticks = options->length / 2 + (int)sim_below(world, (uint32_t)options->length + 1);
    for (int i = 0; !world->failed && (i < chaos_ticks || !sim_upstream_done(world)); i++)
        tick(world);
    char why[160] = "not all are ready";
    become_calm(world);
    if (!settle(world, why))
        sim_differ(world, "not caught up long after the faults: %s", why);
    /* Days in which nothing happens: whoever was forgotten on the way is not woken. */
    world->now_ms += (1 + (int64_t)sim_below(world, 4 * 24)) * 3600000;
    world->quiet = true;
    if (!world->failed && !settle(world, why))
        sim_differ(world, "not caught up when nothing but time has passed: %s", why);
    if (!world->failed)
        sim_judge(world);
    sim_cut_inputs(world);
    if (!world->failed)
        check_restart(world);
    end_all(world);
    for (int i = 0; i < world->session_count; i++)
        pthread_mutex_destroy(&world->sessions[i]->stats.lock);
}
