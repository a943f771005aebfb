/* transcode_run.c - the steps that transcode.c has resolved, on one record after the other. */
#include "schemas/transcode_internal.h"
#include "schemas/varint.h"

struct run {
    struct ss_transcoder *t;
    const uint8_t *p, *end;
    const uint8_t *from; /* what lies between here and p is still to be copied */
    int64_t *numbers;    /* of the extras */
};

static bool flush(struct run *run)
{
    const size_t size = (size_t)(run->p - run->from);
    return size == 0 || ss_buffer_append(&run->t->out, run->from, size);
}

static bool skip(struct run *run, uint32_t type)
{
    return ss_plan_skip(run->t->skipping, type, &run->p, run->end);
}

static bool put_number(struct run *run, int64_t number)
{
    uint8_t bytes[SS_VARINT_MAX];
    const size_t size = (size_t)(ss_varint_write(bytes, number) - bytes);
    return ss_buffer_append(&run->t->out, bytes, size);
}

static bool put_range(struct run *run)
{
    int64_t number;
    return ss_varint_read(&run->p, run->end, &number) && number >= INT32_MIN && number <= INT32_MAX;
}

static bool put_enum(struct run *run, const struct ss_transcode_step *step)
{
    int64_t number;
    if (!ss_varint_read(&run->p, run->end, &number) || number < 0 || number >= step->count)
        return false;
    const int32_t index = run->t->numbers[step->arg + number];
    return index >= 0 && put_number(run, index);
}

static bool put_enum_text(struct run *run, const struct ss_transcode_step *step)
{
    int64_t size;
    if (!ss_varint_read(&run->p, run->end, &size) || size < 0 || size > run->end - run->p)
        return false;
    int index = ss_transcode_symbol(step->type, (const char *)run->p, (size_t)size);
    if (index < 0)
        index = (int)step->arg;
    run->p += size;
    return index >= 0 && put_number(run, index);
}

/* A null beside a number leaves the extra as it was. */
static bool take_extra(struct run *run, const struct ss_transcode_step *step)
{
    const struct ss_type *type = step->type;
    const uint8_t *p = run->p;
    int64_t branch;
    if (!skip(run, step->arg))
        return false;
    if (type->kind == SS_TYPE_UNION) {
        if (!ss_varint_read(&p, run->p, &branch)) /* skip() has looked at it */
            return false;
        type = type->types[branch];
    }
    const bool number = type->kind == SS_TYPE_INT || type->kind == SS_TYPE_LONG;
    return !number || ss_varint_read(&p, run->p, &run->numbers[step->count]);
}

static bool find_places(struct run *run, const struct ss_transcode_step *step)
{
    const uint8_t **places = run->t->places + step->arg;
    for (uint32_t i = 0; i < step->type->count; i++) {
        places[i] = run->p;
        if (!skip(run, step->type->fields[i].type->index))
            return false;
    }
    places[step->type->count] = run->p;
    return true;
}

static bool perform(struct run *run, const struct ss_transcode_step *step);

static bool convert_array(struct run *run, const struct ss_transcode_step *items)
{
    for (;;) {
        int64_t count, size;
        if (!ss_varint_read(&run->p, run->end, &count))
            return false;
        if (count < 0 && (count == INT64_MIN || !ss_varint_read(&run->p, run->end, &size)))
            return false;
        count = count < 0 ? -count : count;
        if (count > run->end - run->p || !put_number(run, count))
            return false; /* no item of ours is empty */
        run->from = run->p;
        if (count == 0)
            return true;
        for (int64_t i = 0; i < count; i++)
            if (!perform(run, items))
                return false;
        if (!flush(run))
            return false;
    }
}

/* The steps up to END. */
static bool perform(struct run *run, const struct ss_transcode_step *step)
{
    struct ss_transcoder *t = run->t;
    for (;; step++) {
        bool fine = true;
        int64_t number;
        switch (step->op) {
        case SS_TRANSCODE_COPY: /* neither ends what is to be copied together */
            if (!skip(run, step->arg))
                return false;
            continue;
        case SS_TRANSCODE_RANGE:
            if (!put_range(run))
                return false;
            continue;
        case SS_TRANSCODE_END:
            return true;
        case SS_TRANSCODE_JUMP:
            step = &t->steps[step->arg] - 1;
            continue;
        default:
            if (!flush(run))
                return false;
        }
        switch (step->op) {
        case SS_TRANSCODE_SKIP:
            fine = skip(run, step->arg);
            break;
        case SS_TRANSCODE_EXTRA:
            fine = take_extra(run, step);
            break;
        case SS_TRANSCODE_LITERAL:
            fine = ss_buffer_append(&t->out, t->literals.data + step->arg, step->count);
            break;
        case SS_TRANSCODE_ENUM:
            fine = put_enum(run, step);
            break;
        case SS_TRANSCODE_ENUM_TEXT:
            fine = put_enum_text(run, step);
            break;
        case SS_TRANSCODE_BRANCH:
            fine =
                ss_varint_read(&run->p, run->end, &number) && number >= 0 && number < step->count;
            if (fine)
                step = &t->steps[t->numbers[step->arg + number]] - 1;
            break;
        case SS_TRANSCODE_ARRAY:
            fine = convert_array(run, step + 1);
            step = &t->steps[step->arg] - 1;
            break;
        case SS_TRANSCODE_REORDER:
            fine = find_places(run, step);
            break;
        case SS_TRANSCODE_FROM:
            run->p = t->places[step->arg];
            break;
        default:
            fine = false;
        }
        if (!fine)
            return false;
        run->from = run->p;
    }
}

enum ss_status ss_transcode(struct ss_transcoder *t, struct ss_bytes body, struct ss_bytes *out,
                            int64_t *numbers, struct ss_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *p = body.data ? body.data : nothing;
    int64_t ignored[SS_TRANSCODE_EXTRAS_MAX];
    *out = body;
    if (t->alike)
        return SS_OK;
    struct run run = {
        .t = t, .p = p, .from = p, .end = p + body.size, .numbers = numbers ? numbers : ignored};
    t->out.size = 0;
    if (!perform(&run, t->steps) || !flush(&run) || run.p != run.end)
        return ss_fail(err, SS_DROP, "a record is not what its schema says, or over %d bytes",
                       SS_TRANSCODED_MAX);
    *out = (struct ss_bytes){t->out.data, t->out.size};
    return SS_OK;
}
