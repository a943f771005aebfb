/* cache.c - open addressing over entry pointers; an entry is one allocation: header, user id,
 * state. Deleting shifts the following entries back, so that there are no graves. */
#include "state/cache.h"

#include "scoring/hash.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    uint64_t hash;
    uint32_t key_size, size, capacity; /* of the state: used, allocated */
    uint32_t pin;                      /* index among the pinned, if pinned */
    bool pinned, referenced;
    uint8_t bytes[]; /* key, then state */
};

struct ss_cache {
    struct entry **slots;
    size_t slot_count; /* a power of two */
    size_t entry_count, bytes, bytes_max, hand;
    struct entry **pinned;
    size_t pinned_count, pinned_capacity;
};

enum { SLOTS_MIN = 64, ENTRY_OVERHEAD = sizeof(struct entry) + 4 * sizeof(void *) };

static size_t cost(const struct entry *entry)
{
    return ENTRY_OVERHEAD + entry->key_size + entry->capacity;
}

static uint64_t hash_of(struct ss_bytes key)
{
    uint64_t hash = ss_hash64((struct ss_text){key.data, (uint32_t)key.size});
    return hash ^ hash >> 32;
}

struct ss_cache *ss_cache_open(size_t bytes_max)
{
    struct ss_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->slots = calloc(SLOTS_MIN, sizeof(struct entry *));
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
        free(cache->slots[i]);
    free(cache->slots);
    free(cache->pinned);
    free(cache);
}

static bool is_key(const struct entry *entry, uint64_t hash, struct ss_bytes key)
{
    return entry->hash == hash && entry->key_size == key.size &&
           memcmp(entry->bytes, key.data, key.size) == 0;
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t slot_of(const struct ss_cache *cache, uint64_t hash, struct ss_bytes key)
{
    size_t mask = cache->slot_count - 1, slot = (size_t)hash & mask;
    while (cache->slots[slot] && !is_key(cache->slots[slot], hash, key))
        slot = (slot + 1) & mask;
    return slot;
}

static bool grow(struct ss_cache *cache)
{
    if ((cache->entry_count + 1) * 4 <= cache->slot_count * 3)
        return true;
    size_t count = cache->slot_count * 2;
    struct entry **slots = calloc(count, sizeof(struct entry *));
    if (!slots)
        return false;
    for (size_t i = 0; i < cache->slot_count; i++) {
        struct entry *entry = cache->slots[i];
        if (!entry)
            continue;
        size_t slot = (size_t)entry->hash & (count - 1);
        while (slots[slot])
            slot = (slot + 1) & (count - 1);
        slots[slot] = entry;
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
    cache->bytes -= cost(cache->slots[slot]);
    cache->entry_count--;
    free(cache->slots[slot]);
    for (size_t i = (slot + 1) & mask; cache->slots[i]; i = (i + 1) & mask) {
        size_t home = (size_t)cache->slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* may move back into the hole */
            cache->slots[hole] = cache->slots[i];
            hole = i;
        }
    }
    cache->slots[hole] = NULL;
}

static void evict(struct ss_cache *cache)
{
    /* two rounds clear every referenced bit; after that only pinned entries are left */
    size_t steps_max = cache->slot_count * 2;
    for (size_t step = 0; cache->bytes > cache->bytes_max && step < steps_max; step++) {
        cache->hand = (cache->hand + 1) & (cache->slot_count - 1);
        struct entry *entry = cache->slots[cache->hand];
        if (!entry || entry->pinned)
            continue;
        if (entry->referenced) {
            entry->referenced = false;
        } else {
            remove_slot(cache, cache->hand);
            cache->hand = (cache->hand - 1) & (cache->slot_count - 1);
            steps_max++; /* what moved into the slot has its turn as well */
        }
    }
}

bool ss_cache_get(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes *packed)
{
    struct entry *entry = cache->slots[slot_of(cache, hash_of(user_id), user_id)];
    if (!entry)
        return false;
    entry->referenced = true;
    *packed = (struct ss_bytes){entry->bytes + entry->key_size, entry->size};
    return true;
}

static struct entry *entry_new(uint64_t hash, struct ss_bytes key, struct ss_bytes packed)
{
    uint32_t capacity = ((uint32_t)packed.size + 31) & ~UINT32_C(15); /* room to grow a little */
    struct entry *entry = malloc(sizeof *entry + key.size + capacity);
    if (!entry)
        return NULL;
    *entry = (struct entry){.hash = hash,
                            .key_size = (uint32_t)key.size,
                            .size = (uint32_t)packed.size,
                            .capacity = capacity};
    memcpy(entry->bytes, key.data, key.size);
    if (packed.size)
        memcpy(entry->bytes + key.size, packed.data, packed.size);
    return entry;
}

static struct entry *insert(struct ss_cache *cache, uint64_t hash, struct ss_bytes user_id,
                            struct ss_bytes packed)
{
    if (!grow(cache))
        return NULL;
    struct entry *entry = entry_new(hash, user_id, packed);
    if (!entry)
        return NULL;
    cache->slots[slot_of(cache, hash, user_id)] = entry;
    cache->entry_count++;
    cache->bytes += cost(entry);
    return entry;
}

bool ss_cache_fill(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes packed)
{
    uint64_t hash = hash_of(user_id);
    if (cache->slots[slot_of(cache, hash, user_id)])
        return true;
    return insert(cache, hash, user_id, packed) != NULL;
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

bool ss_cache_put(struct ss_cache *cache, struct ss_bytes user_id, struct ss_bytes packed)
{
    uint64_t hash = hash_of(user_id);
    size_t slot = slot_of(cache, hash, user_id);
    struct entry *entry = cache->slots[slot];

    if (!pin_room(cache))
        return false;
    if (!entry) {
        entry = insert(cache, hash, user_id, packed);
        if (!entry)
            return false;
    } else if (packed.size <= entry->capacity) {
        if (packed.size)
            memmove(entry->bytes + entry->key_size, packed.data, packed.size);
        entry->size = (uint32_t)packed.size;
    } else {
        struct entry *larger = entry_new(hash, user_id, packed);
        if (!larger)
            return false;
        larger->pinned = entry->pinned;
        larger->pin = entry->pin;
        if (entry->pinned)
            cache->pinned[entry->pin] = larger;
        cache->bytes += cost(larger) - cost(entry);
        cache->slots[slot] = larger;
        free(entry);
        entry = larger;
    }
    entry->referenced = true;
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
}

void ss_cache_saved(struct ss_cache *cache)
{
    for (size_t i = 0; i < cache->pinned_count; i++)
        cache->pinned[i]->pinned = false;
    cache->pinned_count = 0;
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
