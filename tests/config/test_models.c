#include "config/config.h"
#include "config/models.h"
#include "config/options.h"

#include <criterion/criterion.h>
#include <string.h>

static const char plain[] = "tests/config/model_plain.yaml"; /* not as the built-in one is */
static const char golden[] = "tests/golden/model.yaml";
static const char business[] = "tests/golden/business.yaml"; /* structurally as golden */

Test(models, without_businesses_there_is_one)
{
    struct ss_models models;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_models_load(NULL, NULL, &models, &err), SS_OK, "%s", err.detail);
    cr_assert_not_null(models.person);
    cr_assert_null(models.business);
    ss_models_free(&models);
}

Test(models, of_both_what_is_structural_must_agree)
{
    struct ss_models models;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_models_load(golden, business, &models, &err), SS_OK, "%s", err.detail);
    cr_assert_str_neq(models.person->version, models.business->version);
    ss_models_free(&models);
    cr_assert_eq(ss_models_load(golden, plain, &models, &err), SS_STOP);
    cr_assert(strstr(err.detail, plain) && strstr(err.detail, "structural"), "%s", err.detail);
    cr_assert_null(models.person);
    cr_assert_null(models.business);
}

Test(models, a_file_that_is_not_there_is_named)
{
    struct ss_models models;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_models_load(NULL, "nowhere.yaml", &models, &err), SS_STOP);
    cr_assert(strstr(err.detail, "nowhere.yaml"), "%s", err.detail);
    cr_assert_null(models.person);
}

/* Choices are stored as their index. */
Test(models, the_clocks_sources_are_those_of_the_enum)
{
    struct ss_config config;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_config_init(&config, &err), SS_OK);
    cr_assert_eq(config.clock_source, SS_CLOCK_SYSTEM);
    cr_assert_eq(ss_config_set(&config, "clock.source=events", &err), SS_OK, "%s", err.detail);
    cr_assert_eq(config.clock_source, SS_CLOCK_EVENTS);
    cr_assert_eq(ss_config_set(&config, "clock.source=sundial", &err), SS_STOP);
    ss_config_reset(&config);
}
