#include "scoring/fold.h"
#include "scoring/sharing.h"

static enum ss_refusal fold_share(struct ss_consents_part *part, const struct ss_consent *consent,
                                  int64_t offset)
{
    struct ss_share share = {ss_subscriber_hash(consent->subscriber), offset};
    int i = 0;
    while (i < part->share_count && part->shares[i].subscriber_hash < share.subscriber_hash)
        i++;
    bool found = i < part->share_count && part->shares[i].subscriber_hash == share.subscriber_hash;
    size_t behind = (size_t)(part->share_count - i) * sizeof share;

    if (consent->action == SS_CONSENT_WITHDRAWN) {
        if (found) {
            memmove(&part->shares[i], &part->shares[i + 1], behind - sizeof share);
            part->shares[--part->share_count] = (struct ss_share){0};
        }
    } else if (!found) {
        if (part->share_count == SS_SHARES_MAX)
            return SS_REFUSAL_TOO_MANY;
        memmove(&part->shares[i + 1], &part->shares[i], behind);
        part->shares[i] = share;
        part->share_count++;
    }
    return SS_REFUSAL_NONE;
}

/* A grant that already holds stays as it is, so that its position keeps naming the record that
 * events were counted under. */
enum ss_refusal ss_fold_consent(struct ss_consents_part *part, const struct ss_event *event,
                                int64_t offset)
{
    const struct ss_consent *consent = &event->consent;
    bool granted = consent->action == SS_CONSENT_GRANTED;

    switch (consent->purpose) {
    case SS_PURPOSE_SCORING:
        if (granted && !part->scoring) {
            part->scoring = true;
            part->granted_at_ms = event->occurred_at_ms;
            part->scoring_position = offset;
        } else if (!granted) {
            part->scoring = false; /* apply.c erases the rest */
        }
        break;
    case SS_PURPOSE_SOCIAL:
        if (granted != part->social) {
            part->social_position = granted ? offset : 0;
            part->social_at_ms = granted ? event->occurred_at_ms : 0;
        }
        part->social = granted;
        break;
    case SS_PURPOSE_SHARE:
        return fold_share(part, consent, offset);
    }
    return SS_REFUSAL_NONE;
}
