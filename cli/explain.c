#include "cli/explain.h"

#include "audit/explain_words.h"
#include "cli/time_text.h"

#include <inttypes.h>

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
                ss_words_factor((enum ss_factor)f), factor->value / 100.0,
                weights ? factor->weight * 100.0 / weights : 0, factor->points_centi / 100.0,
                weights ? factor->weight * 600.0 / weights : 0);
    }
    fprintf(out, "  350 + %.2f, cut to whole points: %d", points / 100.0, 350 + points / 100);
    if (view->standing == SS_STANDING_LISTED)
        fprintf(out, "; while listed: %d", view->score);
    fputs(view->reason_count ? "\n  what keeps it from being higher:\n" : "\n", out);
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        const struct ss_reason_words *words = ss_words_reason(reason->code);
        fprintf(out, "    %6.2f points  %s (%.*s)\n", reason->points_centi / 100.0,
                words ? words->brief : "", (int)reason->code.size, reason->code.data);
    }
}
