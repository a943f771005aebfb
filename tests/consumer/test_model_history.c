/* What sesame-models says, as everybody who reads it from its beginning must take it. */
#include "config/model_file.h"
#include "consumer/model_history.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_model_history *history;

static void open_history(void)
{
    history = ss_model_history_open();
    cr_assert(history);
}

static void close_history(void)
{
    ss_model_history_close(history);
}

TestSuite(model_history, .init = open_history, .fini = close_history);

static struct ss_text text(const char *literal)
{
    return (struct ss_text){literal, (uint32_t)strlen(literal)};
}

static enum ss_status add(const struct ss_model_entry *entry)
{
    struct ss_buffer value;
    struct ss_error err;
    ss_buffer_init(&value, 1 << 20);
    cr_assert_eq(ss_model_entry_encode(10, entry, &value, &err), SS_OK);
    enum ss_status status =
        ss_model_history_add(history, (struct ss_bytes){value.data, value.size}, &err);
    ss_buffer_reset(&value);
    return status;
}

/* The built-in model with one text in it replaced; its version stays until the next call but two.
 */
static const char *add_model(const char *old, const char *new)
{
    static char versions[4][SS_NAME_MAX];
    static int count;
    char *version = versions[count++ % 4];
    struct ss_bytes whole = ss_model_default_text();
    struct ss_model *model = malloc(sizeof *model);
    char *source = malloc(whole.size + 100);
    const char *at = old ? strstr(whole.data, old) : whole.data;
    size_t before = (size_t)(at - (const char *)whole.data);
    cr_assert(at);
    int size =
        snprintf(source, whole.size + 100, "%.*s%s%.*s", (int)before, (const char *)whole.data,
                 old ? new : "", (int)(whole.size - before - (old ? strlen(old) : 0)),
                 at + (old ? strlen(old) : 0));
    cr_assert_eq(ss_model_parse(source, (size_t)size, "a test", model, NULL), SS_OK);
    strcpy(version, model->version);
    struct ss_model_entry entry = {.published_by = text("a test"),
                                   .version = text(version),
                                   .canonical = text("c"),
                                   .structural = text("s"),
                                   .source = {source, (uint32_t)size}};
    cr_assert_eq(add(&entry), SS_OK);
    free(model);
    free(source);
    return version;
}

static void activate(int32_t epoch, const char *person, const char *business)
{
    struct ss_model_entry entry = {.is_activation = true,
                                   .published_by = text("a test"),
                                   .published_at_ms = 1000 + epoch,
                                   .epoch = epoch,
                                   .person = text(person),
                                   .business = text(business ? business : "")};
    cr_assert_eq(add(&entry), SS_OK);
}

static const struct ss_models *live(void)
{
    const struct ss_model_epoch *epoch = ss_model_history_live(history);
    return epoch ? &epoch->models : NULL;
}

Test(model_history, nothing_is_live_at_first)
{
    cr_assert_null(live());
    cr_assert_eq(ss_model_history_newest(history), -1);
    const char *version = add_model(NULL, NULL);
    cr_assert_null(live());
    cr_assert(ss_model_history_find(history, version));
    cr_assert_null(ss_model_history_find(history, "other"));
}

Test(model_history, the_first_of_an_epoch_is_live)
{
    const char *one = add_model(NULL, NULL), *two = add_model("weight: 35", "weight: 36");
    activate(0, one, NULL);
    activate(0, two, NULL);
    cr_assert_str_eq(live()->person->version, one);
    activate(1, two, NULL);
    activate(1, one, NULL);
    activate(0, one, NULL);
    cr_assert_str_eq(live()->person->version, two);
    cr_assert_eq(live()->epoch, 1);
    cr_assert_str_eq(live()->before->person->version, one);
    cr_assert_eq(ss_model_history_live(history)->since_ms, 1001);
    cr_assert_null(ss_model_history_trouble(history));
}

Test(model_history, who_stays_is_in_charge_since_before)
{
    const char *one = add_model(NULL, NULL), *two = add_model("weight: 35", "weight: 36");
    activate(0, one, NULL);
    activate(1, one, two);
    cr_assert_eq(live()->person_since, 0);
    cr_assert_eq(live()->business_since, 1);
    activate(2, two, two);
    cr_assert_eq(live()->person_since, 2);
    cr_assert_eq(live()->business_since, 1);
    activate(3, two, NULL);
    cr_assert_eq(live()->person_since, 2);
    cr_assert_eq(live()->business_since, 3);
    cr_assert_eq(ss_models_find(live(), false, 0), ss_model_history_find(history, one));
    cr_assert_eq(ss_models_find(live(), true, 1), ss_model_history_find(history, two));
}

Test(model_history, another_fold_is_not_followed)
{
    const char *one = add_model(NULL, NULL),
               *folds = add_model("recent_window: 16", "recent_window: 15"),
               *two = add_model("weight: 35", "weight: 36");
    activate(0, one, NULL);
    activate(1, folds, NULL);
    cr_assert_str_eq(live()->person->version, one);
    cr_assert_eq(ss_model_history_newest(history), 1);
    cr_assert(strstr(ss_model_history_trouble(history), "structural"));
    activate(2, two, NULL);
    cr_assert_str_eq(live()->person->version, two);
    cr_assert_null(ss_model_history_trouble(history));
    cr_assert_null(live()->before, "who is at epoch 1 is at a model that is not known");
}

Test(model_history, what_this_version_cannot_read_is_not_followed)
{
    const char *one = add_model(NULL, NULL);
    struct ss_model_entry entry = {.published_by = text("a later sesame"),
                                   .version = text("later-0123456789abcdef"),
                                   .source = text("name: later\nnew: 1\n")};
    activate(0, one, NULL);
    cr_assert_eq(add(&entry), SS_OK);
    activate(1, "later-0123456789abcdef", NULL);
    cr_assert_str_eq(live()->person->version, one);
    cr_assert(strstr(ss_model_history_trouble(history), "later-0123456789abcdef"));
    activate(2, "nobody-0123456789abcdef", NULL);
    cr_assert(strstr(ss_model_history_trouble(history), "not in the topic"));
}

Test(model_history, a_model_whose_text_is_not_its_version_is_not_used)
{
    struct ss_bytes whole = ss_model_default_text();
    struct ss_model_entry entry = {.published_by = text("somebody"),
                                   .version = text("default-0000000000000000"),
                                   .source = {whole.data, (uint32_t)whole.size}};
    cr_assert_eq(add(&entry), SS_OK);
    cr_assert_null(ss_model_history_find(history, "default-0000000000000000"));
}

Test(model_history, a_version_is_never_overwritten)
{
    const char *one = add_model(NULL, NULL);
    const struct ss_model *model = ss_model_history_find(history, one);
    struct ss_model_entry entry = {
        .published_by = text("somebody"), .version = text(one), .source = text("name: other\n")};
    cr_assert_eq(add(&entry), SS_OK);
    cr_assert_eq(ss_model_history_find(history, one), model);
}

Test(model_history, what_is_no_entry_is_dropped)
{
    struct ss_error err;
    cr_assert_eq(ss_model_history_add(history, (struct ss_bytes){"\0\0\0\0\1x", 6}, &err), SS_DROP);
    cr_assert_eq(ss_model_history_add(history, (struct ss_bytes){NULL, 0}, &err), SS_DROP);
    struct ss_model_entry nameless = {.published_by = text("a"), .version = text("")};
    cr_assert_eq(add(&nameless), SS_DROP);
}
