/* models.h - the models of one config: that of persons, and that of businesses where there is one.
 */
#ifndef SS_CONFIG_MODELS_H
#define SS_CONFIG_MODELS_H

#include "base/status.h"
#include "scoring/model.h"

/* Loads both; person_file NULL is the built-in model, business_file NULL is none. SS_STOP: as
 * ss_model_load, or their structural parameters differ. On an error there is nothing to free. */
SS_MUST_USE enum ss_status ss_models_load(const char *person_file, const char *business_file,
                                          struct ss_models *models, struct ss_error *err);
/* Whether both fold events alike; business_name is what an error calls the one of businesses (NULL
 * in *models: fine). SS_STOP: they do not. */
SS_MUST_USE enum ss_status ss_models_compare(const struct ss_models *models,
                                             const char *business_name, struct ss_error *err);
/* One model, with the text that it was read from; the caller frees *text. path NULL: the built-in
 * one. SS_STOP: as ss_model_load. */
SS_MUST_USE enum ss_status ss_model_load_text(const char *path, struct ss_model *model, char **text,
                                              size_t *size, struct ss_error *err);
void ss_models_free(struct ss_models *models);

#endif
