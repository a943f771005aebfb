#include "schemas/model_record.h"

#include "schemas/encode.h"
#include "schemas/texts.h"
#include "schemas/wire_reader.h"

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

enum ss_status ss_model_entry_decode(struct ss_bytes value, struct ss_model_entry *entry,
                                     struct ss_error *err)
{
    uint32_t schema_id;
    struct ss_bytes body;
    *entry = (struct ss_model_entry){0};
    enum ss_status status = ss_wire_open(value, &schema_id, &body, err);
    if (status != SS_OK)
        return status;
    struct ss_wire_reader r = ss_wire_reader_of(body);
    entry->published_at_ms = ss_wire_long(&r);
    entry->published_by = ss_wire_text(&r);
    entry->is_activation = ss_wire_has(&r);
    if (entry->is_activation) {
        entry->epoch = (int32_t)ss_wire_number(&r, 0, INT32_MAX);
        entry->person = ss_wire_text(&r);
        if (ss_wire_has(&r))
            entry->business = ss_wire_text(&r);
    } else {
        entry->version = ss_wire_text(&r);
        entry->canonical = ss_wire_text(&r);
        entry->structural = ss_wire_text(&r);
        entry->source = ss_wire_text(&r);
    }
    if (r.bad || r.at != r.end)
        return ss_fail(err, SS_DROP, "%zu bytes are no entry of the topic of models", value.size);
    return SS_OK;
}
