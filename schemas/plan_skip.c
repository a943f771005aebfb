/* plan_skip.c - walks over values that nobody wants.
 *
 * The bytes are hostile. A part of a record that is always empty is not among its parts, so that
 * each visit takes at least one byte or fails; a count is checked against what is left before it is
 * looped over; an array of empty values is taken in one step, and not beyond SS_EMPTY_ITEMS_MAX. */
#include "schemas/plan.h"
#include "schemas/varint.h"

enum {
    SS_SKIP_DEPTH_MAX = 128,      /* values within values, as in a linked list */
    SS_EMPTY_ITEMS_MAX = 1 << 20, /* items in a block that takes no bytes for them */
};

/* Each gives the place behind what it has walked over; NULL: the bytes are none such. */

static inline const uint8_t *skip_bytes(const uint8_t *p, const uint8_t *end, int64_t size)
{
    return size < 0 || size > end - p ? NULL : p + size;
}

static inline const uint8_t *read_number(const uint8_t *p, const uint8_t *end, int64_t *number)
{
    return ss_varint_read(&p, end, number) ? p : NULL;
}

static inline const uint8_t *skip_text(const uint8_t *p, const uint8_t *end)
{
    int64_t size;
    p = read_number(p, end, &size);
    return p ? skip_bytes(p, end, size) : NULL;
}

static const uint8_t *skip_parts(const struct ss_plan *plan, const struct ss_skip *type,
                                 const uint8_t *p, const uint8_t *end, int depth);

/* Values without parts right here; others go through skip_parts. */
static inline const uint8_t *skip(const struct ss_plan *plan, const struct ss_skip *type,
                                  const uint8_t *p, const uint8_t *end, int depth)
{
    int64_t n;
    switch (type->kind) {
    case SS_TYPE_INT:
    case SS_TYPE_LONG:
        return read_number(p, end, &n);
    case SS_TYPE_BYTES:
    case SS_TYPE_STRING:
        return skip_text(p, end);
    case SS_TYPE_ENUM: /* has no parts: count is that of its symbols */
        p = read_number(p, end, &n);
        return p && n >= 0 && n < type->count ? p : NULL;
    default:
        return skip_parts(plan, type, p, end, depth);
    }
}

/* Blocks of an array or a map; each item of a map has a key before it. */
static const uint8_t *skip_blocks(const struct ss_plan *plan, const struct ss_skip *type,
                                  const uint8_t *p, const uint8_t *end, int depth)
{
    const struct ss_skip *item = &plan->skips[plan->children[type->first]];
    bool map = type->kind == SS_TYPE_MAP;
    int64_t item_min = (int64_t)item->size_min + map;

    for (;;) {
        int64_t count, size;
        if (!(p = read_number(p, end, &count)) || count == 0)
            return p;
        if (count < 0) { /* the writer tells the block's size, for readers in a hurry */
            if (count == INT64_MIN || !(p = read_number(p, end, &size)))
                return NULL;
            count = -count;
            if (count > (item_min ? size / item_min : SS_EMPTY_ITEMS_MAX) ||
                !(p = skip_bytes(p, end, size)))
                return NULL;
            continue;
        }
        if (count > (item_min ? (end - p) / item_min : SS_EMPTY_ITEMS_MAX))
            return NULL;
        if (item_min == 0)
            continue;
        for (int64_t i = 0; i < count; i++)
            if ((map && !(p = skip_text(p, end))) || !(p = skip(plan, item, p, end, depth + 1)))
                return NULL;
    }
}

static const uint8_t *skip_parts(const struct ss_plan *plan, const struct ss_skip *type,
                                 const uint8_t *p, const uint8_t *end, int depth)
{
    int64_t n;

    if (type->size_min > end - p || depth > SS_SKIP_DEPTH_MAX)
        return NULL;
    switch (type->kind) {
    case SS_TYPE_NULL:
        return p;
    case SS_TYPE_BOOLEAN:
    case SS_TYPE_FLOAT:
    case SS_TYPE_DOUBLE:
    case SS_TYPE_FIXED:
        return skip_bytes(p, end, type->size_min);
    case SS_TYPE_UNION:
        p = read_number(p, end, &n);
        return p && n >= 0 && n < type->count
                   ? skip(plan, &plan->skips[plan->children[type->first + n]], p, end, depth + 1)
                   : NULL;
    case SS_TYPE_ARRAY:
    case SS_TYPE_MAP:
        return skip_blocks(plan, type, p, end, depth);
    case SS_TYPE_RECORD:
        for (uint32_t i = 0; p && i < type->count; i++)
            p = skip(plan, &plan->skips[plan->children[type->first + i]], p, end, depth + 1);
        return p;
    default: /* skip() has taken it */
        return NULL;
    }
}

bool ss_plan_skip(const struct ss_plan *plan, uint32_t index, const uint8_t **cursor,
                  const uint8_t *end)
{
    const uint8_t *behind = skip(plan, &plan->skips[index], *cursor, end, 0);
    if (!behind)
        return false;
    *cursor = behind;
    return true;
}
