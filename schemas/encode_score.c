/* encode_score.c - what subscribers get: score and entitlement records by our schemas. */
#include "schemas/encode.h"
#include "schemas/texts.h"

/* Lengths, enums, branches and numbers of one record, at most: five factors and four reasons take
 * three each, positions one each. */
enum { NUMBERS_MAX = 30 + 3 * SS_FACTOR_COUNT + 3 * SS_REASONS_MAX + SS_INPUT_COUNT };

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
    return !has ? 0 : strlen(ss_schema_texts[cause->input].name) + cause->event_id.size;
}

static uint8_t *put_cause(uint8_t *p, const struct ss_cause *cause, bool has)
{
    p = ss_varint_write(p, has);
    if (!has)
        return p;
    p = put_string(p, ss_schema_texts[cause->input].name);
    p = ss_varint_write(p, cause->partition);
    p = ss_varint_write(p, cause->offset);
    return ss_put_text(p, cause->event_id);
}

static uint8_t *put_factors(uint8_t *p, const struct ss_score *score)
{
    for (int i = 0; i < SS_FACTOR_COUNT; i++) {
        p = ss_varint_write(p, score->factors[i].value);
        p = ss_varint_write(p, score->factors[i].weight);
        p = ss_varint_write(p, score->factors[i].points_centi);
    }
    return p;
}

/* An array: one block of all its items, then an empty one. */
static uint8_t *put_reasons(uint8_t *p, const struct ss_score *score, int count,
                            const size_t code_sizes[SS_REASONS_MAX])
{
    if (count)
        p = ss_varint_write(p, count);
    for (int i = 0; i < count; i++) {
        p = ss_put_bytes(p, score->reasons[i].code, code_sizes[i]);
        /* The symbols begin with NONE, and LISTED is of no factor. */
        int factor = (int)score->reasons[i].factor;
        p = ss_varint_write(p, factor == SS_FACTOR_COUNT ? 0 : 1 + factor);
        p = ss_varint_write(p, score->reasons[i].points_centi);
    }
    return ss_varint_write(p, 0);
}

static bool sees(uint32_t fields, enum ss_score_field field)
{
    return fields & SS_FIELD_BIT(field);
}

/* The part of a record that says what the score is made of and why. */
static uint8_t *put_why(uint8_t *p, const struct ss_score_record *record, uint32_t fields,
                        int reason_count, const size_t code_sizes[SS_REASONS_MAX])
{
    if (sees(fields, SS_FIELD_FACTORS)) {
        p = ss_varint_write(p, record->has_score);
        if (record->has_score)
            p = put_factors(p, &record->score);
    }
    if (sees(fields, SS_FIELD_REASONS))
        p = put_reasons(p, &record->score, reason_count, code_sizes);
    if (sees(fields, SS_FIELD_CASE_ID)) {
        p = ss_varint_write(p, record->case_id.size > 0);
        if (record->case_id.size)
            p = ss_put_text(p, record->case_id);
    }
    if (sees(fields, SS_FIELD_CAUSE))
        p = put_cause(p, &record->cause, record->has_cause);
    return p;
}

enum ss_status ss_encode_shared_score(uint32_t schema_id, uint32_t fields,
                                      const struct ss_score_record *record, struct ss_buffer *out,
                                      struct ss_error *err)
{
    const struct ss_score *score = &record->score;
    int reason_count = record->has_score ? score->reason_count : 0;
    const size_t version_size = strlen(record->model_version);
    const size_t tier_size = record->tier_name ? strlen(record->tier_name) : 0;
    size_t code_sizes[SS_REASONS_MAX];
    size_t size = NUMBERS_MAX * SS_VARINT_MAX + record->user_id.size + record->case_id.size +
                  cause_text_size(&record->cause, record->has_cause) + version_size + tier_size;

    assert(reason_count >= 0 && reason_count <= SS_REASONS_MAX);
    for (int i = 0; i < reason_count; i++)
        size += code_sizes[i] = strlen(score->reasons[i].code);
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
        p = put_nullable_int(p, record->has_score, score->score);
    if (sees(fields, SS_FIELD_PREVIOUS_SCORE))
        p = put_nullable_int(p, record->has_previous, record->previous_score);
    if (sees(fields, SS_FIELD_TIER)) {
        p = ss_varint_write(p, record->tier_name != NULL);
        if (record->tier_name)
            p = ss_put_bytes(p, record->tier_name, tier_size);
    }
    p = put_why(p, record, fields, reason_count, code_sizes);
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
