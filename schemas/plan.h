/* plan.h - the inside of a decode plan. Internal to schemas/; plan_compile.c builds it,
 * plan_decode.c and plan_skip.c run it.
 *
 * 1. Steps run from the first to SS_OP_END; only SS_OP_UNION and SS_OP_JUMP leave that order, and
 * only forwards, so that a decode ends.
 * 2. Every step checks the bytes it takes against the end of the body.
 * 3. What the struct does not take is skipped by walking `skips`, which mirrors the writer's types,
 *    in time linear in the bytes skipped and to a bounded depth.
 */
#ifndef SS_SCHEMAS_PLAN_H
#define SS_SCHEMAS_PLAN_H

#include "schemas/container.h"
#include "schemas/schema_tree.h"

#include <stdbool.h>

enum ss_op {
    SS_OP_END,
    SS_OP_LONG,      /* long -> int64_t at dst */
    SS_OP_INT,       /* int -> int64_t at dst */
    SS_OP_TEXT,      /* string or bytes -> struct ss_text at dst */
    SS_OP_ENUM,      /* -> enum at dst; table[arg] symbols, then each one's enumerator or -1 */
    SS_OP_ENUM_TEXT, /* string -> enum at dst; table[arg] symbols of ours, the default's enumerator
                        or -1, then where each one's name is in `kept` */
    SS_OP_UNION,     /* table[arg] branches, then the step at which each one goes on */
    SS_OP_JUMP,      /* to step arg */
    SS_OP_NULL_TIME, /* SS_TIME_UNKNOWN to dst */
    SS_OP_REFUSE,    /* a branch that our field cannot take */
    SS_OP_SKIP_LONG, /* anything that is one varint */
    SS_OP_SKIP_TEXT,
    SS_OP_SKIP_FIXED, /* arg bytes */
    SS_OP_SKIP,       /* the type skips[arg] */
};

struct ss_step {
    uint8_t op;
    uint16_t dst; /* offset in struct ss_event */
    uint32_t arg;
};

/* A writer's type as far as skipping needs it. */
struct ss_skip {
    enum ss_type_kind kind;
    uint32_t first, count; /* its parts are children[first .. first + count) */
    uint32_t size;         /* FIXED */
    uint32_t size_min;     /* as in struct ss_type */
};

struct ss_plan {
    struct ss_event initial; /* defaults; every decode starts from it */
    struct ss_step *steps;
    const char **step_fields; /* for errors: the writer's field of each step */
    uint32_t step_count, step_capacity;
    int32_t *table;
    uint32_t table_count, table_capacity;
    struct ss_skip *skips;
    uint32_t *children;
    uint32_t root; /* in skips */
    char **kept;   /* texts that live as long: field names, symbols and defaults */
    uint32_t kept_count, kept_capacity;
    uint32_t extras_found; /* bit i: the writer has the i-th extra */
};

/* How a field of our schema is kept in struct ss_event. An extra (container.h) has an offset
 * beyond. */
enum ss_bind_kind { SS_BIND_TEXT, SS_BIND_LONG, SS_BIND_TIME_OR_NULL, SS_BIND_ENUM };

struct ss_binding {
    const char *field;
    enum ss_bind_kind kind;
    uint16_t offset;
};

/* The fields of an input; NULL for a name that it does not have. */
const struct ss_binding *ss_binding_find(enum ss_input input, const char *field);

/* ss_plan_open with a reader schema other than the built-in one; every field of it must have a
 * binding. For tests of what our own schemas do not use (aliases). */
SS_MUST_USE enum ss_status ss_plan_open_between(enum ss_input input, const char *reader_json,
                                                const char *writer_json, struct ss_plan **plan,
                                                struct ss_error *err);

/* ss_plan_open for records that went through somebody's hands on their way into an archive: fields
 * may have been added, and enums have become strings. */
SS_MUST_USE enum ss_status ss_plan_open_extras(enum ss_input input,
                                               const struct ss_container_extra *extras,
                                               size_t extra_count, const char *writer_json,
                                               struct ss_plan **plan, struct ss_error *err);

/* A plan that decodes nothing and only skips, for records of any schema. */
SS_MUST_USE enum ss_status ss_plan_open_skipping(const char *writer_json, struct ss_plan **plan,
                                                 struct ss_error *err);

/* Decodes the record that begins at *cursor and leaves *cursor behind it; at an error *cursor is as
 * it was. Bytes may follow. */
SS_MUST_USE enum ss_status ss_plan_decode_next(const struct ss_plan *plan, const uint8_t **cursor,
                                               const uint8_t *end, struct ss_event *event,
                                               struct ss_error *err);

/* Moves *cursor behind one value of type skips[index]; false if the bytes are not one. */
SS_MUST_USE bool ss_plan_skip(const struct ss_plan *plan, uint32_t index, const uint8_t **cursor,
                              const uint8_t *end);

#endif
