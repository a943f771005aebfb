/* explain_words.h - plain words for what records and events say: the one table of reason texts, and
 * sentences about events, amounts and times.
 *
 * Times are UTC and say so; amounts name their currency. Texts from events come out as well-formed
 * UTF-8 without control characters, whatever was in them. Pure; any thread. Functions that fill
 * `out` cut at its end, between characters, and return it.
 */
#ifndef SS_AUDIT_EXPLAIN_WORDS_H
#define SS_AUDIT_EXPLAIN_WORDS_H

#include "scoring/apply.h"

struct ss_reason_words {
    const char *code;
    const char *brief;   /* "bills paid late or still unpaid": within a sentence */
    const char *meaning; /* a sentence or two to the person scored */
    const char *raise;   /* what helps, likewise; NULL: nothing that one can do */
};

/* NULL: a code that is not known here. */
const struct ss_reason_words *ss_words_reason(struct ss_text code);
/* "credit history"; "court register" for SS_FACTOR_COUNT. And what it looks at, as a sentence. */
const char *ss_words_factor(enum ss_factor factor);
const char *ss_words_factor_meaning(enum ss_factor factor);
/* "You agreed to be scored", as a heading of a change. */
const char *ss_words_kind(enum ss_score_kind kind);

enum { SS_WORDS_SENTENCE = 480, SS_WORDS_SHORT = 64 };

/* "3 January 2020", "3 January 2020, 14:05:09 UTC", "2020-01-03T14:05:09.250Z" (or without
 * milliseconds where there are none). */
char *ss_words_date(int64_t time_ms, char out[SS_WORDS_SHORT]);
char *ss_words_time(int64_t time_ms, char out[SS_WORDS_SHORT]);
char *ss_words_iso(int64_t time_ms, char out[SS_WORDS_SHORT]);
/* "1,234.50 CNY", with as many decimals as the currency has. */
char *ss_words_money(int64_t amount_minor, struct ss_text currency, char out[SS_WORDS_SHORT]);
/* "phone number", "card bill", … */
const char *ss_words_fact(enum ss_profile_fact fact);
const char *ss_words_bill(enum ss_bill_kind kind);

/* The event as a sentence. due_at_ms: when the bill was due that it is about, where known from
 * elsewhere; else SS_TIME_UNKNOWN. */
char *ss_words_event(const struct ss_event *event, int64_t due_at_ms, char out[SS_WORDS_SENTENCE]);

/* Appends text of somebody else's, made safe. */
void ss_words_append(char *out, size_t size, struct ss_text text);

#endif
