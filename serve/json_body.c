#include "serve/json_body.h"

#include <stdlib.h>

bool ss_json_body_append(struct ss_buffer *body, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(4)) : NULL;
    bool done =
        text && ss_buffer_append(body, text, strlen(text)) && ss_buffer_append(body, "\n", 1);
    free(text);
    json_decref(json);
    return done;
}
