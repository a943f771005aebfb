#include "scoring/fold.h"

enum ss_refusal ss_fold_social(struct ss_social_part *part, const struct ss_event *event)
{
    uint32_t *count = event->social.action == SS_FRIEND_ADDED ? &part->added : &part->removed;

    part->any = true;
    if (*count < UINT32_MAX)
        ++*count;
    return SS_REFUSAL_NONE;
}
