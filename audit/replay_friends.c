#include "audit/replay_friends.h"

#include "state/pack_friends.h"

#include <stdlib.h>

struct record {
    size_t size;
    uint8_t bytes[];
};

struct letter { /* in front of both ids */
    int64_t at_ms;
    uint8_t to_size, from_size, kind, band;
    bool wants_reply;
};

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for friends");
}

enum ss_status ss_replay_friends_open(struct ss_replay_friends **out, struct ss_error *err)
{
    struct ss_replay_friends *friends = calloc(1, sizeof *friends);
    *out = friends;
    if (!friends)
        return no_memory(err);
    ss_buffer_init(&friends->queue, SIZE_MAX / 2);
    friends->records = ss_user_table_open(0);
    return friends->records ? SS_OK : no_memory(err);
}

static struct record *record_of(const struct ss_user *user)
{
    return user ? (struct record *)(intptr_t)user->note : NULL;
}

void ss_replay_friends_close(struct ss_replay_friends *friends)
{
    struct ss_user *user;
    if (!friends)
        return;
    for (size_t at = 0; friends->records && (user = ss_user_table_next(friends->records, &at));)
        free(record_of(user));
    ss_user_table_close(friends->records);
    ss_buffer_reset(&friends->queue);
    free(friends);
}

enum ss_status ss_replay_friends_read(struct ss_replay_friends *friends, struct ss_text user_id,
                                      struct ss_error *err)
{
    const struct record *record =
        record_of(ss_user_table_find(friends->records, ss_user_hash(user_id), user_id));
    const struct ss_bytes packed =
        record ? (struct ss_bytes){record->bytes, record->size} : (struct ss_bytes){NULL, 0};
    friends->list.count = 0;
    return packed.size > 0 ? ss_friends_unpack(packed, &friends->list, err) : SS_OK;
}

static enum ss_status keep(struct ss_replay_friends *friends, struct ss_text user_id,
                           struct ss_bytes packed, struct ss_error *err)
{
    const uint64_t hash = ss_user_hash(user_id);
    struct ss_user *user = ss_user_table_find(friends->records, hash, user_id);
    if (!user && packed.size > 0 && !(user = ss_user_table_add(friends->records, hash, user_id)))
        return no_memory(err);
    struct record *record = record_of(user);
    if (packed.size == 0) {
        free(record);
        if (user)
            user->note = 0;
        return SS_OK;
    }
    if (!(record = realloc(record, sizeof *record + packed.size)))
        return no_memory(err);
    record->size = packed.size;
    memcpy(record->bytes, packed.data, packed.size);
    user->note = (int64_t)(intptr_t)record;
    return SS_OK;
}

enum ss_status ss_replay_friends_write(struct ss_replay_friends *friends, struct ss_text user_id,
                                       struct ss_error *err)
{
    uint8_t bytes[SS_FRIENDS_PACKED_MAX];
    const struct ss_bytes packed = {bytes, ss_friends_pack(&friends->list, bytes)};
    return keep(friends, user_id, packed, err);
}

enum ss_status ss_replay_friends_put(struct ss_replay_friends *friends, struct ss_text user_id,
                                     struct ss_bytes packed, struct ss_error *err)
{
    enum ss_status status = ss_friends_unpack(packed, &friends->list, err);
    return status == SS_OK ? keep(friends, user_id, packed, err) : status;
}

const struct ss_user *ss_replay_friends_next(const struct ss_replay_friends *friends, size_t *at,
                                             struct ss_bytes *packed)
{
    const struct ss_user *user;
    while ((user = ss_user_table_next(friends->records, at))) {
        const struct record *record = record_of(user);
        if (!record)
            continue;
        *packed = (struct ss_bytes){record->bytes, record->size};
        return user;
    }
    return NULL;
}

enum ss_status ss_replay_friends_send(struct ss_replay_friends *friends,
                                      const struct ss_neighbour_message *message, int64_t at_ms,
                                      struct ss_error *err)
{
    const struct letter letter = {.at_ms = at_ms,
                                  .to_size = (uint8_t)message->to.size,
                                  .from_size = (uint8_t)message->from.size,
                                  .kind = (uint8_t)message->kind,
                                  .band = message->band,
                                  .wants_reply = message->wants_reply};
    return ss_buffer_append(&friends->queue, &letter, sizeof letter) &&
                   ss_buffer_append(&friends->queue, message->to.data, message->to.size) &&
                   ss_buffer_append(&friends->queue, message->from.data, message->from.size)
               ? SS_OK
               : no_memory(err);
}

bool ss_replay_friends_hear(struct ss_replay_friends *friends, char texts[2 * SS_USER_ID_MAX],
                            struct ss_event *event)
{
    struct letter letter;
    if (friends->queue_next == friends->queue.size) {
        friends->queue.size = friends->queue_next = 0;
        return false;
    }
    memcpy(&letter, friends->queue.data + friends->queue_next, sizeof letter);
    const size_t size = (size_t)letter.to_size + letter.from_size;
    memcpy(texts, friends->queue.data + friends->queue_next + sizeof letter, size);
    friends->queue_next += sizeof letter + size;
    *event = (struct ss_event){
        .input = SS_NEIGHBOURS,
        .user_id = {texts, letter.to_size},
        .event_id = {"", 0},
        .occurred_at_ms = letter.at_ms,
        .neighbour = {.action = letter.kind == SS_NEIGHBOUR_GONE ? SS_NEIGHBOUR_LEFT
                                : letter.wants_reply             ? SS_NEIGHBOUR_ASKS
                                                                 : SS_NEIGHBOUR_TELLS,
                      .from = {texts + letter.to_size, letter.from_size},
                      .band = letter.band,
                      .cause = {"", 0},
                      .cause_offset = -1},
    };
    return true;
}
