/* encode_score.c - what subscribers get: score and entitlement records by our schemas. */
#include "schemas/encode.h"
#include "schemas/texts.h"

/* Lengths, enums, branches and numbers of one record, at most: positions take one each. */
enum { NUMBERS_MAX = 34 + SS_INPUT_COUNT + 3 * SS_FACTOR_COUNT + 3 * SS_REASONS_MAX };

static uint8_t *put_string(uint8_t *p, const char *text)
{
    return ss_put_bytes(p, text, strlen(text));
}

static uint8_t *put_nullable_int(uint8_t *p, bool has, int32_t value)
{
    p = ss_varint_write(p, has);
    return has ? ss_varint_write(p, value) : p;
}

static size_t cause_text_size(const struct ss_cause *cause, bool has)
{
    return !has ? 0 : ss_schema_texts[cause->input].name_size + cause->event_id.size;
}

static uint8_t *put_cause(uint8_t *p, const struct ss_cause *cause, bool has)
{
    p = ss_varint_write(p, has);
    if (!has)
        return p;
    p = ss_put_bytes(p, ss_schema_texts[cause->input].name,
                     ss_schema_texts[cause->input].name_size);
    p = ss_varint_write(p, cause->partition);
    p = ss_varint_write(p, cause->offset);
    return ss_put_text(p, cause->event_id);
}

static uint8_t *put_factors(uint8_t *p, const struct ss_score_record *record)
{
    p = ss_varint_write(p, record->has_score);
    for (int i = 0; record->has_score && i < SS_FACTOR_COUNT; i++) {
        p = ss_varint_write(p, record->score.factors[i].value);
        p = ss_varint_write(p, record->score.factors[i].weight);
        p = ss_varint_write(p, record->score.factors[i].points_centi);
    }
    return p;
}

static int reason_count(const struct ss_score_record *record)
{
    return record->has_score ? record->score.reason_count : 0;
}

static size_t codes_size(const struct ss_score_record *record)
{
    const int count = reason_count(record);
    size_t size = 0;
    assert(count >= 0 && count <= SS_REASONS_MAX);
    for (int i = 0; i < count; i++)
        size += record->score.reasons[i].code.size;
    return size;
}

/* An array: one block of all its items, then an empty one. */
static uint8_t *put_reasons(uint8_t *p, const struct ss_score_record *record)
{
    const int count = reason_count(record);
    if (count)
        p = ss_varint_write(p, count);
    for (int i = 0; i < count; i++) {
        const struct ss_reason *reason = &record->score.reasons[i];
        p = ss_put_text(p, reason->code);
        /* The symbols begin with NONE, and LISTED is of no factor. */
        int factor = (int)reason->factor;
        p = ss_varint_write(p, factor == SS_FACTOR_COUNT ? 0 : 1 + factor);
        p = ss_varint_write(p, reason->points_centi);
    }
    return ss_varint_write(p, 0);
}

static bool sees(uint32_t fields, enum ss_score_field field)
{
    return fields & SS_FIELD_BIT(field);
}

enum ss_status ss_encode_shared_score(uint32_t schema_id, uint32_t fields,
                                      const struct ss_score_record *record, struct ss_buffer *out,
                                      struct ss_error *err)
{
    const size_t version_size = strlen(record->model_version);
    const size_t tier_size = record->tier_name ? strlen(record->tier_name) : 0;
    size_t size = NUMBERS_MAX * SS_VARINT_MAX + codes_size(record) + record->user_id.size +
                  record->case_id.size + cause_text_size(&record->cause, record->has_cause) +
                  version_size + tier_size;

    uint8_t *p = ss_encode_begin(out, schema_id, size, err);
    if (!p)
        return SS_STOP;
    p = ss_put_text(p, record->user_id);
    if (sees(fields, SS_FIELD_SEQUENCE))
        p = ss_varint_write(p, record->sequence);
    if (sees(fields, SS_FIELD_KIND))
        p = ss_varint_write(p, record->kind);
    if (sees(fields, SS_FIELD_STANDING))
        p = ss_varint_write(p, record->standing);
    if (sees(fields, SS_FIELD_SCORE))
        p = put_nullable_int(p, record->has_score, record->score.score);
    if (sees(fields, SS_FIELD_PREVIOUS_SCORE))
        p = put_nullable_int(p, record->has_previous, record->previous_score);
    if (sees(fields, SS_FIELD_TIER)) {
        p = ss_varint_write(p, record->tier_name != NULL);
        if (record->tier_name)
            p = ss_put_bytes(p, record->tier_name, tier_size);
    }
    if (sees(fields, SS_FIELD_FACTORS))
        p = put_factors(p, record);
    if (sees(fields, SS_FIELD_REASONS))
        p = put_reasons(p, record);
    if (sees(fields, SS_FIELD_CASE_ID)) {
        p = ss_varint_write(p, record->case_id.size > 0);
        if (record->case_id.size)
            p = ss_put_text(p, record->case_id);
    }
    if (sees(fields, SS_FIELD_CAUSE))
        p = put_cause(p, &record->cause, record->has_cause);
    if (sees(fields, SS_FIELD_POSITIONS))
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            p = ss_varint_write(p, record->positions[i]);
    if (sees(fields, SS_FIELD_CONSENT_POSITIONS))
        p = ss_varint_write(p, record->consent_position);
    if (sees(fields, SS_FIELD_AS_OF))
        p = ss_varint_write(p, record->as_of_ms);
    if (sees(fields, SS_FIELD_CLOCK))
        p = ss_varint_write(p, record->clock_ms);
    if (sees(fields, SS_FIELD_FRIENDS)) {
        p = ss_varint_write(p, record->friends_confirmed);
        p = ss_varint_write(p, record->friends_bands);
    }
    if (sees(fields, SS_FIELD_MODEL_VERSION))
        p = ss_put_bytes(p, record->model_version, version_size);
    if (sees(fields, SS_FIELD_PERCENTILE))
        p = put_nullable_int(p, record->has_rank, record->percentile);
    if (sees(fields, SS_FIELD_RANKS)) {
        p = ss_varint_write(p, record->has_rank);
        if (record->has_rank)
            p = ss_varint_write(p, record->ranks_offset);
    }
    return ss_encode_end(out, p);
}

enum ss_status ss_encode_score(uint32_t schema_id, const struct ss_score_record *record,
                               struct ss_buffer *out, struct ss_error *err)
{
    return ss_encode_shared_score(schema_id, SS_FIELDS_ALL, record, out, err);
}

enum ss_status ss_encode_entitlement(uint32_t schema_id, const struct ss_entitlement *entitlement,
                                     struct ss_buffer *out, struct ss_error *err)
{
    const struct ss_benefit *benefit = entitlement->benefit;
    size_t size = NUMBERS_MAX * SS_VARINT_MAX + entitlement->user_id.size + strlen(benefit->id) +
                  strlen(benefit->title) +
                  cause_text_size(&entitlement->cause, entitlement->has_cause) +
                  strlen(entitlement->model_version);
    uint8_t *p = ss_encode_begin(out, schema_id, size, err);
    if (!p)
        return SS_STOP;
    p = ss_put_text(p, entitlement->user_id);
    p = ss_varint_write(p, entitlement->action);
    p = put_string(p, benefit->id);
    p = put_string(p, benefit->title);
    p = ss_varint_write(p, benefit->threshold);
    p = put_nullable_int(p, entitlement->has_score, entitlement->score);
    p = ss_varint_write(p, entitlement->sequence);
    p = ss_varint_write(p, entitlement->as_of_ms);
    p = put_cause(p, &entitlement->cause, entitlement->has_cause);
    return ss_encode_end(out, put_string(p, entitlement->model_version));
}
