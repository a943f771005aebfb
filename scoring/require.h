/* require.h - assertions on internal contracts: always on, and without the libc call behind
 * assert(), since scoring/ links against nothing. */
#ifndef SS_SCORING_REQUIRE_H
#define SS_SCORING_REQUIRE_H

#define SS_REQUIRE(condition) \
    do {                      \
        if (!(condition))     \
            __builtin_trap(); \
    } while (0)

#endif
