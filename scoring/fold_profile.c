#include "scoring/fold.h"
#include "scoring/hash.h"

static enum ss_refusal fold_credit_line(const struct ss_model *model, struct ss_profiles_part *part,
                                        const struct ss_profile *profile)
{
    struct ss_credit_line line = {
        .id_hash = (uint32_t)ss_hash64(profile->line_id),
        .limit = ss_base_amount(model, profile->limit_minor, profile->currency),
        .balance = ss_base_amount(model, profile->balance_minor, profile->currency),
    };
    int i = 0;
    while (i < part->line_count && part->lines[i].id_hash < line.id_hash)
        i++;
    bool found = i < part->line_count && part->lines[i].id_hash == line.id_hash;
    size_t behind = (size_t)(part->line_count - i) * sizeof line;

    if (profile->limit_minor == 0) { /* closed */
        if (found) {
            memmove(&part->lines[i], &part->lines[i + 1], behind - sizeof line);
            part->lines[--part->line_count] = (struct ss_credit_line){0};
        }
        return SS_REFUSAL_NONE;
    }
    if (!found) {
        if (part->line_count == SS_CREDIT_LINES_MAX)
            return SS_REFUSAL_TOO_MANY;
        memmove(&part->lines[i + 1], &part->lines[i], behind);
        part->line_count++;
    }
    part->lines[i] = line;
    return SS_REFUSAL_NONE;
}

enum ss_refusal ss_fold_profile(const struct ss_model *model, struct ss_profiles_part *part,
                                const struct ss_event *event)
{
    const struct ss_profile *profile = &event->profile;
    uint8_t bit = profile->fact == SS_FACT_NONE ? 0 : (uint8_t)(1u << profile->fact);

    switch (profile->action) {
    case SS_PROFILE_VERIFIED:
        part->any = true;
        part->verified |= bit;
        if (profile->fact == SS_FACT_DEGREE)
            part->degree_level = (uint8_t)profile->degree_level;
        break;
    case SS_PROFILE_REVOKED:
        part->any = true;
        part->verified &= (uint8_t)~bit;
        if (profile->fact == SS_FACT_DEGREE)
            part->degree_level = SS_DEGREE_UNKNOWN;
        break;
    case SS_PROFILE_ACCOUNT_OPENED: {
        int32_t day = ss_day_of(profile->opened_at_ms == SS_TIME_UNKNOWN ? event->occurred_at_ms
                                                                         : profile->opened_at_ms);
        part->holder = (uint8_t)profile->holder;
        if (!part->opened || day < part->opened_day)
            part->opened_day = day; /* the oldest account counts */
        part->opened = true;
        break;
    }
    case SS_PROFILE_CREDIT_LINE:
        return fold_credit_line(model, part, profile);
    }
    return SS_REFUSAL_NONE;
}
