#include "cli/explain.h"

#include "cli/time_text.h"

#include <inttypes.h>
#include <string.h>

const char *ss_explain_factor(enum ss_factor factor)
{
    static const char *const names[] = {
        [SS_FACTOR_HISTORY] = "credit history",
        [SS_FACTOR_BEHAVIOUR] = "behaviour and preference",
        [SS_FACTOR_FULFILMENT] = "fulfilment capacity",
        [SS_FACTOR_CHARACTERISTICS] = "personal characteristics",
        [SS_FACTOR_RELATIONSHIPS] = "interpersonal relationships",
    };
    return factor < SS_FACTOR_COUNT ? names[factor] : "court register";
}

struct ss_text ss_explain_reason(struct ss_text code)
{
    static const struct {
        const char *code, *words;
    } list[] = {
        {"LISTED", "listed in the court register of defaulters"},
        {"LATE_BILLS", "bills paid late or still unpaid"},
        {"DEFAULTED_BILLS", "bills that were never paid"},
        {"SHORT_TRACK_RECORD", "few bills paid on time so far"},
        {"NO_BILL_HISTORY", "no bills known"},
        {"HIGH_DEBT", "much of the credit line is in use"},
        {"NO_CREDIT_LINE", "no credit line known"},
        {"FEW_PAYMENTS", "few payments lately"},
        {"IRREGULAR_PAYMENTS", "months without any payment"},
        {"NARROW_SPENDING", "payments of few different kinds"},
        {"REVERSED_PAYMENTS", "payments refunded or charged back"},
        {"NO_PAYMENTS", "no payments known"},
        {"LOW_SPENDING", "small amounts paid"},
        {"LOW_REPAYMENT", "small amounts paid on bills"},
        {"LOW_CREDIT_LIMIT", "a low credit limit"},
        {"BROKEN_BOOKINGS", "bookings not kept"},
        {"NO_BOOKINGS", "no bookings known"},
        {"UNVERIFIED_FACTS", "phone, identity, address or degree not verified"},
        {"NO_PROFILE", "nothing verified yet"},
        {"LOW_DEGREE", "no higher degree verified"},
        {"NO_DEGREE", "no degree verified"},
        {"SHORT_TENURE", "a young account"},
        {"NO_ACCOUNT_AGE", "the account's age is not known"},
        {"LOW_FRIENDS_BANDS", "friends whose own scores are not high"},
        {"NO_SOCIAL_TIES", "no friends who take part"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strlen(list[i].code) == code.size && memcmp(list[i].code, code.data, code.size) == 0)
            return (struct ss_text){list[i].words, (uint32_t)strlen(list[i].words)};
    return code;
}

static void print_head(FILE *out, const struct ss_score_view *view)
{
    char as_of[40];
    ss_time_format(view->as_of_ms, as_of, sizeof as_of);
    fprintf(out, "%.*s: ", (int)view->user_id.size, view->user_id.data);
    if (view->has_score)
        fprintf(out, "score %d, %.*s", view->score, (int)view->tier.size, view->tier.data);
    else
        fputs("no score, opted out", out);
    fprintf(out, "%s, as of %.10s; change %" PRId64 "%s, by ",
            view->standing == SS_STANDING_LISTED ? ", listed by a court" : "", as_of,
            view->sequence, view->sequence == 1 ? ", the first" : "");
    if (view->cause.known)
        fprintf(out, "event %.*s of %.*s\n", (int)view->cause.event_id.size,
                view->cause.event_id.data, (int)view->cause.topic.size, view->cause.topic.data);
    else
        fputs("time alone\n", out);
    if (view->has_rank)
        fprintf(out, "  higher than %d.%02d %% of all scores\n", view->percentile / 100,
                view->percentile % 100);
}

void ss_explain_score(FILE *out, const struct ss_score_view *view)
{
    int32_t weights = 0, points = 0;
    print_head(out, view);
    if (!view->has_factors)
        return;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        weights += view->factors[f].weight;
        points += view->factors[f].points_centi;
    }
    fprintf(out, "  %-30s %7s %7s   %s\n", "factor", "value", "weight", "points");
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        const struct ss_factor_result *factor = &view->factors[f];
        fprintf(out, "  %-30s %5.1f %% %5.1f %%   %+.2f of %.0f\n",
                ss_explain_factor((enum ss_factor)f), factor->value / 100.0,
                weights ? factor->weight * 100.0 / weights : 0, factor->points_centi / 100.0,
                weights ? factor->weight * 600.0 / weights : 0);
    }
    fprintf(out, "  350 + %.2f, cut to whole points: %d", points / 100.0, 350 + points / 100);
    if (view->standing == SS_STANDING_LISTED)
        fprintf(out, "; while listed: %d", view->score);
    fputs(view->reason_count ? "\n  what keeps it from being higher:\n" : "\n", out);
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        struct ss_text words = ss_explain_reason(reason->code);
        fprintf(out, "    %6.2f points  %.*s (%.*s)\n", reason->points_centi / 100.0,
                (int)words.size, words.data, (int)reason->code.size, reason->code.data);
    }
}
