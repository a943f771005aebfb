/* The models of an audit: out of an archive of sesame-models, out of files, and nowhere. */
#include "audit/model_store.h"
#include "config/model_file.h"
#include "helper_logs.h"
#include "schemas/model_record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_error err = {.detail = ""};
static struct ss_model_store *store;

static void begin(void)
{
    logs_directory();
    cr_assert_eq(ss_model_store_open(&store, &err), SS_OK, "%s", err.detail);
}

static void end(void)
{
    ss_model_store_close(store);
    logs_remove();
}

TestSuite(model_store, .init = begin, .fini = end);

struct text_model {
    char *text;
    struct ss_model *model;
};

/* The default model with some text replaced. */
static struct text_model changed(const char *name, const char *old, const char *new)
{
    const struct ss_bytes built_in = ss_model_default_text();
    struct text_model made = {.text = calloc(1, built_in.size + 200),
                              .model = calloc(1, sizeof *made.model)};
    const char *text = built_in.data, *at;
    char with_name[1 << 15];
    at = strstr(text, "name: default");
    cr_assert_not_null(at);
    snprintf(with_name, sizeof with_name, "%.*sname: %s%s", (int)(at - text), text, name,
             at + strlen("name: default"));
    at = strstr(with_name, old);
    cr_assert_not_null(at, "%s", old);
    sprintf(made.text, "%.*s%s%s", (int)(at - with_name), with_name, new, at + strlen(old));
    cr_assert_eq(ss_model_parse(made.text, strlen(made.text), name, made.model, &err), SS_OK, "%s",
                 err.detail);
    return made;
}

static const char *file_of(const struct text_model *one)
{
    const char *path = logs_path("%s.yaml", one->model->version);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(one->text, file);
    fclose(file);
    return path;
}

static struct logged_value value_of(const struct ss_model_entry *entry, int64_t offset)
{
    struct logged_value value = {.offset = offset, .timestamp_ms = LOGS_BEGIN};
    ss_buffer_init(&value.value, 1 << 20);
    cr_assert_eq(ss_model_entry_encode(1, entry, &value.value, &err), SS_OK, "%s", err.detail);
    return value;
}

static struct logged_value model_value(const struct text_model *one, int64_t offset)
{
    const struct ss_model_entry entry = {.published_by = logs_text("a test"),
                                         .version = logs_text(one->model->version),
                                         .canonical = logs_text("?"),
                                         .structural = logs_text("?"),
                                         .source = logs_text(one->text)};
    return value_of(&entry, offset);
}

static struct logged_value activation(int32_t epoch, const struct text_model *person,
                                      const struct text_model *business, int64_t offset)
{
    const struct ss_model_entry entry = {.published_by = logs_text("a test"),
                                         .is_activation = true,
                                         .epoch = epoch,
                                         .person = logs_text(person->model->version),
                                         .business = business ? logs_text(business->model->version)
                                                              : (struct ss_text){"", 0}};
    return value_of(&entry, offset);
}

static bool read_archive(void)
{
    const struct ss_model_store_place place = {.topic = "sesame-models",
                                               .directory = logs_path(".")};
    bool found;
    cr_assert_eq(ss_model_store_read(store, &place, &found, &err), SS_OK, "%s", err.detail);
    return found;
}

static const struct ss_model *find(const char *version, bool *business)
{
    const struct ss_model_shelf shelf = ss_model_store_shelf(store);
    return shelf.find(shelf.arg, logs_text(version), business);
}

Test(model_store, what_was_live_comes_out_of_an_archive)
{
    const struct text_model first = changed("first", "weight: 35", "weight: 36"),
                            second = changed("second", "weight: 35", "weight: 37"),
                            shops = changed("shops", "weight: 35", "weight: 38"),
                            never = changed("never", "weight: 35", "weight: 39");
    struct logged_value values[] = {
        model_value(&first, 0),           activation(0, &first, NULL, 1),
        model_value(&second, 2),          model_value(&shops, 3),
        model_value(&never, 4),           activation(1, &second, &shops, 5),
        activation(1, &never, &shops, 6), activation(2, &first, &shops, 9)};
    bool business;
    logs_archive_values(logs_path("sesame-models+0+0000000000.avro"), ss_schema_of_models(), values,
                        sizeof values / sizeof values[0]);
    cr_assert(read_archive());
    const struct ss_model *model = find(second.model->version, &business);
    cr_assert_not_null(model);
    cr_assert_not(business);
    cr_assert_eq(model->weights[SS_FACTOR_HISTORY], 37);
    cr_assert_not_null(find(shops.model->version, &business));
    cr_assert(business);
    cr_assert_null(find(never.model->version, &business), "it was second: it was never live");
    cr_assert_str_eq(ss_model_store_missed(store, 0), never.model->version);
    cr_assert_null(ss_model_store_missed(store, 1));

    cr_assert_str_eq(ss_model_store_first(store)->person->version, first.model->version);
    const struct ss_models *live = ss_model_store_live(store);
    cr_assert_eq(live->epoch, 2);
    cr_assert_eq(live->person_since, 2);
    cr_assert_eq(live->business_since, 1);
    cr_assert_eq(ss_model_store_epoch(store, 1)->person, model);
    cr_assert_null(ss_model_store_epoch(store, 3));

    /* a file beside them, for what the topic has lost; one that folds otherwise is refused */
    cr_assert_eq(ss_model_store_file(store, file_of(&never), false, &err), SS_OK, "%s", err.detail);
    cr_assert_not_null(find(never.model->version, &business));
    const struct text_model other = changed("other", "recent_days: ", "recent_days: 1");
    cr_assert_eq(ss_model_store_file(store, file_of(&other), false, &err), SS_STOP);
    cr_assert(strstr(err.detail, "structural"), "%s", err.detail);
}

Test(model_store, without_the_topic_there_are_the_files)
{
    const struct text_model first = changed("first", "weight: 35", "weight: 36"),
                            shops = changed("shops", "weight: 35", "weight: 38");
    bool business;
    cr_assert_not(read_archive());
    cr_assert_null(ss_model_store_live(store));
    cr_assert_null(ss_model_store_given(store).person);
    cr_assert_eq(ss_model_store_file(store, file_of(&first), false, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_model_store_file(store, file_of(&shops), true, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(ss_model_store_given(store).person->version, first.model->version);
    cr_assert_str_eq(ss_model_store_given(store).business->version, shops.model->version);
    cr_assert_not_null(find(shops.model->version, &business));
    cr_assert(business);
    cr_assert_null(find("nobody-0123456789abcdef", &business));
    cr_assert_str_eq(ss_model_store_missed(store, 0), "nobody-0123456789abcdef");
}
