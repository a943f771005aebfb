#include "cli/verify_report.h"

#include "cli/time_text.h"
#include "schemas/wire_json.h"

#include <inttypes.h>

enum { FIELD_TEXT_MAX = 400, JSON_TEXT_MAX = 4096 };

struct side {
    const char *name;
    const void *view;
};

static void put_text(FILE *out, const char *data, size_t size)
{
    struct ss_buffer text;
    ss_buffer_init(&text, JSON_TEXT_MAX);
    if (ss_json_append_text(&text, (struct ss_bytes){data, size}))
        fprintf(out, "%.*s", (int)text.size, (const char *)text.data);
    else
        fputs("null", out);
    ss_buffer_reset(&text);
}

static void put_field(struct ss_verify_report *report, const struct ss_proof_field *field,
                      const void *published, const void *recomputed, bool *first)
{
    char texts[2][FIELD_TEXT_MAX];
    const struct side sides[2] = {{"published", published}, {"recomputed", recomputed}};
    for (int i = 0; i < 2; i++)
        field->show(sides[i].view, texts[i], sizeof texts[i]);
    if (!report->json) {
        fprintf(report->out, "    %s: published %s, recomputed %s\n", field->name, texts[0],
                texts[1]);
        return;
    }
    fprintf(report->out, "%s{\"field\":\"%s\"", *first ? "" : ",", field->name);
    for (int i = 0; i < 2; i++) {
        fprintf(report->out, ",\"%s\":", sides[i].name);
        put_text(report->out, texts[i], strlen(texts[i]));
    }
    fputc('}', report->out);
    *first = false;
}

/* Those that differ; where one side is missing, none. The user's id is told on request only. */
static void put_fields(struct ss_verify_report *report, const struct ss_proof_field *fields,
                       size_t count, const void *published, const void *recomputed)
{
    bool first = true;
    if (report->json)
        fputs(",\"fields\":[", report->out);
    for (size_t i = 0; published && recomputed && i < count; i++) {
        if (fields[i].same(published, recomputed))
            continue;
        if (report->show_users || strcmp(fields[i].name, "user_id") != 0)
            put_field(report, &fields[i], published, recomputed, &first);
        else if (!report->json)
            fprintf(report->out, "    user_id: another (--show-users)\n");
    }
    if (report->json)
        fputc(']', report->out);
}

static void put_before(struct ss_verify_report *report, const struct ss_published *before)
{
    char as_of[40];
    ss_time_format(before->as_of_ms, as_of, sizeof as_of);
    if (report->json)
        fprintf(report->out,
                ",\"before\":{\"sequence\":%" PRId64 ",\"standing\":\"%s\",\"score\":%d,"
                "\"as_of\":%" PRId64 ",\"clock\":%" PRId64 "}",
                before->sequence, ss_proof_standing_name((enum ss_standing)before->standing),
                before->score, before->as_of_ms, before->horizon_ms);
    else if (before->standing == SS_STANDING_NONE)
        fprintf(report->out, "    before it: no score\n");
    else
        fprintf(report->out, "    before it: sequence %" PRId64 ", score %d, %s, as of %s\n",
                before->sequence, before->score,
                ss_proof_standing_name((enum ss_standing)before->standing), as_of);
}

static void put_events(struct ss_verify_report *report,
                       const struct ss_proof_difference *difference)
{
    if (report->json)
        fprintf(report->out, ",\"events_left_out\":%zu,\"events\":[", difference->events_left_out);
    else if (difference->events_left_out)
        fprintf(report->out, "    … %zu events more …\n", difference->events_left_out);
    for (size_t i = 0; i < difference->event_count; i++) {
        const struct ss_proof_event *event = &difference->events[i];
        const char *topic = ss_input_name(event->input);
        char at[40];
        ss_time_format(event->occurred_at_ms, at, sizeof at);
        if (report->json) {
            fprintf(report->out,
                    "%s{\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64
                    ",\"occurred_at\":%" PRId64 ",\"event_id\":",
                    i ? "," : "", topic, difference->partition, event->offset,
                    event->occurred_at_ms);
            put_text(report->out, event->event_id.data, event->event_id.size);
            fputc('}', report->out);
            continue;
        }
        fprintf(report->out, "    then: %s[%d] offset %" PRId64 " of %s, event ", topic,
                difference->partition, event->offset, at);
        put_text(report->out, event->event_id.data, event->event_id.size);
        fputc('\n', report->out);
    }
    if (report->json)
        fputc(']', report->out);
}

static void put_head(struct ss_verify_report *report, const struct ss_proof_difference *difference)
{
    bool entitlement = difference->published_entitlement || difference->recomputed_entitlement ||
                       difference->verdict >= SS_PROOF_ENTITLEMENT;
    const bool of_user = difference->verdict != SS_PROOF_HISTOGRAM;
    const char *topic = entitlement ? "entitlements" : of_user ? "scores" : "sesame-ranks";
    const struct ss_score_view *view =
        difference->published ? difference->published : difference->recomputed;
    FILE *out = report->out;
    if (report->json)
        fprintf(out, "{\"difference\":\"%s\",\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64,
                ss_proof_verdict_text(difference->verdict), topic, difference->partition,
                difference->offset);
    else
        fprintf(out, "  %s [%d] %s offset %" PRId64, ss_proof_verdict_text(difference->verdict),
                difference->partition, topic, difference->offset);
    if (of_user)
        fprintf(out, report->json ? ",\"user_hash\":\"%016" PRIx64 "\"" : ", user hash %016" PRIx64,
                difference->user_hash);
    if (of_user && report->show_users) {
        fputs(report->json ? ",\"user\":" : ", user ", out);
        put_text(out, difference->user_id.data, difference->user_id.size);
    }
    if (view)
        fprintf(out,
                report->json ? ",\"kind\":\"%s\",\"sequence\":%" PRId64 ",\"as_of\":%" PRId64
                             : ", %s, sequence %" PRId64 ", as of %" PRId64,
                ss_proof_kind_name(view->kind), view->sequence, view->as_of_ms);
    const struct ss_entitlement_view *grant = difference->published_entitlement
                                                  ? difference->published_entitlement
                                                  : difference->recomputed_entitlement;
    if (grant) {
        char id[80];
        snprintf(id, sizeof id, "%.*s",
                 (int)(grant->benefit_id.size < 60 ? grant->benefit_id.size : 60),
                 grant->benefit_id.data ? grant->benefit_id.data : "");
        fputs(report->json ? ",\"benefit\":" : ", ", out);
        put_text(out, id, strlen(id));
        fprintf(out, report->json ? ",\"sequence\":%" PRId64 : ", sequence %" PRId64,
                grant->sequence);
    }
    if (report->json && difference->why)
        fprintf(out, ",\"why\":\"%s\"", difference->why);
    else if (difference->why)
        fprintf(out, "\n    %s", difference->why);
    if (!report->json)
        fputc('\n', out);
}

void ss_verify_report_difference(struct ss_verify_report *report,
                                 const struct ss_proof_difference *difference)
{
    if (report->shown == report->limit) {
        report->not_shown++;
        return;
    }
    report->shown++;
    put_head(report, difference);
    if (difference->published_entitlement || difference->recomputed_entitlement)
        put_fields(report, ss_proof_entitlement_fields, ss_proof_entitlement_field_count,
                   difference->published_entitlement, difference->recomputed_entitlement);
    else
        put_fields(report, ss_proof_score_fields, ss_proof_score_field_count, difference->published,
                   difference->recomputed);
    if (difference->before)
        put_before(report, difference->before);
    put_events(report, difference);
    if (report->json)
        fputs("}\n", report->out);
}

static void put_json(FILE *out, int32_t partition, const struct ss_proof_result *r, double seconds)
{
    fputc('{', out);
    if (partition >= 0)
        fprintf(out, "\"partition\":%d,", partition);
    fprintf(out,
            "\"records\":%" PRId64 ",\"proven\":%" PRId64 ",\"differing\":%" PRId64
            ",\"missing\":%" PRId64 ",\"erased\":%" PRId64 ",\"out_of_retention\":%" PRId64
            ",\"friends_expired\":%" PRId64 ",\"before_snapshot\":%" PRId64 ",\"newer\":%" PRId64
            ",\"others\":%" PRId64 ",\"undecided\":%" PRId64 ",\"percentiles_proven\":%" PRId64
            ",\"percentiles_differing\":%" PRId64 ",\"percentiles_out_of_retention\":%" PRId64
            ",\"percentiles_unchecked\":%" PRId64 ",\"histograms\":%" PRId64
            ",\"histograms_proven\":%" PRId64 ",\"histograms_differing\":%" PRId64
            ",\"entitlements\":%" PRId64 ",\"entitlements_proven\":%" PRId64
            ",\"entitlements_differing\":%" PRId64 ",\"entitlements_not_judged\":%" PRId64
            ",\"events\":%" PRId64 ",\"users\":%" PRId64 ",\"users_looked_at_again\":%" PRId64
            ",\"records_searched_for\":%" PRId64,
            r->records, r->proven, r->differing, r->missing, r->erased, r->out_of_retention,
            r->friends_expired, r->before_start, r->newer, r->others, r->undecided,
            r->percentiles_proven, r->percentiles_differing, r->percentiles_out_of_retention,
            r->percentiles_unchecked, r->histograms, r->histograms_proven, r->histograms_differing,
            r->entitlements, r->entitlements_proven, r->entitlements_differing,
            r->entitlements_unjudged, r->events, r->users, r->looked_at_again, r->searched);
    if (partition < 0)
        fprintf(out, ",\"holds\":%s,\"seconds\":%.1f", ss_proof_holds(r) ? "true" : "false",
                seconds);
    fputs("}\n", out);
}

static void put_some(FILE *out, int64_t count, const char *what)
{
    if (count)
        fprintf(out, ", %" PRId64 " %s", count, what);
}

static void put_counts(FILE *out, const struct ss_proof_result *r)
{
    fprintf(out,
            "%" PRId64 " score records: %" PRId64 " proven, %" PRId64 " differing, %" PRId64
            " missing, %" PRId64 " erased, %" PRId64 " out of retention",
            r->records, r->proven, r->differing, r->missing, r->erased, r->out_of_retention);
    if (r->friends_expired)
        fprintf(out, " (%" PRId64 " of them: friends' bands expired)", r->friends_expired);
    put_some(out, r->before_start, "older than the snapshot");
    put_some(out, r->newer, "newer than what the group had committed");
    put_some(out, r->others, "of users not asked for");
    fputc('\n', out);
}

static void put_ranks(FILE *out, const struct ss_proof_result *r)
{
    const int64_t percentiles = r->percentiles_proven + r->percentiles_differing +
                                r->percentiles_out_of_retention + r->percentiles_unchecked;
    if (percentiles == 0)
        return;
    fprintf(out, "%" PRId64 " percentiles: %" PRId64 " proven, %" PRId64 " differing", percentiles,
            r->percentiles_proven, r->percentiles_differing);
    put_some(out, r->percentiles_out_of_retention,
             "out of retention (compaction has taken the histograms)");
    put_some(out, r->percentiles_unchecked, "not checked, but for their bounds");
    fprintf(out, "; %" PRId64 " histograms: %" PRId64 " proven, %" PRId64 " differing",
            r->histograms, r->histograms_proven, r->histograms_differing);
    put_some(out, r->histograms_unchecked, "not checked");
    fputc('\n', out);
}

void ss_verify_report_result(struct ss_verify_report *report, int32_t partition,
                             const struct ss_proof_result *result, double seconds)
{
    FILE *out = report->out;
    if (report->json) {
        put_json(out, partition, result, seconds);
        return;
    }
    if (partition >= 0) {
        fprintf(out, "partition %d: ", partition);
        put_counts(out, result);
        return;
    }
    if (report->not_shown)
        fprintf(out, "%" PRId64 " more differences are not shown (--limit)\n", report->not_shown);
    if (result->undecided)
        fprintf(out,
                "of those that differ, %" PRId64
                " were given up looking for: another way may lead to them\n",
                result->undecided);
    fprintf(out, "%" PRId64 " events of %" PRId64 " users read in %.1f s (%.0f/s)\n",
            result->events, result->users, seconds,
            seconds > 0 ? (double)result->events / seconds : 0);
    if (result->entitlements == 0 && result->entitlements_differing > 0)
        fprintf(out,
                "there are no entitlements at all; --no-entitlements verifies the scores alone\n");
    fprintf(out, "%" PRId64 " entitlements: %" PRId64 " proven, %" PRId64 " differing or missing",
            result->entitlements, result->entitlements_proven, result->entitlements_differing);
    put_some(out, result->entitlements_unjudged, "of records that were not recomputed");
    fputc('\n', out);
    put_ranks(out, result);
    put_counts(out, result);
}
