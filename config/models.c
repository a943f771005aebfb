#include "config/models.h"

#include "config/model_file.h"
#include "config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

static enum ss_status load(const char *file, const struct ss_model **out, struct ss_error *err)
{
    struct ss_model *model = calloc(1, sizeof *model);
    *out = model;
    return model ? ss_model_load(file, model, err)
                 : ss_fail(err, SS_STOP, "out of memory for a model");
}

/* Events are folded before it is known whose they are. */
enum ss_status ss_models_compare(const struct ss_models *models, const char *business_name,
                                 struct ss_error *err)
{
    char person[SS_NAME_MAX], business[SS_NAME_MAX];
    if (!models->business)
        return SS_OK;
    enum ss_status status = ss_model_structural_version(models->person, person, err);
    if (status == SS_OK)
        status = ss_model_structural_version(models->business, business, err);
    if (status != SS_OK || strcmp(person, business) == 0)
        return status;
    return ss_fail(
        err, SS_STOP,
        "%s: what is under structural is not that of the persons' model (%s here, %s "
        "there): businesses and persons must share it, copy it from there; and the factor "
        "relationships must have a weight in both or in none",
        business_name, business, person);
}

enum ss_status ss_models_load(const char *person_file, const char *business_file,
                              struct ss_models *models, struct ss_error *err)
{
    *models = (struct ss_models){0};
    enum ss_status status = load(person_file, &models->person, err);
    if (status == SS_OK && business_file) {
        status = load(business_file, &models->business, err);
        if (status == SS_OK)
            status = ss_models_compare(models, business_file, err);
    }
    if (status != SS_OK)
        ss_models_free(models);
    return status;
}

enum ss_status ss_model_load_text(const char *path, struct ss_model *model, char **text,
                                  size_t *size, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    *text = NULL;
    if (path) {
        status = ss_yaml_read_file(path, text, size, err);
    } else {
        struct ss_bytes built_in = ss_model_default_text();
        *size = built_in.size;
        *text = malloc(built_in.size);
        if (*text)
            memcpy(*text, built_in.data, built_in.size);
        else
            status = ss_fail(err, SS_STOP, "out of memory for a model");
    }
    if (status == SS_OK)
        status = ss_model_parse(*text, *size, path ? path : "built-in model.yaml", model, err);
    if (status != SS_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

void ss_models_free(struct ss_models *models)
{
    free((void *)models->person);
    free((void *)models->business);
    *models = (struct ss_models){0};
}
