#include "scoring/fold.h"
#include "scoring/hash.h"

enum ss_refusal ss_fold_listing(struct ss_blacklist_part *part, const struct ss_event *event)
{
    uint64_t id_hash = ss_hash64(event->listing.case_id);
    int i = 0;
    while (i < part->case_count && part->cases[i] != id_hash)
        i++;
    bool found = i < part->case_count;

    if (event->listing.action == SS_LISTED) {
        if (found)
            return SS_REFUSAL_NONE;
        if (part->case_count == SS_CASES_MAX)
            return SS_REFUSAL_TOO_MANY;
        part->cases[part->case_count++] = id_hash;
    } else if (found) {
        part->case_count--;
        memmove(&part->cases[i], &part->cases[i + 1],
                (size_t)(part->case_count - i) * sizeof part->cases[0]);
        part->cases[part->case_count] = 0;
    }
    return SS_REFUSAL_NONE;
}
