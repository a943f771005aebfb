#include "golden.h"

/* Symbols as in schemas/scores.avsc, in the order of the enumerators. */
static const char *const kinds[] = {"UPDATE", "BLACKLIST_DROP", "BLACKLIST_RESTORE",
                                    "OPT_IN", "OPT_OUT",        "OVERDUE",
                                    "AGED",   "NEIGHBOUR",      "RESCORE"};
static const char *const standings[] = {"NONE", "SCORED", "LISTED", "OPTED_OUT"};
static const char *const reason_factors[] = {"HISTORY",         "BEHAVIOUR",     "FULFILMENT",
                                             "CHARACTERISTICS", "RELATIONSHIPS", "NONE"};

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *integer_or_null(bool there, int64_t value)
{
    return there ? json_integer(value) : json_null();
}

static json_t *text_or_null(struct ss_text text)
{
    return text.size ? json_stringn(text.data, text.size) : json_null();
}

static json_t *factors_of(const struct ss_score *score)
{
    json_t *factors = json_object();
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        json_t *factor = json_object();
        set(factor, "value", json_integer(score->factors[f].value));
        set(factor, "weight", json_integer(score->factors[f].weight));
        set(factor, "points", json_integer(score->factors[f].points_centi));
        set(factors, ss_factor_name((enum ss_factor)f), factor);
    }
    return factors;
}

static json_t *reasons_of(const struct ss_score *score)
{
    json_t *reasons = json_array();
    for (int i = 0; i < score->reason_count; i++) {
        json_t *reason = json_object();
        set(reason, "code", json_stringn(score->reasons[i].code.data, score->reasons[i].code.size));
        set(reason, "factor", json_string(reason_factors[score->reasons[i].factor]));
        set(reason, "points", json_integer(score->reasons[i].points_centi));
        json_array_append_new(reasons, reason);
    }
    return reasons;
}

static json_t *record_of(const struct ss_score_record *record)
{
    json_t *out = json_object(), *positions = json_object();
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        set(positions, ss_input_name((enum ss_input)i), json_integer(record->positions[i]));
    set(out, "user_id", text_or_null(record->user_id));
    set(out, "sequence", json_integer(record->sequence));
    set(out, "kind", json_string(kinds[record->kind]));
    set(out, "standing", json_string(standings[record->standing]));
    set(out, "score", integer_or_null(record->has_score, record->score.score));
    set(out, "previous_score", integer_or_null(record->has_previous, record->previous_score));
    set(out, "tier", record->tier_name ? json_string(record->tier_name) : json_null());
    set(out, "factors", record->has_score ? factors_of(&record->score) : json_null());
    set(out, "reasons", reasons_of(&record->score));
    set(out, "case_id", text_or_null(record->case_id));
    set(out, "event_id", record->has_cause ? text_or_null(record->cause.event_id) : json_null());
    set(out, "positions", positions);
    set(out, "consent_position", json_integer(record->consent_position));
    set(out, "as_of", json_integer(record->as_of_ms));
    set(out, "clock", json_integer(record->clock_ms));
    json_t *friends = json_object();
    set(friends, "confirmed", json_integer(record->friends_confirmed));
    set(friends, "bands", json_integer(record->friends_bands));
    set(out, "friends", friends);
    set(out, "model_version", json_string(record->model_version));
    return out;
}

static json_t *entitlements_of(const struct ss_effects *effects)
{
    json_t *out = json_array();
    for (int i = 0; i < effects->entitlement_count; i++) {
        const struct ss_entitlement *entitlement = &effects->entitlements[i];
        bool granted = entitlement->action == SS_ENTITLEMENT_GRANTED;
        json_t *one = json_object();
        set(one, "action", json_string(granted ? "GRANTED" : "REVOKED"));
        set(one, "benefit_id", json_string(entitlement->benefit->id));
        set(one, "score", integer_or_null(entitlement->has_score, entitlement->score));
        set(one, "sequence", json_integer(entitlement->sequence));
        json_array_append_new(out, one);
    }
    return out;
}

void golden_passed(json_t *passed, const struct ss_effects *effects)
{
    if (!effects->has_record)
        return;
    json_t *one = json_object();
    set(one, "record", record_of(&effects->record));
    set(one, "entitlements", entitlements_of(effects));
    json_array_append_new(passed, one);
}

json_t *golden_result(const struct ss_event *event, const struct ss_context *context,
                      json_t *passed, enum ss_outcome outcome, enum ss_refusal refusal,
                      const struct ss_effects *effects)
{
    json_t *out = json_object();
    set(out, "topic", json_string(ss_input_name(event->input)));
    set(out, "partition", json_integer(context->partition));
    set(out, "offset", json_integer(context->offset));
    set(out, "passed", passed);
    set(out, "outcome", json_string(ss_outcome_name(outcome)));
    set(out, "refusal",
        outcome == SS_REFUSED ? json_string(ss_refusal_name(refusal)) : json_null());
    set(out, "record", effects->has_record ? record_of(&effects->record) : json_null());
    set(out, "entitlements", entitlements_of(effects));
    return out;
}

void golden_message(json_t *result, const struct ss_event *event)
{
    static const char *const messages[] = {"BAND", "QUESTION", "GONE"};
    json_t *message = json_object();
    set(message, "to", text_or_null(event->user_id));
    set(message, "from", text_or_null(event->neighbour.from));
    set(message, "kind", json_string(messages[event->neighbour.action]));
    set(message, "band", json_integer(event->neighbour.band));
    set(message, "occurred_at", json_integer(event->occurred_at_ms));
    set(result, "message", message);
}
