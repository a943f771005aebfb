/* registry_cache.h - what a registry client remembers, within bounds. Internal to schemas/.
 *
 * 1. Plans: kept for ever, found without a lock, up to a count and a size beyond which new ones are
 *    refused; only ids that the registry vouches for get that far.
 * 2. Texts of schemas, and refusals with a deadline: direct-mapped, so that a newer one simply
 * takes the place of an older one.
 *
 * ss_registry_cache_plan may be called by any thread at any time; the others under one lock of the
 * caller's.
 */
#ifndef SS_SCHEMAS_REGISTRY_CACHE_H
#define SS_SCHEMAS_REGISTRY_CACHE_H

#include "schemas/codec.h"

#include <stdatomic.h>

enum {
    SS_CACHE_PLANS_MAX = 4096,
    SS_CACHE_PLAN_SLOTS = 2 * SS_CACHE_PLANS_MAX, /* a power of two, so never full */
    SS_CACHE_PLAN_BYTES_MAX = 64 * 1024 * 1024,   /* of the schemas that they were compiled from */
    SS_CACHE_SLOTS = 256,
    SS_CACHE_TEXT_BYTES_MAX = 16 * 1024 * 1024,
    SS_CACHE_UNKNOWN_MS = 3000,  /* how long an id stays unknown: it may be registered any moment */
    SS_CACHE_REFUSED_MS = 60000, /* a schema that we cannot read stays so */
    SS_CACHE_ANY_INPUT = SS_INPUT_COUNT, /* refusals of an id as such */
};

struct ss_cached_plan {
    uint64_t key;
    struct ss_plan *plan;
};

struct ss_cached_text {
    uint32_t id;
    char *json; /* NULL: a free slot */
};

struct ss_cached_refusal {
    uint64_t key;
    int64_t until_ms; /* 0: a free slot */
    char detail[200];
};

struct ss_registry_cache {
    _Atomic(struct ss_cached_plan *) plans[SS_CACHE_PLAN_SLOTS];
    struct ss_cached_text texts[SS_CACHE_SLOTS];
    struct ss_cached_refusal refusals[SS_CACHE_SLOTS];
    size_t plan_count, plan_bytes, text_bytes;
};

/* *cache must be zeroed memory; ss_registry_cache_reset frees what it holds. */
void ss_registry_cache_reset(struct ss_registry_cache *cache);

const struct ss_plan *ss_registry_cache_plan(struct ss_registry_cache *cache, enum ss_input input,
                                             uint32_t id);
/* Keeps the plan and owns it from then on; false: a bound is reached, and the caller keeps it. */
SS_MUST_USE bool ss_registry_cache_add_plan(struct ss_registry_cache *cache, enum ss_input input,
                                            uint32_t id, struct ss_plan *plan, size_t text_size);

const char *ss_registry_cache_text(const struct ss_registry_cache *cache, uint32_t id);
void ss_registry_cache_add_text(struct ss_registry_cache *cache, uint32_t id, const char *json);

/* Why an id was refused not long ago; NULL if it was not. `input` may be SS_CACHE_ANY_INPUT. */
const char *ss_registry_cache_refusal(const struct ss_registry_cache *cache, int input,
                                      uint32_t id);
void ss_registry_cache_add_refusal(struct ss_registry_cache *cache, int input, uint32_t id,
                                   int64_t for_ms, const char *detail);

#endif
