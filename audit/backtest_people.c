#include "audit/backtest_people.h"

#include "audit/room.h"
#include "scoring/hash.h"
#include "state/pack.h"
#include "state/pack_friends.h"

#include <stdlib.h>

enum { NONE = UINT32_MAX };

struct blob {
    uint8_t *data;
    uint16_t size, capacity;
};

struct person {
    uint64_t hash;
    size_t id_at;
    uint32_t moment; /* the first of them: the end */
    uint8_t id_size;
    bool met; /* has events */
};

struct entry {
    struct ss_moment moment;
    uint32_t next;                    /* of the same person */
    struct blob folds[2], friends[2]; /* packed states, and friends records */
};

struct ss_people {
    const struct ss_models *folds[2];
    int fold_count;
    int64_t future_tolerance_ms;
    bool keeps_friends;
    int32_t partition, days[SS_INPUT_COUNT]; /* of the partition in hand: ss_input_day */
    struct ss_buffer ids;
    struct person *persons;
    size_t person_count, person_capacity;
    struct entry *entries;
    size_t entry_count, entry_capacity;
    uint32_t *slots; /* a person's index, plus one; linear probing */
    size_t slot_count;
    struct ss_user_state state; /* scratch, as is all behind it */
    struct ss_effects effects;
    struct ss_friends friends;
    uint8_t packed[SS_PACKED_MAX];
    uint8_t packed_friends[SS_FRIENDS_PACKED_MAX];
};

static enum ss_status out_of_memory(const struct ss_people *people, struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for the states of %zu people",
                   people->person_count);
}

enum ss_status ss_people_open(const struct ss_models *const *folds, int fold_count,
                              int64_t future_tolerance_ms, bool friends, struct ss_people **out,
                              struct ss_error *err)
{
    struct ss_people *people = calloc(1, sizeof *people);
    if (!people)
        return ss_fail(err, SS_STOP, "out of memory");
    for (int f = 0; f < fold_count; f++)
        people->folds[f] = folds[f];
    people->fold_count = fold_count;
    people->future_tolerance_ms = future_tolerance_ms;
    people->keeps_friends = friends;
    ss_buffer_init(&people->ids, SIZE_MAX / 2);
    people->slot_count = 1024;
    people->slots = calloc(people->slot_count, sizeof *people->slots);
    if (!people->slots) {
        ss_people_close(people);
        return ss_fail(err, SS_STOP, "out of memory");
    }
    *out = people;
    return SS_OK;
}

void ss_people_close(struct ss_people *people)
{
    if (!people)
        return;
    for (size_t i = 0; i < people->entry_count; i++)
        for (int f = 0; f < people->fold_count; f++) {
            free(people->entries[i].folds[f].data);
            free(people->entries[i].friends[f].data);
        }
    ss_buffer_reset(&people->ids);
    free(people->persons);
    free(people->entries);
    free(people->slots);
    free(people);
}

struct ss_text ss_people_id(const struct ss_people *people, uint32_t person)
{
    const struct person *p = &people->persons[person];
    return (struct ss_text){(const char *)people->ids.data + p->id_at, p->id_size};
}

static uint32_t *slot_of(const struct ss_people *people, uint64_t hash, struct ss_text id)
{
    /* FNV's low bits are the good ones for short ids too, folded once */
    for (size_t at = (hash ^ hash >> 32) & (people->slot_count - 1);;
         at = (at + 1) & (people->slot_count - 1)) {
        uint32_t *slot = &people->slots[at];
        if (*slot == 0)
            return slot;
        const struct person *p = &people->persons[*slot - 1];
        if (p->hash == hash && p->id_size == id.size &&
            memcmp(people->ids.data + p->id_at, id.data, id.size) == 0)
            return slot;
    }
}

static bool grow_slots(struct ss_people *people)
{
    size_t count = people->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    free(people->slots);
    people->slots = slots;
    people->slot_count = count;
    for (size_t i = 0; i < people->person_count; i++)
        *slot_of(people, people->persons[i].hash, ss_people_id(people, (uint32_t)i)) =
            (uint32_t)i + 1;
    return true;
}

static bool add_entry(struct ss_people *people, uint32_t person, int64_t time_ms, bool bad)
{
    if (people->entry_count >= NONE - 1 ||
        !ss_make_room(&people->entries, people->entry_count, &people->entry_capacity,
                      sizeof *people->entries))
        return false;
    people->entries[people->entry_count++] =
        (struct entry){.moment = {.person = person, .time_ms = time_ms, .bad = bad}, .next = NONE};
    return true;
}

/* NULL: out of memory. */
static struct person *person_of(struct ss_people *people, struct ss_text id)
{
    uint64_t hash = ss_hash64(id);
    uint32_t *slot = slot_of(people, hash, id);
    if (*slot)
        return &people->persons[*slot - 1];
    if (people->person_count * 2 >= people->slot_count) {
        if (!grow_slots(people))
            return NULL;
        slot = slot_of(people, hash, id);
    }
    size_t id_at = people->ids.size;
    if (people->person_count >= NONE - 1 ||
        !ss_make_room(&people->persons, people->person_count, &people->person_capacity,
                      sizeof *people->persons) ||
        !ss_buffer_append(&people->ids, id.data, id.size) ||
        !add_entry(people, (uint32_t)people->person_count, SS_MOMENT_END, false))
        return NULL;
    *slot = (uint32_t)people->person_count + 1;
    struct person *person = &people->persons[people->person_count++];
    *person = (struct person){.hash = hash,
                              .id_at = id_at,
                              .moment = (uint32_t)people->entry_count - 1,
                              .id_size = (uint8_t)id.size};
    return person;
}

enum ss_status ss_people_add_label(struct ss_people *people, struct ss_text user_id,
                                   int64_t time_ms, bool bad, struct ss_error *err)
{
    struct person *person = person_of(people, user_id);
    if (!person || !add_entry(people, (uint32_t)(person - people->persons), time_ms, bad))
        return out_of_memory(people, err);
    struct entry *end = &people->entries[person->moment];
    uint32_t added = (uint32_t)people->entry_count - 1;
    people->entries[added].next = end->next;
    end->next = added;
    return SS_OK;
}

static enum ss_status keep(const struct ss_people *people, struct blob *blob, const uint8_t *packed,
                           size_t size, struct ss_error *err)
{
    if (size > blob->capacity) {
        size_t capacity = (size + size / 4 + 31) & ~(size_t)15;
        uint8_t *data = realloc(blob->data, capacity);
        if (!data)
            return out_of_memory(people, err);
        blob->data = data;
        blob->capacity = (uint16_t)capacity;
    }
    if (size)
        memcpy(blob->data, packed, size);
    blob->size = (uint16_t)size;
    return SS_OK;
}

static enum ss_status keep_friends(struct ss_people *people, struct blob *blob,
                                   struct ss_error *err)
{
    if (!people->keeps_friends)
        return SS_OK;
    if (people->effects.friends_left)
        people->friends.count = 0;
    else if (!people->effects.friends_changed)
        return SS_OK;
    return keep(people, blob, people->packed_friends,
                ss_friends_pack(&people->friends, people->packed_friends), err);
}

static enum ss_status apply_at(struct ss_people *people, struct entry *entry,
                               const struct ss_event *event, const struct ss_context *context,
                               enum ss_outcome *outcome, struct ss_error *err)
{
    enum ss_refusal refusal;
    enum ss_status status = SS_OK;
    for (int f = 0; status == SS_OK && f < people->fold_count; f++) {
        struct blob *blob = &entry->folds[f], *friends = &entry->friends[f];
        const bool reads = ss_event_reads_friends(people->folds[f], event);
        status = ss_state_unpack((struct ss_bytes){blob->data, blob->size}, &people->state, err);
        if (status == SS_OK && reads)
            status = ss_friends_unpack((struct ss_bytes){friends->data, friends->size},
                                       &people->friends, err);
        if (status != SS_OK)
            break;
        enum ss_outcome of_fold =
            ss_apply(people->folds[f], &people->state, event, context, &people->effects, &refusal);
        if (f == 0)
            *outcome = of_fold;
        if (of_fold != SS_COUNTED)
            continue;
        status =
            keep(people, blob, people->packed, ss_state_pack(&people->state, people->packed), err);
        if (status == SS_OK && reads)
            status = keep_friends(people, friends, err);
    }
    return status;
}

static enum ss_status apply(struct ss_people *people, uint32_t first, const struct ss_event *event,
                            const struct ss_context *context, enum ss_outcome *outcome,
                            struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (uint32_t at = first; status == SS_OK && at != NONE; at = people->entries[at].next) {
        struct entry *entry = &people->entries[at];
        enum ss_outcome ignored;
        if (event->occurred_at_ms < entry->moment.time_ms)
            status = apply_at(people, entry, event, context, at == first ? outcome : &ignored, err);
    }
    return status;
}

enum ss_status ss_people_apply(struct ss_people *people, const struct ss_event *event,
                               int32_t partition, int64_t offset, int64_t timestamp_ms,
                               enum ss_outcome *outcome, struct ss_error *err)
{
    struct ss_context context = {
        .partition = partition,
        .offset = offset,
        .record_time_ms = timestamp_ms >= 0 ? timestamp_ms : event->occurred_at_ms,
        .future_tolerance_ms = people->future_tolerance_ms,
        .clock_ms = event->occurred_at_ms,
        .without_reasons = true, /* only the folds are kept */
        .friends = &people->friends,
    };
    if (partition != people->partition)
        memset(people->days, 0, sizeof people->days);
    people->partition = partition;
    /* what is refused adds nobody */
    *outcome = SS_REFUSED;
    const bool fine = ss_event_check(people->folds[0]->person, event, &context) == SS_REFUSAL_NONE;
    if (!fine && people->fold_count == 1)
        return SS_OK;
    if (fine)
        people->days[event->input] = ss_input_day(people->days[event->input], event, &context);
    context.day = people->days[event->input];
    if (event->user_id.size == 0 || event->user_id.size > SS_USER_ID_MAX)
        return SS_OK;
    struct person *person = person_of(people, event->user_id);
    if (!person)
        return out_of_memory(people, err);
    person->met |= event->input != SS_NEIGHBOURS;
    return apply(people, person->moment, event, &context, outcome, err);
}

size_t ss_people_count(const struct ss_people *people)
{
    return people->person_count;
}

size_t ss_people_moment_count(const struct ss_people *people)
{
    return people->entry_count;
}

const struct ss_moment *ss_people_moment(const struct ss_people *people, size_t moment)
{
    return &people->entries[moment].moment;
}

bool ss_people_met(const struct ss_people *people, uint32_t person)
{
    return people->persons[person].met;
}

enum ss_status ss_people_state(const struct ss_people *people, size_t moment, int fold,
                               struct ss_user_state *state, struct ss_error *err)
{
    const struct blob *blob = &people->entries[moment].folds[fold];
    return ss_state_unpack((struct ss_bytes){blob->data, blob->size}, state, err);
}
