/* neighbours.c - friends in a transaction: their records, and what is told to other users' engines.
 *
 * 1. A friends record is read only for events that ss_event_reads_friends names, of users whose sum
 *    is open, and for a piece of a telling; fetch and sleepers have brought it into the cache.
 * 2. Messages are part of the transaction of what led to them (promise 1), whoever owns the
 *    partition that they go to.
 * 3. A telling is done in pieces, each in a transaction like any other: who has many friends holds
 *    up nobody. A withdrawal is not, so that nothing has to be kept to finish it (promise 7).
 */
#include "consumer/batch.h"
#include "consumer/partitioner.h"
#include "state/pack_friends.h"

#include <assert.h>
#include <stdlib.h>

enum { PIECE_MESSAGES = 100 };

static struct ss_bytes bytes_of(struct ss_text text)
{
    return (struct ss_bytes){text.data, text.size};
}

bool ss_neighbours_open(struct ss_neighbours *neighbours, size_t records_max)
{
    neighbours->list = calloc(1, sizeof *neighbours->list);
    neighbours->packed = malloc(SS_FRIENDS_PACKED_MAX);
    neighbours->sealed = malloc(SS_FRIENDS_PACKED_MAX + SS_SEAL_OVERHEAD_MAX);
    neighbours->keys = malloc(records_max * sizeof *neighbours->keys);
    return neighbours->list && neighbours->packed && neighbours->sealed && neighbours->keys;
}

void ss_neighbours_close(struct ss_neighbours *neighbours)
{
    free(neighbours->list);
    free(neighbours->packed);
    free(neighbours->sealed);
    free(neighbours->keys);
}

enum ss_status ss_neighbours_read(struct ss_worker *worker, struct ss_partition *partition,
                                  struct ss_bytes user_id, const struct ss_user_state *state,
                                  struct ss_error *err)
{
    struct ss_friends *list = worker->neighbours.list;
    uint8_t buffer[SS_FRIENDS_KEY_MAX];
    struct ss_bytes key = ss_friends_key(user_id, buffer), stored = {0}, packed;
    list->count = 0;
    if (!state->friends.open)
        return SS_OK;
    bool cached = ss_cache_get(partition->cache, key, &stored);
    assert(cached && "fetch has brought every friends record of the batch");
    enum ss_status status =
        ss_stored_open(worker->config.keys, key, stored, worker->neighbours.packed,
                       SS_FRIENDS_PACKED_MAX, &packed, err);
    if (status == SS_OK)
        status = ss_friends_unpack(packed, list, err);
    if (status == SS_OK && !ss_friends_agree(list, &state->friends))
        status = ss_fail(err, SS_GIVE_UP, "a friends record is not that of its user's state");
    if (status == SS_GIVE_UP) /* a record whose key we lack stays where it is */
        ss_transact_distrust(worker, partition);
    return status;
}

static enum ss_status put_list(struct ss_worker *worker, struct ss_partition *partition,
                               struct ss_bytes user_id, struct ss_error *err)
{
    uint8_t buffer[SS_FRIENDS_KEY_MAX];
    struct ss_bytes key = ss_friends_key(user_id, buffer);
    struct ss_bytes packed = {worker->neighbours.packed,
                              ss_friends_pack(worker->neighbours.list, worker->neighbours.packed)};
    if (packed.size > 0)
        packed = ss_stored_seal(worker->config.keys, key, packed, worker->neighbours.sealed);
    if (!ss_cache_put(partition->cache, key, packed, SS_WAKE_NEVER))
        return ss_fail(err, SS_STOP, "out of memory for friends");
    return SS_OK;
}

static enum ss_status send(struct ss_worker *worker, const struct ss_neighbour_message *message,
                           int64_t at_ms, const struct ss_context *context,
                           const struct ss_event *cause, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    struct ss_event event = {
        .input = SS_NEIGHBOURS,
        .user_id = message->to,
        .occurred_at_ms = at_ms,
        .neighbour = {.action = message->kind == SS_NEIGHBOUR_GONE ? SS_NEIGHBOUR_LEFT
                                : message->wants_reply             ? SS_NEIGHBOUR_ASKS
                                                                   : SS_NEIGHBOUR_TELLS,
                      .from = message->from,
                      .band = message->band,
                      .cause = {"", 0},
                      .cause_offset = -1,
                      .social_position = context->positions[SS_SOCIAL],
                      .consents_position = context->positions[SS_CONSENTS]},
    };
    if (cause) {
        const char *name = ss_input_name(cause->input);
        event.neighbour.cause = (struct ss_text){name, (uint32_t)strlen(name)};
        event.neighbour.cause_offset = context->offset;
    }
    struct ss_bytes key = bytes_of(message->to);
    worker->encoded.size = 0;
    enum ss_status status =
        ss_encode_event(worker->config.neighbours_schema_id, &event, &worker->encoded, err);
    if (status != SS_OK)
        return status;
    worker->delta.neighbour_records++;
    return bus->ops->produce(bus, SS_TO_NEIGHBOURS, ss_partition_of(key, bus->partition_count), key,
                             (struct ss_bytes){worker->encoded.data, worker->encoded.size}, NULL, 0,
                             false, err);
}

enum ss_status ss_neighbours_effects(struct ss_worker *worker, struct ss_partition *partition,
                                     const struct ss_event *event, const struct ss_context *context,
                                     const struct ss_effects *effects, struct ss_error *err)
{
    struct ss_friends *list = worker->neighbours.list;
    struct ss_friends_sum closing = {.open = true};
    struct ss_neighbour_message gone;
    enum ss_status status = SS_OK;
    if (effects->has_message)
        status = send(worker, &effects->message, effects->message_at_ms, context, event, err);
    bool erases = effects->friends_left && list->count > 0;
    while (status == SS_OK && effects->friends_left &&
           ss_friends_leave(list, &closing, event->user_id, &gone))
        status = send(worker, &gone, effects->message_at_ms, context, event, err);
    if (status == SS_OK && (effects->friends_changed || erases))
        status = put_list(worker, partition, bytes_of(event->user_id), err);
    return status;
}

enum ss_status ss_neighbours_tell(struct ss_worker *worker, struct ss_partition *partition,
                                  struct ss_bytes user_id, struct ss_user_state *state,
                                  const struct ss_context *context, struct ss_error *err)
{
    const struct ss_text self = {user_id.data, (uint32_t)user_id.size};
    struct ss_neighbour_message message;
    enum ss_status status = ss_neighbours_read(worker, partition, user_id, state, err);
    for (int i = 0; status == SS_OK && i < PIECE_MESSAGES; i++) {
        if (!ss_friends_tell(worker->neighbours.list, &state->friends, self, &message))
            return SS_OK;
        status = send(worker, &message, state->published.as_of_ms, context, NULL, err);
    }
    return status;
}
