/* subscriber_schema.h - subscribers' schemas in the embedded registry: an id says which fields, so
 * that nothing has to be kept. Internal to schemas/. */
#ifndef SS_SCHEMAS_SUBSCRIBER_SCHEMA_H
#define SS_SCHEMAS_SUBSCRIBER_SCHEMA_H

#include "schemas/codec.h"

#define SS_EMBEDDED_SUBSCRIBERS (UINT32_C(1) << 30) /* | the set of fields */

static inline bool ss_embedded_subscriber(uint32_t id)
{
    return (id & ~SS_FIELDS_ALL) == SS_EMBEDDED_SUBSCRIBERS;
}

static inline uint32_t ss_embedded_fields(uint32_t id)
{
    return id & SS_FIELDS_ALL;
}

/* The id of a schema if it is one of ss_schema_of_subscriber, compared as JSON; else 0. */
uint32_t ss_embedded_id(const char *json);

#endif
