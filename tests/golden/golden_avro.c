#include "golden.h"
#include "schemas/codec.h"

#include <stdlib.h>

enum { BYTES_MAX = 64 * 1024 };

static void put(struct ss_buffer *bytes, enum ss_status status, const struct ss_error *err,
                FILE *out)
{
    if (status != SS_OK || fwrite(bytes->data, 1, bytes->size, out) != bytes->size) {
        fprintf(stderr, "cannot write a record: %s\n", status == SS_OK ? "disk" : err->detail);
        exit(2);
    }
    ss_buffer_reset(bytes);
}

void golden_avro(const struct ss_effects *effects, FILE *out)
{
    struct ss_buffer bytes;
    struct ss_error err;
    if (!effects->has_record && effects->entitlement_count == 0)
        return;
    ss_buffer_init(&bytes, BYTES_MAX);
    enum ss_status status =
        effects->has_record ? ss_encode_score(0, &effects->record, &bytes, &err) : SS_OK;
    for (int i = 0; status == SS_OK && i < effects->entitlement_count; i++)
        status = ss_encode_entitlement(0, &effects->entitlements[i], &bytes, &err);
    put(&bytes, status, &err, out);
}

void golden_avro_event(const struct ss_event *event, FILE *out)
{
    struct ss_buffer bytes;
    struct ss_error err;
    ss_buffer_init(&bytes, BYTES_MAX);
    enum ss_status status = ss_encode_event(0, event, &bytes, &err);
    put(&bytes, status, &err, out);
}
