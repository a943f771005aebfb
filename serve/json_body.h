/* json_body.h - a body in JSON. */
#ifndef SS_SERVE_JSON_BODY_H
#define SS_SERVE_JSON_BODY_H

#include "base/bytes.h"

#include <jansson.h>

/* Appends it for people to read, ended by a newline, and takes the reference; NULL counts as out of
 * memory. false: out of memory or over the buffer's maximum. */
SS_MUST_USE bool ss_json_body_append(struct ss_buffer *body, json_t *json);

#endif
