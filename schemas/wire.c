#include "schemas/codec.h"

enum ss_status ss_wire_open(struct ss_bytes value, uint32_t *schema_id, struct ss_bytes *body,
                            struct ss_error *err)
{
    const uint8_t *p = value.data;
    if (!p)
        return ss_fail(err, SS_DROP, "no value");
    if (value.size < SS_WIRE_HEADER_SIZE)
        return ss_fail(err, SS_DROP, "%zu bytes are too few for the wire header of %d", value.size,
                       SS_WIRE_HEADER_SIZE);
    if (p[0] != 0)
        return ss_fail(err, SS_DROP, "magic byte 0x%02x instead of 0: not the wire format", p[0]);
    *schema_id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    *body = (struct ss_bytes){p + SS_WIRE_HEADER_SIZE, value.size - SS_WIRE_HEADER_SIZE};
    return SS_OK;
}
