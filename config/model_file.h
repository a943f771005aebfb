/* model_file.h - model.yaml into struct ss_model, and the model's version out of it.
 *
 * Strict: every factor and every variable is there exactly once, nothing else is, every number is
 * within its bounds. Errors are SS_STOP and read "FILE:LINE: where: what is wrong and what to do".
 * On an error *model is unspecified. struct ss_model is large (four decay tables): keep it on the
 * heap.
 *
 * The version is "<name>-<first 16 hex digits of SHA-256 over the canonical form>". The canonical
 * form holds everything that influences a score or an entitlement, and nothing else (no titles,
 * comments, layout): docs/model-canonical.md defines it to the byte, tests/config holds code and
 * document together.
 *
 * Threads: any; no state of its own.
 */
#ifndef SS_CONFIG_MODEL_FILE_H
#define SS_CONFIG_MODEL_FILE_H

#include "base/bytes.h"
#include "base/status.h"
#include "scoring/model.h"

/* Bounds that the arithmetic of scoring/ relies on. */
enum {
    SS_MODEL_NAME_MAX = 30, /* so that the version fits into SS_NAME_MAX */
    SS_WEIGHT_MAX = 1000,
    SS_MILLI_MAX = 1000000,     /* severities, booking_prior */
    SS_RATE_TERM_MAX = 1000000, /* a currency's numerator and denominator */
};

/* Reads a file; path NULL is the built-in default model. */
SS_MUST_USE enum ss_status ss_model_load(const char *path, struct ss_model *model,
                                         struct ss_error *err);
/* Parses YAML text; `source` names it in errors. */
SS_MUST_USE enum ss_status ss_model_parse(const char *text, size_t size, const char *source,
                                          struct ss_model *model, struct ss_error *err);
/* The model that was compiled in from config/model.yaml. */
SS_MUST_USE enum ss_status ss_model_default(struct ss_model *model, struct ss_error *err);

/* The built-in model.yaml itself, as text with a closing zero byte. Static. */
struct ss_bytes ss_model_default_text(void);

enum { SS_MODEL_CANONICAL_MAX = 1 << 16 }; /* no canonical form is larger */

/* Appends the canonical form. SS_STOP: out of memory or over the buffer's maximum. */
SS_MUST_USE enum ss_status ss_model_canonical(const struct ss_model *model, struct ss_buffer *out,
                                              struct ss_error *err);

/* Computes the version from the model's name and canonical form; the loader has put it into
 * model->version already. */
SS_MUST_USE enum ss_status ss_model_version(const struct ss_model *model, char out[SS_NAME_MAX],
                                            struct ss_error *err);

/* 16 hex digits over the structural lines only: models that share it fold events into the same
 * states, so that a change between them needs no rebuild. */
SS_MUST_USE enum ss_status ss_model_structural_version(const struct ss_model *model,
                                                       char out[SS_NAME_MAX], struct ss_error *err);

#endif
