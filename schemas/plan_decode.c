/* plan_decode.c - runs a plan: the hot path. One loop over flat steps, no calls but for skipping.
 */
#include "schemas/plan.h"
#include "schemas/varint.h"

#include <inttypes.h>
#include <limits.h>

#define SS_HOT __attribute__((hot))

static void put_long(struct ss_event *event, uint16_t dst, int64_t value)
{
    memcpy((char *)event + dst, &value, sizeof value);
}

/* Says why `step` could not take the bytes at p. */
__attribute__((cold, noinline)) static enum ss_status refuse(const struct ss_plan *plan,
                                                             const struct ss_step *step, size_t at,
                                                             int64_t number, const char *what,
                                                             struct ss_error *err)
{
    const char *field = plan->step_fields[step - plan->steps];
    if (number != INT64_MIN)
        return ss_fail(err, SS_DROP, "field '%.64s': %s %" PRId64, field, what, number);
    return ss_fail(err, SS_DROP, "field '%.64s': %s at byte %zu", field, what, at);
}

/* The enumerator of a symbol; -1: none. */
static int32_t find_symbol(const struct ss_plan *plan, const int32_t *table, const uint8_t *text,
                           size_t size)
{
    for (int32_t i = 0; i < table[0]; i++) {
        const char *symbol = plan->kept[table[2 + i]];
        if (strlen(symbol) == size && !memcmp(symbol, text, size))
            return i;
    }
    return table[1];
}

#define REFUSE(what)        refuse(plan, step, (size_t)(p - *cursor), INT64_MIN, what, err)
#define REFUSE_NUMBER(what) refuse(plan, step, 0, number, what, err)
#define BAD_NUMBER          REFUSE("truncated or overlong number")

SS_HOT enum ss_status ss_plan_decode_next(const struct ss_plan *plan, const uint8_t **cursor,
                                          const uint8_t *end, struct ss_event *event,
                                          struct ss_error *err)
{
    const struct ss_step *step = plan->steps;
    const uint8_t *p = *cursor;
    const int32_t *table;
    int64_t number;

    *event = plan->initial;
    for (;; step++) {
        switch ((enum ss_op)step->op) {
        case SS_OP_TEXT:
            /* Below 64 bytes the length is one even byte, twice the size: on the way from one
             * field to the next every cycle counts. */
            if (p != end && !(*p & 0x81) && *p / 2 < end - p) {
                struct ss_text brief = {(const char *)p + 1, *p / 2};
                memcpy((char *)event + step->dst, &brief, sizeof brief);
                p += 1 + brief.size;
                break;
            }
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            if (number < 0 || number > end - p || number > INT32_MAX)
                return REFUSE_NUMBER("impossible length");
            struct ss_text text = {(const char *)p, (uint32_t)number};
            memcpy((char *)event + step->dst, &text, sizeof text);
            p += number;
            break;
        case SS_OP_LONG:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            put_long(event, step->dst, number);
            break;
        case SS_OP_ENUM:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            table = plan->table + step->arg;
            if (number < 0 || number >= table[0])
                return REFUSE_NUMBER("no enum symbol of number");
            if (table[1 + number] < 0)
                return REFUSE_NUMBER("unknown enum symbol, in the writer's schema number");
            memcpy((char *)event + step->dst, &table[1 + number], sizeof table[0]);
            break;
        case SS_OP_ENUM_TEXT:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            if (number < 0 || number > end - p)
                return REFUSE_NUMBER("impossible length");
            const int32_t found = find_symbol(plan, plan->table + step->arg, p, (size_t)number);
            if (found < 0)
                return REFUSE("unknown enum symbol");
            memcpy((char *)event + step->dst, &found, sizeof found);
            p += number;
            break;
        case SS_OP_UNION:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            table = plan->table + step->arg;
            if (number < 0 || number >= table[0])
                return REFUSE_NUMBER("no union branch of number");
            step = plan->steps + table[1 + number] - 1;
            break;
        case SS_OP_INT:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            if (number < INT32_MIN || number > INT32_MAX)
                return REFUSE_NUMBER("an int holds");
            put_long(event, step->dst, number);
            break;
        case SS_OP_JUMP:
            step = plan->steps + step->arg - 1;
            break;
        case SS_OP_NULL_TIME:
            put_long(event, step->dst, SS_TIME_UNKNOWN);
            break;
        case SS_OP_SKIP_LONG:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            break;
        case SS_OP_SKIP_TEXT:
            if (!ss_varint_read(&p, end, &number))
                return BAD_NUMBER;
            if (number < 0 || number > end - p)
                return REFUSE_NUMBER("impossible length");
            p += number;
            break;
        case SS_OP_SKIP_FIXED:
            if (step->arg > (size_t)(end - p))
                return REFUSE("truncated");
            p += step->arg;
            break;
        case SS_OP_SKIP:;
            const uint8_t *behind = p; /* whose address is taken, so that p stays in a register */
            if (!ss_plan_skip(plan, step->arg, &behind, end))
                return REFUSE("truncated, malformed or nested too deeply");
            p = behind;
            break;
        case SS_OP_REFUSE:
            return REFUSE("a union branch that this field cannot take");
        case SS_OP_END:
            *cursor = p;
            return SS_OK;
        }
    }
}

enum ss_status ss_plan_decode(const struct ss_plan *plan, struct ss_bytes body,
                              struct ss_event *event, struct ss_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *p = body.data ? body.data : nothing, *end = p + body.size;
    enum ss_status status = ss_plan_decode_next(plan, &p, end, event, err);
    if (status == SS_OK && p != end)
        return ss_fail(err, SS_DROP, "%td bytes behind the record", end - p);
    return status;
}
