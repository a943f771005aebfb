/* golden.h - events and results as JSON lines; README.md has the format. For the test tool only. */
#ifndef SS_TESTS_GOLDEN_H
#define SS_TESTS_GOLDEN_H

#include "scoring/apply.h"

#include <jansson.h>
#include <stdio.h>

/* Fills *event and the partition, offset and record time and clock of *context from one line of the
 * log. Texts borrow from line. NULL, or what is wrong with it. */
const char *golden_event(json_t *line, struct ss_event *event, struct ss_context *context);

/* Appends what a step of time has published, if anything. */
void golden_passed(json_t *passed, const struct ss_effects *effects);

/* Adds what a message says to its result. */
void golden_message(json_t *result, const struct ss_event *event);

/* One line of results, which takes `passed` over; the caller releases it. */
json_t *golden_result(const struct ss_event *event, const struct ss_context *context,
                      json_t *passed, enum ss_outcome outcome, enum ss_refusal refusal,
                      const struct ss_effects *effects);

/* Appends the score record and the entitlements, or a message to a friend, as they go to topics:
 * Avro behind the wire header of schema 0. Ends the program where that fails. */
void golden_avro(const struct ss_effects *effects, FILE *out);
void golden_avro_event(const struct ss_event *event, FILE *out);

#endif
