/* explain_internal.h - sentences that text and page have in common. Internal to audit/. */
#ifndef SS_AUDIT_EXPLAIN_INTERNAL_H
#define SS_AUDIT_EXPLAIN_INTERNAL_H

#include "audit/explain.h"
#include "audit/explain_words.h"

/* The mean of fewer friends' scores would tell whoever reads it a friend's own. */
enum { SS_FRIENDS_SHOWN_MIN = 3 };

/* The score, its tier and what it may be, in a sentence. */
char *ss_say_score(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);
/* What brought a change about. */
char *ss_say_cause(const struct ss_explanation *e, const struct ss_explain_change *change,
                   char out[SS_WORDS_SENTENCE]);
/* "payments, partition 3, offset 1207, event e-17", or "no event" … */
char *ss_say_place(const struct ss_explain_change *change, char out[SS_WORDS_SENTENCE]);
/* "credit history -12.40, behaviour and preference +0.55": how it moved since the change before; of
 * what moved much, if anything did. */
char *ss_say_moves(const struct ss_explain_change *before, const struct ss_explain_change *change,
                   char out[SS_WORDS_SENTENCE]);
/* An act, as something to do, and the path of steady months. */
char *ss_say_act(const struct ss_explanation *e, const struct ss_act *act,
                 char out[SS_WORDS_SENTENCE]);
char *ss_say_start(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]); /* "": nothing */
char *ss_say_path(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);
char *ss_say_next_bill(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);
/* How many friends count and where their scores lie; how many people's scores are lower. "": no
 * friends; not known. */
char *ss_say_friends(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);
char *ss_say_rank(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);
/* How sure all this is: recomputed or not, from what. */
char *ss_say_proof(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE]);

/* What the factor's points could be at most. */
double ss_factor_full(const struct ss_score_view *view, enum ss_factor factor);

#endif
