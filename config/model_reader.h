/* model_reader.h - the checks that reading model.yaml is made of; private to config/. Each takes
 * the dotted place of its node in the file, for the error text. */
#ifndef SS_CONFIG_MODEL_READER_H
#define SS_CONFIG_MODEL_READER_H

#include "config/yaml_tree.h"
#include "scoring/model.h"

#include <stdbool.h>

struct ss_model_reader {
    const char *source;
    struct ss_error *err;
};

/* A dotted place, cut at 159 bytes. */
struct ss_place {
    char text[160];
};
struct ss_place ss_model_place(const char *where, const char *key);

/* "SOURCE:LINE: where: text", SS_STOP. */
enum ss_status ss_model_fail(const struct ss_model_reader *reader, int line, const char *where,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A map with exactly the given keys: none missing, none unknown (which gets a suggestion). */
SS_MUST_USE enum ss_status ss_model_read_map(const struct ss_model_reader *reader,
                                             const struct ss_yaml_node *node, const char *where,
                                             const char *const *keys, int key_count);
SS_MUST_USE enum ss_status ss_model_read_list(const struct ss_model_reader *reader,
                                              const struct ss_yaml_node *node, const char *where,
                                              int count_min, int count_max);
SS_MUST_USE enum ss_status ss_model_read_int32(const struct ss_model_reader *reader,
                                               const struct ss_yaml_node *node, const char *where,
                                               int32_t min, int32_t max, int32_t *out);
/* 1 to size_max bytes of [a-z0-9-]; out has room for one more. */
SS_MUST_USE enum ss_status ss_model_read_name(const struct ss_model_reader *reader,
                                              const struct ss_yaml_node *node, const char *where,
                                              size_t size_max, char *out);
/* [[x, y], ...] with x strictly ascending and y from 0 to y_max. */
SS_MUST_USE enum ss_status ss_model_read_curve(const struct ss_model_reader *reader,
                                               const struct ss_yaml_node *node, const char *where,
                                               int32_t y_max, struct ss_curve *out);

/* What one minor unit of a currency is worth in minor units of the base currency, exact and in
 * lowest terms: rate * 10^base_decimals / 10^decimals. rate_text is a decimal such as 7.10. false:
 * not one, zero, or the terms exceed SS_RATE_TERM_MAX. */
bool ss_model_rate(const char *rate_text, int decimals, int base_decimals, int64_t *numerator,
                   int64_t *denominator);

#endif
