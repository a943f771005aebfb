#include "schemas/registry_cache.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t key_of(int input, uint32_t id)
{
    return (uint64_t)input << 32 | id;
}

static size_t slot_of(uint64_t key, size_t slots)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (slots - 1);
}

const struct ss_plan *ss_registry_cache_plan(struct ss_registry_cache *cache, enum ss_input input,
                                             uint32_t id)
{
    uint64_t key = key_of(input, id);
    for (size_t slot = slot_of(key, SS_CACHE_PLAN_SLOTS);;
         slot = (slot + 1) & (SS_CACHE_PLAN_SLOTS - 1)) {
        /* Pairs with the release in ss_registry_cache_add_plan: who sees the entry sees the whole
         * plan. */
        const struct ss_cached_plan *entry =
            atomic_load_explicit(&cache->plans[slot], memory_order_acquire);
        if (!entry)
            return NULL;
        if (entry->key == key)
            return entry->plan;
    }
}

bool ss_registry_cache_add_plan(struct ss_registry_cache *cache, enum ss_input input, uint32_t id,
                                struct ss_plan *plan, size_t text_size)
{
    uint64_t key = key_of(input, id);
    size_t slot = slot_of(key, SS_CACHE_PLAN_SLOTS);
    if (cache->plan_count >= SS_CACHE_PLANS_MAX ||
        cache->plan_bytes + text_size > SS_CACHE_PLAN_BYTES_MAX)
        return false;
    struct ss_cached_plan *entry = malloc(sizeof *entry);
    if (!entry)
        return false;
    *entry = (struct ss_cached_plan){key, plan};
    while (atomic_load_explicit(&cache->plans[slot], memory_order_relaxed))
        slot = (slot + 1) & (SS_CACHE_PLAN_SLOTS - 1);
    atomic_store_explicit(&cache->plans[slot], entry, memory_order_release);
    cache->plan_count++;
    cache->plan_bytes += text_size;
    return true;
}

static void drop_text(struct ss_registry_cache *cache, struct ss_cached_text *text)
{
    if (text->json)
        cache->text_bytes -= strlen(text->json);
    free(text->json);
    text->json = NULL;
}

const char *ss_registry_cache_text(const struct ss_registry_cache *cache, uint32_t id)
{
    const struct ss_cached_text *text = &cache->texts[slot_of(id, SS_CACHE_SLOTS)];
    return text->json && text->id == id ? text->json : NULL;
}

void ss_registry_cache_add_text(struct ss_registry_cache *cache, uint32_t id, const char *json)
{
    struct ss_cached_text *text = &cache->texts[slot_of(id, SS_CACHE_SLOTS)];
    size_t size = strlen(json);
    drop_text(cache, text);
    if (cache->text_bytes + size > SS_CACHE_TEXT_BYTES_MAX)
        for (size_t i = 0; i < SS_CACHE_SLOTS; i++)
            drop_text(cache, &cache->texts[i]);
    text->id = id;
    text->json = strdup(json);
    if (text->json)
        cache->text_bytes += size;
}

const char *ss_registry_cache_refusal(const struct ss_registry_cache *cache, int input, uint32_t id)
{
    uint64_t key = key_of(input, id);
    const struct ss_cached_refusal *refusal = &cache->refusals[slot_of(key, SS_CACHE_SLOTS)];
    return refusal->key == key && refusal->until_ms > ss_clock_steady_ms() ? refusal->detail : NULL;
}

void ss_registry_cache_add_refusal(struct ss_registry_cache *cache, int input, uint32_t id,
                                   int64_t for_ms, const char *detail)
{
    uint64_t key = key_of(input, id);
    struct ss_cached_refusal *refusal = &cache->refusals[slot_of(key, SS_CACHE_SLOTS)];
    refusal->key = key;
    refusal->until_ms = ss_clock_steady_ms() + for_ms;
    snprintf(refusal->detail, sizeof refusal->detail, "%s", detail);
}

void ss_registry_cache_reset(struct ss_registry_cache *cache)
{
    for (size_t i = 0; i < SS_CACHE_PLAN_SLOTS; i++) {
        struct ss_cached_plan *entry = atomic_load(&cache->plans[i]);
        if (entry)
            ss_plan_close(entry->plan);
        free(entry);
    }
    for (size_t i = 0; i < SS_CACHE_SLOTS; i++)
        drop_text(cache, &cache->texts[i]);
}
