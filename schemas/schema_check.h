/* schema_check.h - a last look at schemas that leave the house. Internal to schemas/. */
#ifndef SS_SCHEMAS_SCHEMA_CHECK_H
#define SS_SCHEMAS_SCHEMA_CHECK_H

#include "base/status.h"

/* SS_STOP unless both our parser and avro-c take the schema: what we register, and what we write
 * into files, others have to be able to read. */
SS_MUST_USE enum ss_status ss_schema_check(const char *json, struct ss_error *err);

#endif
