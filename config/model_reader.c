#include "config/model_reader.h"
#include "config/model_file.h"
#include "config/number.h"
#include "config/suggest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Amounts in events stay below 10^12, and with it (x - x0) * (y1 - y0) fits 64 bits. */
#define CURVE_X_MAX INT64_C(1000000000000)

struct ss_place ss_model_place(const char *where, const char *key)
{
    struct ss_place place;
    snprintf(place.text, sizeof place.text, "%s.%s", where, key);
    return place;
}

enum ss_status ss_model_fail(const struct ss_model_reader *reader, int line, const char *where,
                             const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ss_fail(reader->err, SS_STOP, "%s:%d: %s%s%s", reader->source, line, where,
                   *where ? ": " : "", text);
}

enum ss_status ss_model_read_map(const struct ss_model_reader *reader,
                                 const struct ss_yaml_node *node, const char *where,
                                 const char *const *keys, int key_count)
{
    if (node->kind != SS_YAML_MAP)
        return ss_model_fail(reader, node->line, where, "must be a map of `name: value` lines");
    for (const struct ss_yaml_node *child = node->first; child; child = child->next) {
        bool known = false;
        for (int i = 0; i < key_count && !known; i++)
            known = strcmp(child->key, keys[i]) == 0;
        if (known)
            continue;
        const char *meant = ss_suggest(child->key, keys, (size_t)key_count);
        if (meant)
            return ss_model_fail(reader, child->line, where,
                                 "'%.40s' is not known here; did you mean '%s'?", child->key,
                                 meant);
        return ss_model_fail(reader, child->line, where, "'%.40s' is not known here; remove it",
                             child->key);
    }
    for (int i = 0; i < key_count; i++)
        if (!ss_yaml_find(node, keys[i]))
            return ss_model_fail(reader, node->line, where, "'%s' is missing; add it", keys[i]);
    return SS_OK;
}

enum ss_status ss_model_read_list(const struct ss_model_reader *reader,
                                  const struct ss_yaml_node *node, const char *where, int count_min,
                                  int count_max)
{
    if (node->kind != SS_YAML_LIST)
        return ss_model_fail(reader, node->line, where, "must be a list");
    if (node->count < count_min || node->count > count_max) {
        if (count_min == count_max)
            return ss_model_fail(reader, node->line, where, "has %d entries; must have %d",
                                 node->count, count_min);
        return ss_model_fail(reader, node->line, where, "has %d entries; allowed are %d to %d",
                             node->count, count_min, count_max);
    }
    return SS_OK;
}

static enum ss_status read_int(const struct ss_model_reader *reader,
                               const struct ss_yaml_node *node, const char *where, int64_t min,
                               int64_t max, int64_t *out)
{
    if (node->kind != SS_YAML_SCALAR)
        return ss_model_fail(reader, node->line, where,
                             "must be a whole number from %" PRId64 " to %" PRId64, min, max);
    switch (ss_number_parse(node->text, min, max, out)) {
    case SS_NUMBER_OK:
        return SS_OK;
    case SS_NUMBER_OUT_OF_RANGE:
        return ss_model_fail(reader, node->line, where,
                             "%.40s is out of range; allowed are %" PRId64 " to %" PRId64,
                             node->text, min, max);
    default:
        return ss_model_fail(reader, node->line, where,
                             "'%.40s' is not a whole number; allowed are %" PRId64 " to %" PRId64,
                             node->text, min, max);
    }
}

enum ss_status ss_model_read_int32(const struct ss_model_reader *reader,
                                   const struct ss_yaml_node *node, const char *where, int32_t min,
                                   int32_t max, int32_t *out)
{
    int64_t value = 0;
    enum ss_status status = read_int(reader, node, where, min, max, &value);
    *out = (int32_t)value;
    return status;
}

enum ss_status ss_model_read_name(const struct ss_model_reader *reader,
                                  const struct ss_yaml_node *node, const char *where,
                                  size_t size_max, char *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const char *text = node->kind == SS_YAML_SCALAR ? node->text : "";
    size_t size = strlen(text);
    if (size == 0 || size > size_max || strspn(text, letters) != size)
        return ss_model_fail(reader, node->line, where,
                             "'%.60s' is not a name; 1 to %zu of a-z, 0-9 and - are allowed", text,
                             size_max);
    memcpy(out, text, size + 1);
    return SS_OK;
}

enum ss_status ss_model_read_curve(const struct ss_model_reader *reader,
                                   const struct ss_yaml_node *node, const char *where,
                                   int32_t y_max, struct ss_curve *out)
{
    enum ss_status status = ss_model_read_list(reader, node, where, 1, SS_CURVE_POINTS_MAX);
    if (status != SS_OK)
        return status;
    out->count = 0;
    for (const struct ss_yaml_node *point = node->first; point; point = point->next) {
        if (point->kind != SS_YAML_LIST || point->count != 2)
            return ss_model_fail(reader, point->line, where, "each point must be [x, y]");
        int i = out->count;
        status = read_int(reader, point->first, where, -CURVE_X_MAX, CURVE_X_MAX, &out->x[i]);
        if (status == SS_OK)
            status = ss_model_read_int32(reader, point->first->next, where, 0, y_max, &out->y[i]);
        if (status != SS_OK)
            return status;
        if (i > 0 && out->x[i] <= out->x[i - 1])
            return ss_model_fail(reader, point->line, where,
                                 "x must ascend strictly, but %" PRId64 " comes after %" PRId64
                                 "; put the points in order",
                                 out->x[i], out->x[i - 1]);
        out->count++;
    }
    return SS_OK;
}

static uint64_t power_of_ten(int exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

bool ss_model_rate(const char *rate_text, int decimals, int base_decimals, int64_t *numerator,
                   int64_t *denominator)
{
    uint64_t digits = 0;
    int digit_count = 0;
    int fraction = 0;
    bool point = false;
    for (const char *c = rate_text; *c; c++) {
        if (*c == '.' && !point && digit_count > 0 && c[1]) {
            point = true;
        } else if (*c >= '0' && *c <= '9' && ++digit_count <= 12) {
            digits = digits * 10 + (uint64_t)(*c - '0');
            fraction += point;
        } else {
            return false;
        }
    }
    if (digits == 0)
        return false;
    /* At most 10^12 * 10^4 on either side. */
    uint64_t over = digits * power_of_ten(base_decimals);
    uint64_t under = power_of_ten(fraction) * power_of_ten(decimals);
    uint64_t a = over;
    uint64_t b = under;
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    *numerator = (int64_t)(over / a);
    *denominator = (int64_t)(under / a);
    return *numerator <= SS_RATE_TERM_MAX && *denominator <= SS_RATE_TERM_MAX;
}
