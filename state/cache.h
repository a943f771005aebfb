/* cache.h - the packed states of one owned partition that a worker has at hand: a write-back cache.
 *
 * 1. An entry that was put is pinned until ss_cache_saved: its state may be nowhere else but in the
 *    changelog, so it must not be read from the store.
 * 2. Only unpinned entries are evicted, by second chance, once the bytes exceed the limit; pinned
 * ones are bounded by the worker, which does not go on while saves are outstanding.
 * 3. An entry with no bytes means: known to be absent.
 *
 * Belongs to one worker thread. Pointers it hands out stay valid until the next put or fill.
 */
#ifndef SS_STATE_CACHE_H
#define SS_STATE_CACHE_H

#include "state/store.h"

struct ss_cache;

/* bytes_max counts keys, states and bookkeeping. NULL: out of memory. */
struct ss_cache *ss_cache_open(size_t bytes_max);
void ss_cache_close(struct ss_cache *cache); /* NULL is fine */

/* Whether the user is cached; *packed is then its state, of size 0 if absent. */
SS_MUST_USE bool ss_cache_get(struct ss_cache *cache, struct ss_bytes user_id,
                              struct ss_bytes *packed);
/* Adds what was read from the store; does nothing if the user is cached already. false: out of
 * memory. */
SS_MUST_USE bool ss_cache_fill(struct ss_cache *cache, struct ss_bytes user_id,
                               struct ss_bytes packed);
/* Replaces a state and pins it; wake_ms is the put's. false: out of memory, nothing changed. */
SS_MUST_USE bool ss_cache_put(struct ss_cache *cache, struct ss_bytes user_id,
                              struct ss_bytes packed, int64_t wake_ms);

/* The pinned entries, as puts for the store, in the order in which they were first pinned. */
size_t ss_cache_pinned_count(const struct ss_cache *cache);
void ss_cache_pinned(const struct ss_cache *cache, size_t i, struct ss_put *put);
/* All pinned entries are in the store: unpins them and evicts down to the limit. */
void ss_cache_saved(struct ss_cache *cache);
/* Evicts down to the limit, where much was filled and nothing is to be saved. */
void ss_cache_trim(struct ss_cache *cache);

size_t ss_cache_bytes(const struct ss_cache *cache);
size_t ss_cache_entries(const struct ss_cache *cache);

#endif
