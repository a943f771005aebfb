/* sim_models.c - the live model changes while the workers run. */
#include "sim.h"

#include "scoring/model_plan.h"

enum { FROM_SEEDS = 6, THIS_SEED = 5, TICKS_MAX = 600 };

static uint32_t draw(struct sim_world *world, uint32_t bound)
{
    return sim_random_below(&world->epoch_random, bound);
}

/* Other thresholds, in another order, under weights that move everybody. */
static void vary(const struct ss_model *model, struct ss_model *other)
{
    *other = *model;
    memcpy(other->version, "other-0123456789abcdef", 23);
    other->weights[SS_FACTOR_HISTORY] = model->weights[SS_FACTOR_BEHAVIOUR];
    other->weights[SS_FACTOR_BEHAVIOUR] = model->weights[SS_FACTOR_HISTORY] + 10;
    other->aged_days = 2;
    for (int b = 0; b < model->benefit_count; b++) {
        other->benefits[b] = model->benefits[model->benefit_count - 1 - b];
        other->benefits[b].threshold -= 20;
    }
    ss_model_prepare(other);
}

void sim_models_init(struct sim_world *world)
{
    vary(world->model, world->other);
    for (int32_t i = 0; i < SIM_EPOCHS_MAX; i++)
        world->epochs[i] = (struct ss_models){.person = i % 2 ? world->other : world->model,
                                              .epoch = i,
                                              .person_since = i,
                                              .business_since = i,
                                              .before = i ? &world->epochs[i - 1] : NULL};
    world->epoch_count = 1;
    world->epoch_random.state = world->options.seed * 0x9e3779b97f4a7c15u + 1;
    if (world->options.seed % FROM_SEEDS != THIS_SEED)
        return;
    world->epochs_to_come = 1 + (int32_t)draw(world, SIM_EPOCHS_MAX - 1);
    world->to_epoch = 1 + (int)draw(world, TICKS_MAX);
}

void sim_models_tick(struct sim_world *world)
{
    if (world->epochs_to_come == 0 || (--world->to_epoch > 0 && !world->calm))
        return;
    world->epochs_to_come--;
    world->to_epoch = 1 + (int)draw(world, TICKS_MAX);
    sim_trace(world, "model of epoch %d is live", world->epoch_count++);
}

void sim_models_session(struct sim_session *session)
{
    struct sim_world *world = session->world;
    session->epoch_seen =
        world->epoch_count > 1 ? (int32_t)draw(world, (uint32_t)world->epoch_count) : 0;
}

const struct ss_models *sim_models_live(void *arg)
{
    struct sim_session *session = arg;
    struct sim_world *world = session->world;
    if (session->epoch_seen < world->epoch_count - 1 && (world->calm || draw(world, 1000) < 20))
        session->epoch_seen = world->epoch_count - 1;
    return &world->epochs[session->epoch_seen];
}

size_t sim_models_slice(struct sim_world *world)
{
    return 1 + draw(world, 8);
}

const struct ss_model *sim_model_of(const struct sim_world *world,
                                    const struct ss_user_state *state)
{
    int32_t epoch = state->published.epoch;
    return epoch >= 0 && epoch < SIM_EPOCHS_MAX ? world->epochs[epoch].person : world->model;
}
