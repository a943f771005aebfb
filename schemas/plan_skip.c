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

static bool skip_bytes(const uint8_t **cursor, const uint8_t *end, int64_t size)
{
    if (size < 0 || size > end - *cursor)
        return false;
    *cursor += size;
    return true;
}

static bool skip_text(const uint8_t **cursor, const uint8_t *end)
{
    int64_t size;
    return ss_varint_read(cursor, end, &size) && skip_bytes(cursor, end, size);
}

static bool skip(const struct ss_plan *plan, const struct ss_skip *type, const uint8_t **cursor,
                 const uint8_t *end, int depth);

/* Blocks of an array or a map; each item of a map has a key before it. */
static bool skip_blocks(const struct ss_plan *plan, const struct ss_skip *type,
                        const uint8_t **cursor, const uint8_t *end, int depth)
{
    const struct ss_skip *item = &plan->skips[plan->children[type->first]];
    bool map = type->kind == SS_TYPE_MAP;
    int64_t item_min = (int64_t)item->size_min + map;

    for (;;) {
        int64_t count, size;
        if (!ss_varint_read(cursor, end, &count))
            return false;
        if (count == 0)
            return true;
        if (count < 0) { /* the writer tells the block's size, for readers in a hurry */
            if (count == INT64_MIN || !ss_varint_read(cursor, end, &size))
                return false;
            count = -count;
            if (count > (item_min ? size / item_min : SS_EMPTY_ITEMS_MAX) ||
                !skip_bytes(cursor, end, size))
                return false;
            continue;
        }
        if (count > (item_min ? (end - *cursor) / item_min : SS_EMPTY_ITEMS_MAX))
            return false;
        if (item_min == 0)
            continue;
        for (int64_t i = 0; i < count; i++)
            if ((map && !skip_text(cursor, end)) || !skip(plan, item, cursor, end, depth + 1))
                return false;
    }
}

static bool skip(const struct ss_plan *plan, const struct ss_skip *type, const uint8_t **cursor,
                 const uint8_t *end, int depth)
{
    int64_t n;

    if (type->size_min > end - *cursor || depth > SS_SKIP_DEPTH_MAX)
        return false;
    switch (type->kind) {
    case SS_TYPE_NULL:
        return true;
    case SS_TYPE_BOOLEAN:
        return skip_bytes(cursor, end, 1);
    case SS_TYPE_INT:
    case SS_TYPE_LONG:
        return ss_varint_read(cursor, end, &n);
    case SS_TYPE_FLOAT:
        return skip_bytes(cursor, end, 4);
    case SS_TYPE_DOUBLE:
        return skip_bytes(cursor, end, 8);
    case SS_TYPE_BYTES:
    case SS_TYPE_STRING:
        return skip_text(cursor, end);
    case SS_TYPE_FIXED:
        return skip_bytes(cursor, end, type->size);
    case SS_TYPE_ENUM: /* has no parts: count is that of its symbols */
        return ss_varint_read(cursor, end, &n) && n >= 0 && n < type->count;
    case SS_TYPE_UNION:
        return ss_varint_read(cursor, end, &n) && n >= 0 && n < type->count &&
               skip(plan, &plan->skips[plan->children[type->first + n]], cursor, end, depth + 1);
    case SS_TYPE_ARRAY:
    case SS_TYPE_MAP:
        return skip_blocks(plan, type, cursor, end, depth);
    case SS_TYPE_RECORD:
        for (uint32_t i = 0; i < type->count; i++)
            if (!skip(plan, &plan->skips[plan->children[type->first + i]], cursor, end, depth + 1))
                return false;
        return true;
    }
    return false;
}

bool ss_plan_skip(const struct ss_plan *plan, uint32_t index, const uint8_t **cursor,
                  const uint8_t *end)
{
    return skip(plan, &plan->skips[index], cursor, end, 0);
}
