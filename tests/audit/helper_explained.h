/* helper_explained.h - one life, and what is explained of it: for a test program to include once.
 */
#ifndef SS_TESTS_AUDIT_HELPER_EXPLAINED_H
#define SS_TESTS_AUDIT_HELPER_EXPLAINED_H

#include "helper_explain.h"

#include <criterion/criterion.h>

static struct life life;
static struct ss_explanation e;
static struct ss_explain_request request;
static struct ss_error err;

static inline void begin_life(void)
{
    life_begin(&life, "u-1");
}

static inline void end_life(void)
{
    ss_explanation_reset(&e);
    life_end(&life);
}

static inline void explain_newest(void)
{
    request = ask(&life);
    cr_assert_eq(ss_explain(&life.history, &request, &e, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
}

#endif
