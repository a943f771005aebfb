/* sim_keys.c - encryption of states in three seeds of eight: from the beginning, with a rotation on
 * the way, or switched on over states that are not sealed. All processes have their keys from one
 * file, so that what happens to it happens to all at once, those in the middle of a step included.
 */
#include "sim.h"

#include <stdlib.h>

enum story { NEVER, ALWAYS, ROTATED, SWITCHED_ON };
enum { STORIES = 8, FIRST = 5 }; /* seeds of which nothing else is known stay as they were */

static enum story story_of(const struct sim_world *world)
{
    uint64_t rest = world->options.seed % STORIES;
    return rest < FIRST ? NEVER : (enum story)(rest - FIRST + 1);
}

static struct ss_sealer *made[3][3];

static void close_all(void)
{
    for (int i = 0; i < 9; i++)
        ss_sealer_close(made[i / 3][i % 3]);
}

/* Keys 1 to `count`, of which `current` seals; made once, for the process. */
static const struct ss_sealer *sealer(uint32_t count, uint32_t current)
{
    static bool closes;
    static uint8_t bytes[2][SS_SEAL_KEY_SIZE] = {{1}, {2}};
    const struct ss_seal_key keys[2] = {{1, bytes[0]}, {2, bytes[1]}};
    struct ss_error err;
    closes = closes || atexit(close_all) == 0;
    if (!made[count][current] && ss_sealer_open(keys, count, current - 1, SS_PLAIN_ACCEPT,
                                                &made[count][current], &err) != SS_OK)
        abort();
    return made[count][current];
}

void sim_keys_init(struct sim_world *world)
{
    enum story story = story_of(world);
    if (story == ALWAYS || story == ROTATED)
        world->keys.sealer = sealer(1, 1);
    world->keys_change_at = 10 + (int)(world->options.seed / STORIES % 200);
}

void sim_keys_tick(struct sim_world *world)
{
    enum story story = story_of(world);
    if (world->txn_count != world->keys_change_at || (story != ROTATED && story != SWITCHED_ON))
        return;
    world->keys.sealer = story == ROTATED ? sealer(2, 2) : sealer(1, 1);
    sim_trace(world, "from now on key %u seals", ss_sealer_key_id(world->keys.sealer));
}

bool sim_keys_may(const struct sim_world *world, uint32_t key_id)
{
    static const uint32_t least[] = {[NEVER] = 0, [ALWAYS] = 1, [ROTATED] = 1, [SWITCHED_ON] = 0};
    static const uint32_t most[] = {[NEVER] = 0, [ALWAYS] = 1, [ROTATED] = 2, [SWITCHED_ON] = 1};
    enum story story = story_of(world);
    return key_id >= least[story] && key_id <= most[story];
}

struct ss_bytes sim_keys_write(uint32_t key_id, struct ss_bytes user_id,
                               const struct ss_user_state *state, uint8_t *out)
{
    const struct ss_keys keys = {.sealer = key_id ? sealer(2, key_id) : NULL};
    return ss_stored_write(&keys, user_id, state, out);
}

struct ss_bytes sim_keys_seal(uint32_t key_id, struct ss_bytes key, struct ss_bytes plain,
                              uint8_t *out)
{
    const struct ss_keys keys = {.sealer = key_id ? sealer(2, key_id) : NULL};
    return plain.size > 0 && key_id ? ss_stored_seal(&keys, key, plain, out) : plain;
}

bool sim_keys_read(struct ss_bytes user_id, struct ss_bytes stored, struct ss_user_state *state)
{
    struct ss_keys keys = {.sealer = sealer(2, 2)};
    struct ss_error err;
    return ss_stored_read(&keys, user_id, stored, state, &err) == SS_OK;
}
