#include "audit/proof.h"

const char *ss_proof_verdict_text(enum ss_proof_verdict verdict)
{
    static const char *const texts[SS_PROOF_VERDICT_COUNT] = {
        [SS_PROOF_DIFFERENT] = "different",
        [SS_PROOF_MISSING] = "missing",
        [SS_PROOF_EXTRA] = "extra",
        [SS_PROOF_OUT_OF_ORDER] = "out of order",
        [SS_PROOF_UNREADABLE] = "unreadable",
        [SS_PROOF_NO_MODEL] = "unknown model",
        [SS_PROOF_PERCENTILE] = "wrong percentile",
        [SS_PROOF_HISTOGRAM] = "wrong histogram",
        [SS_PROOF_ENTITLEMENT] = "different entitlement",
        [SS_PROOF_NO_ENTITLEMENT] = "missing entitlement",
        [SS_PROOF_ANY_ENTITLEMENT] = "extra entitlement",
    };
    return texts[verdict];
}

void ss_proof_add(struct ss_proof_result *sum, const struct ss_proof_result *result)
{
    sum->records += result->records;
    sum->proven += result->proven;
    sum->differing += result->differing;
    sum->erased += result->erased;
    sum->out_of_retention += result->out_of_retention;
    sum->friends_expired += result->friends_expired;
    sum->before_start += result->before_start;
    sum->newer += result->newer;
    sum->missing += result->missing;
    sum->entitlements += result->entitlements;
    sum->entitlements_proven += result->entitlements_proven;
    sum->entitlements_differing += result->entitlements_differing;
    sum->entitlements_unjudged += result->entitlements_unjudged;
    sum->percentiles_proven += result->percentiles_proven;
    sum->percentiles_differing += result->percentiles_differing;
    sum->percentiles_out_of_retention += result->percentiles_out_of_retention;
    sum->percentiles_unchecked += result->percentiles_unchecked;
    sum->histograms += result->histograms;
    sum->histograms_proven += result->histograms_proven;
    sum->histograms_differing += result->histograms_differing;
    sum->histograms_unchecked += result->histograms_unchecked;
    sum->others += result->others;
    sum->events += result->events;
    sum->users += result->users;
    sum->looked_at_again += result->looked_at_again;
    sum->searched += result->searched;
    sum->undecided += result->undecided;
    sum->table_bytes += result->table_bytes;
}

bool ss_proof_holds(const struct ss_proof_result *result)
{
    return result->differing == 0 && result->missing == 0 && result->entitlements_differing == 0 &&
           result->percentiles_differing == 0 && result->histograms_differing == 0;
}
