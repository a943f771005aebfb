/* helper_avro.h - avro-c as the other opinion: random values of any schema, and their bytes. */
#ifndef SS_TEST_HELPER_AVRO_H
#define SS_TEST_HELPER_AVRO_H

#include "helper_events.h"

#include <avro.h>

/* Parses or fails the test. */
avro_schema_t ref_parse(const char *json);
/* A value of a schema; the caller calls avro_value_decref. */
avro_value_t ref_new(avro_schema_t schema);
/* Fills a value at random: unions, arrays, maps and recursive types included. */
void ref_randomise(struct rng *rng, avro_value_t *value, int depth);
/* The value's bytes in an allocation of exactly their size; the caller frees. */
struct ss_bytes ref_bytes(avro_value_t *value);
/* Reads bytes into a value that has their schema; false unless they are exactly one value. */
bool ref_read(avro_value_t *value, struct ss_bytes bytes);
/* A scalar behind any unions. */
struct value ref_scalar(const avro_value_t *value);
/* A field at a path such as "cause.topic", unions within it followed. */
struct value ref_at(const avro_value_t *record, const char *path);

#endif
