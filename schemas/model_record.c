#include "schemas/model_record.h"

#include "schemas/encode.h"
#include "schemas/texts.h"

enum { NUMBERS_MAX = 10 }; /* lengths, branches and numbers of one entry, at most */

const char *ss_schema_of_models(void)
{
    return ss_schema_texts[SS_SCHEMA_OF_MODELS].json;
}

enum ss_status ss_model_entry_encode(uint32_t schema_id, const struct ss_model_entry *entry,
                                     struct ss_buffer *out, struct ss_error *err)
{
    size_t size = NUMBERS_MAX * SS_VARINT_MAX + (size_t)entry->published_by.size +
                  entry->version.size + entry->canonical.size + entry->structural.size +
                  entry->source.size + entry->person.size + entry->business.size;
    uint8_t *p = ss_encode_begin(out, schema_id, size, err);
    if (!p)
        return SS_STOP;
    p = ss_varint_write(p, entry->published_at_ms);
    p = ss_put_text(p, entry->published_by);
    p = ss_varint_write(p, entry->is_activation);
    if (entry->is_activation) {
        p = ss_varint_write(p, entry->epoch);
        p = ss_put_text(p, entry->person);
        p = ss_varint_write(p, entry->business.size > 0);
        if (entry->business.size > 0)
            p = ss_put_text(p, entry->business);
    } else {
        p = ss_put_text(p, entry->version);
        p = ss_put_text(p, entry->canonical);
        p = ss_put_text(p, entry->structural);
        p = ss_put_text(p, entry->source);
    }
    return ss_encode_end(out, p);
}

/* Once something did not fit, the reader is bad for good and gives zeros. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static int64_t get_number(struct reader *r, int64_t min, int64_t max)
{
    int64_t value = 0;
    if (!r->bad && ss_varint_read(&r->at, r->end, &value) && value >= min && value <= max)
        return value;
    r->bad = true;
    return 0;
}

static struct ss_text get_text(struct reader *r)
{
    int64_t size = get_number(r, 0, INT32_MAX);
    if (r->bad || size > r->end - r->at) {
        r->bad = true;
        return (struct ss_text){0};
    }
    struct ss_text text = {(const char *)r->at, (uint32_t)size};
    r->at += size;
    return text;
}

enum ss_status ss_model_entry_decode(struct ss_bytes value, struct ss_model_entry *entry,
                                     struct ss_error *err)
{
    uint32_t schema_id;
    struct ss_bytes body;
    *entry = (struct ss_model_entry){0};
    enum ss_status status = ss_wire_open(value, &schema_id, &body, err);
    if (status != SS_OK)
        return status;
    struct reader r = {.at = body.data, .end = (const uint8_t *)body.data + body.size};
    entry->published_at_ms = get_number(&r, INT64_MIN, INT64_MAX);
    entry->published_by = get_text(&r);
    entry->is_activation = get_number(&r, 0, 1) == 1;
    if (entry->is_activation) {
        entry->epoch = (int32_t)get_number(&r, 0, INT32_MAX);
        entry->person = get_text(&r);
        if (get_number(&r, 0, 1) == 1)
            entry->business = get_text(&r);
    } else {
        entry->version = get_text(&r);
        entry->canonical = get_text(&r);
        entry->structural = get_text(&r);
        entry->source = get_text(&r);
    }
    if (r.bad || r.at != r.end)
        return ss_fail(err, SS_DROP, "%zu bytes are no entry of the topic of models", value.size);
    return SS_OK;
}
