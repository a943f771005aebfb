/* backtest_words.c - the words and numbers that a backtest's reports share. */
#include "audit/backtest_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

char *ss_backtest_time_words(char *out, int64_t time_ms)
{
    struct tm utc;
    int64_t millis = ((time_ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((time_ms - millis) / 1000);
    if (!gmtime_r(&seconds, &utc)) {
        snprintf(out, SS_BACKTEST_WORDS_MAX, "%" PRId64, time_ms);
        return out;
    }
    size_t used = strftime(out, SS_BACKTEST_WORDS_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    if (millis)
        snprintf(out + used, SS_BACKTEST_WORDS_MAX - used, ".%03dZ", (int)millis);
    else
        snprintf(out + used, SS_BACKTEST_WORDS_MAX - used, "Z");
    return out;
}

char *ss_backtest_count_words(char *out, int64_t count)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, count < 0 ? -count : count);
    char *to = out;
    if (count < 0)
        *to++ = '-';
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

char *ss_backtest_p_words(char *out, double p)
{
    if (p < 0.0001)
        snprintf(out, SS_BACKTEST_WORDS_MAX, "< 0.0001");
    else
        snprintf(out, SS_BACKTEST_WORDS_MAX, "%.*f", p < 0.01 ? 4 : 3, p);
    return out;
}

char *ss_backtest_interval_words(char *out, const struct ss_interval *interval, int decimals,
                                 double scale)
{
    if (interval->known)
        snprintf(out, SS_BACKTEST_WORDS_MAX, "%.*f to %.*f", decimals, interval->low * scale,
                 decimals, interval->high * scale);
    else
        snprintf(out, SS_BACKTEST_WORDS_MAX, "-");
    return out;
}

char *ss_backtest_points_words(char *out, int32_t centi)
{
    snprintf(out, SS_BACKTEST_WORDS_MAX, "%s%d.%02d", centi < 0 ? "-" : "", abs(centi) / 100,
             abs(centi) % 100);
    return out;
}

char *ss_backtest_component_words(char *out, const struct ss_backtest_component *c)
{
    char value[2][32];
    for (int s = 0; s < 2; s++)
        snprintf(value[s], sizeof value[s], "%" PRId64, c->variable_value[s]);
    const char *before = c->known[0] ? value[0] : "unknown";
    const char *after = c->known[1] ? value[1] : "unknown";
    bool same = c->known[0] == c->known[1] &&
                (!c->known[0] || c->variable_value[0] == c->variable_value[1]);
    int change = c->points_centi[1] - c->points_centi[0];
    snprintf(out, SS_BACKTEST_WORDS_MAX, "%s%s%s%s%s: %.2f points instead of %.2f (%+.2f)",
             ss_variable_name(c->variable), same ? " = " : " ", before, same ? "" : " -> ",
             same ? "" : after, c->points_centi[1] / 100.0, c->points_centi[0] / 100.0,
             change / 100.0);
    return out;
}

static const char *size_of_move(double mean)
{
    return mean < 1 ? "hardly at all" : mean < 10 ? "a little" : mean < 25 ? "clearly" : "far";
}

char *ss_backtest_moves_verdict(char *out, const struct ss_backtest_result *result)
{
    const struct ss_backtest_comparison *c = &result->comparison;
    char people[64], risen[64], fallen[64], tiers[64];
    if (c->people == 0) {
        snprintf(out, SS_BACKTEST_WORDS_MAX, "Nobody is scored at the end of the history.");
        return out;
    }
    snprintf(out, SS_BACKTEST_WORDS_MAX,
             "Scores move %s: by %.1f points on average, %s of %s people up and %s down; %s change "
             "tier. The distribution shows %s (PSI %.4f).",
             size_of_move(c->mean_distance), c->mean_distance,
             ss_backtest_count_words(risen, c->risen), ss_backtest_count_words(people, c->people),
             ss_backtest_count_words(fallen, c->fallen),
             ss_backtest_count_words(tiers, c->tier_up + c->tier_down),
             ss_statistics_psi_text(c->psi.band), c->psi.value);
    return out;
}

char *ss_backtest_labels_verdict(char *out, const struct ss_backtest_result *result)
{
    const struct ss_backtest_labelled *l = &result->labelled;
    const struct ss_discrimination *champion = &l->of[0].of[SS_BACKTEST_SCORE];
    char p[SS_BACKTEST_WORDS_MAX], p_difference[SS_BACKTEST_WORDS_MAX];
    if (champion->verdict == SS_STATISTICS_NOTHING ||
        champion->verdict == SS_STATISTICS_ONE_CLASS) {
        snprintf(out, SS_BACKTEST_WORDS_MAX, "The labels measure nothing: %s.",
                 ss_statistics_verdict_text(champion->verdict));
        return out;
    }
    size_t used = (size_t)snprintf(
        out, SS_BACKTEST_WORDS_MAX, "The champion's score %s: AUC %.4f, p %s%s",
        champion->p >= 0.05    ? "shows no significant link to the outcome"
        : champion->auc >= 0.5 ? "is linked to the outcome beyond chance"
                               : "is linked to the outcome upside down: the better, the worse",
        champion->auc, ss_backtest_p_words(p, champion->p),
        champion->verdict == SS_STATISTICS_FINE ? "." : ", but no interval: ");
    if (champion->verdict != SS_STATISTICS_FINE)
        used += (size_t)snprintf(out + used, SS_BACKTEST_WORDS_MAX - used, "%s.",
                                 ss_statistics_verdict_text(champion->verdict));
    if (!result->has_challenger)
        return out;
    const struct ss_auc_difference *d = &l->differences[SS_BACKTEST_SCORE];
    if (d->verdict == SS_STATISTICS_ONE_VALUE)
        snprintf(out + used, SS_BACKTEST_WORDS_MAX - used, " The challenger ranks them alike.");
    else if (d->verdict != SS_STATISTICS_FINE)
        snprintf(out + used, SS_BACKTEST_WORDS_MAX - used,
                 " The challenger's AUC is %.4f; the two cannot be tested against each other: %s.",
                 d->second, ss_statistics_verdict_text(d->verdict));
    else
        snprintf(out + used, SS_BACKTEST_WORDS_MAX - used,
                 " The challenger's is %.4f, %+.4f (95 %%: %+.4f to %+.4f, p %s): %s.", d->second,
                 d->difference, d->interval.low, d->interval.high,
                 ss_backtest_p_words(p_difference, d->p),
                 d->p >= 0.05        ? "no more than chance would give"
                 : d->difference > 0 ? "better beyond chance"
                                     : "worse beyond chance");
    return out;
}

const char *ss_backtest_friends_words(const struct ss_backtest_result *result)
{
    if (result->friends_cut)
        return "Friends are followed by what they were told at the time, under every model alike; "
               "retention took the beginning of it, and who was confirmed before counts for "
               "nothing.";
    if (result->friends_followed)
        return "Friends are followed by what they were told at the time, under every model alike.";
    if (result->friends_left_out)
        return "Friends are not followed: relationships stand at neutral under every model.";
    return "";
}
