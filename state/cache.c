/* cache.c - open addressing, at most half full; a slot holds what a probe needs to pass it by, for
 * each look into an entry costs a miss of the processor's cache. An entry is one allocation:
 * header, user id, state. Deleting shifts the following slots back, so that there are no graves. */
#include "state/cache.h"

#include "scoring/hash.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    int64_t wake_ms;         /* of a pinned one */
    uint32_t size, capacity; /* of the state: used, allocated */
    uint32_t pin;            /* index among the pinned, if pinned */
    uint16_t key_size;
    bool pinned;
    uint8_t bytes[]; /* key, then state */
};

struct slot {
    struct entry *entry; /* NULL: empty */
    uint32_t hash;
    bool referenced;
};

struct ss_cache {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t entry_count, bytes, bytes_max, hand;
    struct entry **pinned;
    size_t pinned_count, pinned_capacity;
};

/* Besides the entry and malloc's header: the slots are a quarter to half full. */
enum { SLOTS_MIN = 64, ENTRY_OVERHEAD = sizeof(struct entry) + 8 + 3 * sizeof(struct slot) };

static size_t cost(const struct entry *entry)
{
    return ENTRY_OVERHEAD + entry->key_size + entry->capacity;
}

static uint32_t hash_of(struct ss_bytes key)
{
    /* Multiplied, so that all of it counts: users of one partition are alike in Kafka's hash. */
    uint64_t hash = ss_hash64((struct ss_text){key.data, (uint32_t)key.size});
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio */
    return (uint32_t)(hash >> 32);
}

struct ss_cache *ss_cache_open(size_t bytes_max)
{
    struct ss_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->slots = calloc(SLOTS_MIN, sizeof(struct slot));
    if (!cache->slots) {
        free(cache);
        return NULL;
    }
    cache->slot_count = SLOTS_MIN;
    cache->bytes_max = bytes_max;
    return cache;
}

void ss_cache_close(struct ss_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->slot_count; i++)
        free(cache->slots[i].entry);
    free(cache->slots);
    free(cache->pinned);
    free(cache);
}

static bool is_key(const struct slot *slot, uint32_t hash, struct ss_bytes key)
{
    return slot->hash == hash && slot->entry->key_size == key.size &&
           memcmp(slot->entry->bytes, key.data, key.size) == 0;
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct slot *slot_of(const struct ss_cache *cache, uint32_t hash, struct ss_bytes key)
{
    size_t mask = cache->slot_count - 1, slot = hash & mask;
    while (cache->slots[slot].entry && !is_key(&cache->slots[slot], hash, key))
        slot = (slot + 1) & mask;
    return &cache->slots[slot];
}

static bool grow(struct ss_cache *cache)
{
    if ((cache->entry_count + 1) * 2 <= cache->slot_count)
        return true;
    size_t count = cache->slot_count * 2;
    struct slot *slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < cache->slot_count; i++) {
        if (!cache->slots[i].entry)
            continue;
        size_t slot = cache->slots[i].hash & (count - 1);
        while (slots[slot].entry)
            slot = (slot + 1) & (count - 1);
        slots[slot] = cache->slots[i];
    }
    free(cache->slots);
    cache->slots = slots;
    cache->slot_count = count;
    cache->hand = 0;
    return true;
}

static void remove_slot(struct ss_cache *cache, size_t slot)
{
    size_t mask = cache->slot_count - 1, hole = slot;
    cache->bytes -= cost(cache->slots[slot].entry);
    cache->entry_count--;
    free(cache->slots[slot].entry);
    for (size_t i = (slot + 1) & mask; cache->slots[i].entry; i = (i + 1) & mask) {
        size_t home = cache->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* may move back into the hole */
            cache->slots[hole] = cache->slots[i];
            hole = i;
        }
    }
    cache->slots[hole].entry = NULL;
}

static void evict(struct ss_cache *cache)
{
    /* two rounds clear every referenced bit; after that only pinned entries are left */
    size_t steps_max = cache->slot_count * 2;
    for (size_t step = 0; cache->bytes > cache->bytes_max && step < steps_max; step++) {
        cache->hand = (cache->hand + 1) & (cache->slot_count - 1);
        struct slot *slot = &cache->slots[cache->hand];
        if (!slot->entry)
            continue;
        if (slot->referenced) {
            slot->referenced = false;
        } else if (!slot->entry->pinned) {
            remove_slot(cache, cache->hand);
            cache->hand = (cache->hand - 1) & (cache->slot_count - 1);
            steps_max++; /* what moved into the slot has its turn as well */
        }
    }
}

bool ss_cache_get(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes *packed)
{
    struct slot *slot = slot_of(cache, hash_of(user_id), user_id);
    const struct entry *entry = slot->entry;
    if (!entry)
        return false;
    slot->referenced = true;
    *packed = (struct ss_bytes){entry->bytes + entry->key_size, entry->size};
    return true;
}

static struct entry *entry_new(struct ss_bytes key, struct ss_bytes packed)
{
    uint32_t capacity = ((uint32_t)packed.size + 31) & ~UINT32_C(15); /* room to grow a little */
    struct entry *entry = malloc(sizeof *entry + key.size + capacity);
    if (!entry)
        return NULL;
    assert(key.size <= UINT16_MAX);
    *entry = (struct entry){
        .key_size = (uint16_t)key.size, .size = (uint32_t)packed.size, .capacity = capacity};
    memcpy(entry->bytes, key.data, key.size);
    if (packed.size)
        memcpy(entry->bytes + key.size, packed.data, packed.size);
    return entry;
}

/* *slot is the empty one where it belongs; NULL: out of memory. */
static struct slot *insert(struct ss_cache *cache, struct slot *slot, uint32_t hash,
                           struct ss_bytes user_id, struct ss_bytes packed)
{
    const struct slot *before = cache->slots;
    if (!grow(cache))
        return NULL;
    if (cache->slots != before)
        slot = slot_of(cache, hash, user_id);
    struct entry *entry = entry_new(user_id, packed);
    if (!entry)
        return NULL;
    *slot = (struct slot){.entry = entry, .hash = hash};
    cache->entry_count++;
    cache->bytes += cost(entry);
    return slot;
}

bool ss_cache_fill(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes packed)
{
    uint32_t hash = hash_of(user_id);
    struct slot *slot = slot_of(cache, hash, user_id);
    return slot->entry || insert(cache, slot, hash, user_id, packed) != NULL;
}

static bool pin_room(struct ss_cache *cache)
{
    if (cache->pinned_count < cache->pinned_capacity)
        return true;
    size_t capacity = cache->pinned_capacity ? cache->pinned_capacity * 2 : 256;
    struct entry **pinned = realloc(cache->pinned, capacity * sizeof *pinned);
    if (!pinned)
        return false;
    cache->pinned = pinned;
    cache->pinned_capacity = capacity;
    return true;
}

bool ss_cache_put(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes packed,
                  int64_t wake_ms)
{
    uint32_t hash = hash_of(user_id);
    struct slot *slot = slot_of(cache, hash, user_id);
    struct entry *entry = slot->entry;

    if (!pin_room(cache))
        return false;
    if (!entry) {
        slot = insert(cache, slot, hash, user_id, packed);
        if (!slot)
            return false;
        entry = slot->entry;
    } else if (packed.size <= entry->capacity) {
        if (packed.size)
            memmove(entry->bytes + entry->key_size, packed.data, packed.size);
        entry->size = (uint32_t)packed.size;
    } else {
        struct entry *larger = entry_new(user_id, packed);
        if (!larger)
            return false;
        larger->pinned = entry->pinned;
        larger->pin = entry->pin;
        if (entry->pinned)
            cache->pinned[entry->pin] = larger;
        cache->bytes += cost(larger) - cost(entry);
        slot->entry = larger;
        free(entry);
        entry = larger;
    }
    slot->referenced = true;
    entry->wake_ms = wake_ms;
    if (!entry->pinned) {
        entry->pinned = true;
        entry->pin = (uint32_t)cache->pinned_count;
        cache->pinned[cache->pinned_count++] = entry;
    }
    return true;
}

size_t ss_cache_pinned_count(const struct ss_cache *cache)
{
    return cache->pinned_count;
}

void ss_cache_pinned(const struct ss_cache *cache, size_t i, struct ss_put *put)
{
    assert(i < cache->pinned_count);
    const struct entry *entry = cache->pinned[i];
    put->user_id = (struct ss_bytes){entry->bytes, entry->key_size};
    put->packed = (struct ss_bytes){entry->bytes + entry->key_size, entry->size};
    put->wake_ms = entry->wake_ms;
}

void ss_cache_saved(struct ss_cache *cache)
{
    for (size_t i = 0; i < cache->pinned_count; i++)
        cache->pinned[i]->pinned = false;
    cache->pinned_count = 0;
    evict(cache);
}

void ss_cache_trim(struct ss_cache *cache)
{
    evict(cache);
}

size_t ss_cache_bytes(const struct ss_cache *cache)
{
    return cache->bytes;
}

size_t ss_cache_entries(const struct ss_cache *cache)
{
    return cache->entry_count;
}
