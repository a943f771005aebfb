/* explain_json.c - an explanation as JSON: the same as the text, for programs. Points are numbers
 * with two decimals, times ISO 8601 in UTC, ids as they are (what is not UTF-8 in them replaced).
 */
#include "audit/explain_internal.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *json_safe(struct ss_text text)
{
    char safe[SS_WORDS_SENTENCE] = "";
    ss_words_append(safe, sizeof safe, text);
    return json_string(safe);
}

static json_t *json_time(int64_t time_ms)
{
    char text[SS_WORDS_SHORT];
    return json_string(ss_words_iso(time_ms, text));
}

static json_t *json_points(int32_t centi)
{
    return json_real(centi / 100.0);
}

static const char *kind_name(enum ss_score_kind kind)
{
    static const char *const names[] = {
        [SS_KIND_UPDATE] = "UPDATE",
        [SS_KIND_BLACKLIST_DROP] = "BLACKLIST_DROP",
        [SS_KIND_BLACKLIST_RESTORE] = "BLACKLIST_RESTORE",
        [SS_KIND_OPT_IN] = "OPT_IN",
        [SS_KIND_OPT_OUT] = "OPT_OUT",
        [SS_KIND_OVERDUE] = "OVERDUE",
        [SS_KIND_AGED] = "AGED",
        [SS_KIND_NEIGHBOUR] = "NEIGHBOUR",
        [SS_KIND_RESCORE] = "RESCORE",
        [SS_KIND_SHARED] = "SHARED",
    };
    return kind < sizeof names / sizeof names[0] ? names[kind] : "OTHER";
}

static json_t *score_of(const struct ss_explanation *e)
{
    const struct ss_score_view *view = e->score;
    return json_pack("{s:i, s:i, s:i, s:o, s:s, s:o, s:o, s:I, s:o}", "value", (int)view->score,
                     "lowest", (int)SS_SCORE_MIN, "highest", (int)SS_SCORE_MAX, "tier",
                     json_safe(view->tier), "standing",
                     view->standing == SS_STANDING_LISTED ? "LISTED" : "SCORED", "as_of",
                     json_time(view->as_of_ms), "clock", json_time(view->clock_ms), "sequence",
                     (json_int_t)view->sequence, "model_version", json_safe(view->model_version));
}

static json_t *friends_of(const struct ss_explanation *e)
{
    const struct ss_score_view *view = e->score;
    const bool shown = view->friends_confirmed >= SS_FRIENDS_SHOWN_MIN;
    const double mean = shown ? (double)view->friends_bands / view->friends_confirmed : 0;
    char line[SS_WORDS_SENTENCE];
    return json_pack("{s:i, s:o, s:s}", "confirmed", (int)view->friends_confirmed, "mean_band",
                     shown ? json_real(mean) : json_null(), "words", ss_say_friends(e, line));
}

static json_t *factors_of(const struct ss_score_view *view)
{
    json_t *list = json_array();
    for (int f = 0; view->has_factors && f < SS_FACTOR_COUNT; f++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:f, s:i, s:i}", "factor", ss_factor_name((enum ss_factor)f),
                      "name", ss_words_factor((enum ss_factor)f), "points",
                      json_points(view->factors[f].points_centi), "points_at_most",
                      ss_factor_full(view, (enum ss_factor)f), "value", (int)view->factors[f].value,
                      "weight", (int)view->factors[f].weight));
    return list;
}

static json_t *reasons_of(const struct ss_score_view *view)
{
    json_t *list = json_array();
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        const struct ss_reason_words *words = ss_words_reason(reason->code);
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:o, s:s?, s:s?, s:s?}", "code", json_safe(reason->code),
                            "factor", ss_words_factor(reason->factor), "points_at_most",
                            json_points(reason->points_centi), "brief", words ? words->brief : NULL,
                            "meaning", words ? words->meaning : NULL, "what_helps",
                            words ? words->raise : NULL));
    }
    return list;
}

static json_t *act_of(const struct ss_explanation *e, const struct ss_act *act)
{
    static const char *const kinds[] = {
        [SS_ACT_PAY_OVERDUE] = "PAY_OVERDUE",
        [SS_ACT_PAY_ALL_OVERDUE] = "PAY_ALL_OVERDUE",
        [SS_ACT_REPAY] = "REPAY",
        [SS_ACT_VERIFY] = "VERIFY",
        [SS_ACT_DEGREE] = "DEGREE",
        [SS_ACT_BOOKINGS] = "BOOKINGS",
        [SS_ACT_CLOSE_CASES] = "CLOSE_CASES",
    };
    char line[SS_WORDS_SENTENCE];
    json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:i}", "act", kinds[act->kind], "reason",
                             act->reason, "words", ss_say_act(e, act, line), "gain", (int)act->gain,
                             "score", (int)act->score);
    if (json && act->bill) {
        json_object_set_new(json, "bill_id", json_safe(act->bill->bill_id));
        json_object_set_new(json, "due_at", json_time(act->bill->due_at_ms));
    }
    return json;
}

static json_t *advice_of(const struct ss_explanation *e)
{
    char line[SS_WORDS_SENTENCE];
    json_t *acts = json_array(), *path = json_array();
    if (e->recomputed != SS_RECOMPUTED_SAME) {
        json_decref(acts);
        json_decref(path);
        return json_null();
    }
    for (int i = 0; i < e->advice.act_count; i++)
        json_array_append_new(acts, act_of(e, &e->advice.acts[i]));
    for (int i = 0; i < SS_PATH_MAX; i++)
        json_array_append_new(path, json_pack("{s:i, s:i}", "months", e->advice.path[i].months,
                                              "score", (int)e->advice.path[i].score));
    json_t *json =
        json_pack("{s:i, s:b, s:o, s:s, s:o}", "from_score", (int)e->advice.score,
                  "while_listed_only_closing_cases_helps", (int)e->advice.listed, "acts", acts,
                  "steady_months_words", ss_say_path(e, line), "steady_months", path);
    if (json && e->advice.next_bill)
        json_object_set_new(
            json, "next_bill",
            json_pack("{s:o, s:o, s:i, s:s}", "bill_id", json_safe(e->advice.next_bill->bill_id),
                      "due_at", json_time(e->advice.next_bill->due_at_ms), "loss_if_unpaid",
                      (int)e->advice.unpaid_loss, "words", ss_say_next_bill(e, line)));
    return json;
}

static json_t *privileges_of(const struct ss_explanation *e)
{
    const struct ss_explain_change *last = &e->changes[e->change_count - 1];
    if (!last->benefits_known)
        return json_null();
    json_t *list = json_array();
    for (int b = 0; b < e->model->benefit_count; b++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:b}", "id", e->model->benefits[b].id,
                                        "title", e->model->benefits[b].title, "from_score",
                                        (int)e->model->benefits[b].threshold, "held",
                                        (last->benefits & UINT32_C(1) << b) != 0));
    return list;
}

static json_t *cause_of(const struct ss_explain_change *change)
{
    const struct ss_cause_view *cause = &change->record->view.cause;
    if (!cause->known)
        return json_null();
    json_t *json =
        json_pack("{s:o, s:i, s:I, s:o, s:b}", "topic", json_safe(cause->topic), "partition",
                  (int)cause->partition, "offset", (json_int_t)cause->offset, "event_id",
                  json_safe(cause->event_id), "in_log", change->cause != NULL);
    if (json && change->cause)
        json_object_set_new(json, "occurred_at", json_time(change->cause->event.occurred_at_ms));
    return json;
}

static json_t *moves_of(const struct ss_score_view *was, const struct ss_score_view *is)
{
    json_t *json = json_object();
    for (int f = 0; was && was->has_factors && is->has_factors && f < SS_FACTOR_COUNT; f++)
        if (is->factors[f].points_centi != was->factors[f].points_centi)
            json_object_set_new(
                json, ss_factor_name((enum ss_factor)f),
                json_points(is->factors[f].points_centi - was->factors[f].points_centi));
    return json;
}

static json_t *change_of(const struct ss_explanation *e, size_t i)
{
    const struct ss_explain_change *change = &e->changes[i];
    const struct ss_score_view *view = &change->record->view;
    char line[SS_WORDS_SENTENCE];
    json_t *codes = json_array();
    for (int r = 0; r < view->reason_count; r++)
        json_array_append_new(codes, json_safe(view->reasons[r].code));
    return json_pack(
        "{s:I, s:s, s:o, s:i, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "sequence",
        (json_int_t)view->sequence, "kind", kind_name(view->kind), "as_of",
        json_time(view->as_of_ms), "score", (int)view->score, "previous_score",
        view->has_previous ? json_integer(view->previous_score) : json_null(), "tier",
        json_safe(view->tier), "standing",
        view->standing == SS_STANDING_LISTED ? "LISTED" : "SCORED", "words",
        ss_say_cause(e, change, line), "cause", cause_of(change), "factor_points_moved",
        moves_of(i > 0 ? &change[-1].record->view : NULL, view), "reasons", codes, "record_offset",
        change->record->offset >= 0 ? json_integer(change->record->offset) : json_null());
}

static json_t *explanation_of(const struct ss_explanation *e,
                              const struct ss_explain_issuer *issuer)
{
    static const char *const findings[] = {
        [SS_FOUND_SCORE] = "score",
        [SS_FOUND_NOBODY] = "nobody",
        [SS_FOUND_NO_CONSENT] = "no_consent",
        [SS_FOUND_WITHDRAWN] = "withdrawn",
        [SS_FOUND_NOTHING_YET] = "nothing_yet",
        [SS_FOUND_NOT_THEN] = "not_then",
    };
    static const char *const recomputed[] = {[SS_RECOMPUTED_SAME] = "same",
                                             [SS_RECOMPUTED_NO_MODEL] = "model_not_at_hand",
                                             [SS_RECOMPUTED_OTHER] = "logs_incomplete"};
    char line[SS_WORDS_SENTENCE];
    json_t *json = json_pack(
        "{s:o, s:s, s:s?, s:s?}", "user_id",
        json_safe((struct ss_text){e->history->user_id, (uint32_t)e->history->user_id_size}),
        "finding", findings[e->finding], "issuer", issuer->name, "contact", issuer->contact);
    if (!json)
        return NULL;
    if (e->finding != SS_FOUND_SCORE) {
        json_object_set_new(json, "words", json_string(ss_explain_finding(e->finding)));
        return json;
    }
    json_t *changes = json_array();
    for (size_t i = 0; i < e->change_count; i++)
        if (json_array_append_new(changes, change_of(e, i)) != 0) {
            json_decref(changes);
            json_decref(json);
            return NULL;
        }
    json_object_set_new(json, "score", score_of(e));
    json_object_set_new(json, "percentile",
                        e->score->has_rank ? json_points(e->score->percentile) : json_null());
    json_object_set_new(json, "friends", friends_of(e));
    json_object_set_new(json, "factors", factors_of(e->score));
    json_object_set_new(json, "reasons", reasons_of(e->score));
    json_object_set_new(json, "published", json_boolean(e->history->published));
    json_object_set_new(json, "recomputed", json_string(recomputed[e->recomputed]));
    json_object_set_new(json, "recomputed_from_events", json_integer(e->events_counted));
    json_object_set_new(json, "proof_words", json_string(ss_say_proof(e, line)));
    json_object_set_new(json, "advice", advice_of(e));
    json_object_set_new(json, "privileges", privileges_of(e));
    json_object_set_new(json, "source", json_string(e->history->source));
    json_object_set_new(json, "partition", json_integer(e->history->partition));
    json_object_set_new(json, "changes_begin_late", json_boolean(e->begins_late));
    json_object_set_new(json, "changes", changes);
    json_object_set_new(json, "later_changes", json_integer((json_int_t)e->later));
    return json;
}

enum ss_status ss_explain_json(const struct ss_explanation *explanation,
                               const struct ss_explain_issuer *issuer, struct ss_buffer *out,
                               struct ss_error *err)
{
    json_t *json = explanation_of(explanation, issuer);
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    bool done = text && ss_buffer_append(out, text, strlen(text)) && ss_buffer_append(out, "\n", 1);
    free(text);
    json_decref(json);
    return done ? SS_OK : ss_fail(err, SS_STOP, "the explanation does not fit into memory");
}
