/* hash.h - the 64-bit FNV-1a hash by which a state remembers identifiers (bills, cases, lines,
 * event ids) without keeping them. Part of the model's definition (docs/model.md): not to be
 * changed without a rebuild. */
#ifndef SS_SCORING_HASH_H
#define SS_SCORING_HASH_H

#include "scoring/event.h"

static inline uint64_t ss_hash64(struct ss_text text)
{
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < text.size; i++) {
        hash ^= (uint8_t)text.data[i];
        hash *= 1099511628211u;
    }
    return hash;
}

#endif
