/* transcode_internal.h - what transcode.c resolves and transcode_run.c performs. Internal to
 * schemas/.
 *
 * 1. Steps run in their order; only BRANCH and JUMP leave it, and only forwards. ARRAY runs the
 *    steps up to its END for each item.
 * 2. Values that are the same bytes on both sides are walked over and copied together, as long as
 *    nothing comes between them.
 * 3. Where a record's fields are in another order than ours, REORDER finds them all, and FROM goes
 *    to each; places nest as records do, so that each REORDER has its own.
 */
#ifndef SS_SCHEMAS_TRANSCODE_INTERNAL_H
#define SS_SCHEMAS_TRANSCODE_INTERNAL_H

#include "schemas/plan.h"
#include "schemas/transcode.h"

enum { SS_TRANSCODED_MAX = 1 << 20 }; /* bytes of a record */

enum ss_transcode_op {
    SS_TRANSCODE_END,
    SS_TRANSCODE_COPY,      /* a value of type arg */
    SS_TRANSCODE_RANGE,     /* a long that must be an int, likewise */
    SS_TRANSCODE_SKIP,      /* a value of type arg */
    SS_TRANSCODE_EXTRA,     /* the extra `count`, of `type` */
    SS_TRANSCODE_LITERAL,   /* count bytes of the literals from arg on */
    SS_TRANSCODE_ENUM,      /* of count symbols; numbers[arg …]: ours of each, or -1 */
    SS_TRANSCODE_ENUM_TEXT, /* a symbol of our `type`, or the default's number arg, or -1 */
    SS_TRANSCODE_BRANCH,    /* of count branches; numbers[arg …]: the step where each goes on */
    SS_TRANSCODE_JUMP,      /* to step arg */
    SS_TRANSCODE_ARRAY,     /* the steps that follow, for each item; then on at step arg */
    SS_TRANSCODE_REORDER, /* the fields of `type`: their places, and that of its end, from place arg
                             on */
    SS_TRANSCODE_FROM,    /* place arg */
    SS_TRANSCODE_REFUSE,  /* what ours cannot take */
};

struct ss_transcode_step {
    enum ss_transcode_op op;
    uint32_t arg, count;
    const struct ss_type *type;
};

struct ss_transcoder {
    struct ss_schema_tree *ours, *theirs;
    struct ss_plan *skipping; /* over `theirs` */
    bool alike;
    const char *extras[SS_TRANSCODE_EXTRAS_MAX];
    size_t extra_count;
    struct ss_transcode_step *steps;
    int32_t *numbers;
    const uint8_t **places;
    uint32_t step_count, number_count, place_count;
    struct ss_buffer literals;
    struct ss_buffer out;
};

/* The place of a symbol among those of an enum; -1: it has none such. */
int ss_transcode_symbol(const struct ss_type *type, const char *symbol, size_t size);

#endif
