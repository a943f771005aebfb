/* helper_text.h - a text as borrowed bytes. */
#ifndef SS_TESTS_CONSUMER_HELPER_TEXT_H
#define SS_TESTS_CONSUMER_HELPER_TEXT_H

#include "base/bytes.h"

static inline struct ss_bytes text(const char *s)
{
    return (struct ss_bytes){s, strlen(s)};
}

#endif
