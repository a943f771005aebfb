#include "audit/model_store.h"

#include "audit/archive_index.h"
#include "base/log.h"
#include "config/model_file.h"
#include "consumer/kafka_positions.h"
#include "consumer/model_topic.h"
#include "schemas/container.h"
#include "schemas/transcode.h"

#include <pthread.h>
#include <stdlib.h>

enum { MISSED_MAX = 32 };

struct of_file {
    struct ss_model *model;
    bool business;
};

struct ss_model_store {
    struct ss_model_topic *topic;           /* Kafka: it owns the history */
    struct ss_model_history *archive;       /* of an archive */
    const struct ss_model_history *history; /* either, or NULL */
    struct of_file *files;
    size_t file_count;
    pthread_mutex_t lock; /* of what was missed */
    char missed[MISSED_MAX][SS_NAME_MAX];
    size_t missed_count;
};

enum ss_status ss_model_store_open(struct ss_model_store **out, struct ss_error *err)
{
    struct ss_model_store *store = calloc(1, sizeof *store);
    if (!store)
        return ss_fail(err, SS_STOP, "out of memory for models");
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return SS_OK;
}

void ss_model_store_close(struct ss_model_store *store)
{
    if (!store)
        return;
    ss_model_topic_close(store->topic);
    ss_model_history_close(store->archive);
    while (store->file_count)
        free(store->files[--store->file_count].model);
    free(store->files);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* --- reading --- */

static enum ss_status read_kafka(struct ss_model_store *store,
                                 const struct ss_model_store_place *place, struct ss_error *err)
{
    int32_t count;
    enum ss_status status = ss_kafka_positions_counts(place->access, &place->topic, 1, &count, err);
    if (status != SS_OK || count == 0)
        return status;
    status = ss_model_topic_open(place->access, place->topic, &store->topic, err);
    if (status == SS_OK)
        store->history = ss_model_topic_history(store->topic);
    return status;
}

static enum ss_status take_record(struct ss_model_store *store, struct ss_bytes body,
                                  const char *path, struct ss_error *err)
{
    struct ss_buffer value;
    struct ss_error why;
    static const uint8_t header[SS_WIRE_HEADER_SIZE];
    ss_buffer_init(&value, SIZE_MAX / 2);
    enum ss_status status =
        ss_buffer_append(&value, header, sizeof header) &&
                ss_buffer_append(&value, body.data, body.size)
            ? ss_model_history_add(store->archive, (struct ss_bytes){value.data, value.size}, &why)
            : ss_fail(&why, SS_STOP, "out of memory for a model");
    ss_buffer_reset(&value);
    if (status == SS_DROP) {
        ss_warn("models", "%s: %s; passed over", path, why.detail);
        return SS_OK;
    }
    if (status != SS_OK)
        *err = why;
    return status;
}

static enum ss_status read_file(struct ss_model_store *store, const char *path,
                                struct ss_error *err)
{
    struct ss_container_reader *reader;
    struct ss_transcoder *transcoder = NULL;
    const char *schema;
    struct ss_bytes given, body;
    struct ss_error why;
    enum ss_status status = ss_container_open_raw(path, &reader, &schema, err);
    if (status != SS_OK)
        return status;
    if (ss_transcoder_open(ss_schema_of_models(), schema, NULL, 0, &transcoder, NULL, &why) !=
        SS_OK)
        status = ss_fail(err, SS_STOP, "%.200s does not hold models: %.200s", path, why.detail);
    while (status == SS_OK && (status = ss_container_next_raw(reader, &given, err)) == SS_OK &&
           given.data)
        status =
            ss_transcode(transcoder, given, &body, NULL, &why) == SS_OK
                ? take_record(store, body, path, err)
                : ss_fail(err, SS_STOP, "%.200s: a model cannot be read: %.200s", path, why.detail);
    ss_transcoder_close(transcoder);
    ss_container_close(reader);
    return status;
}

/* The topic has one partition; a file that is named by it alone has no number. */
static enum ss_status read_archive(struct ss_model_store *store,
                                   const struct ss_model_store_place *place, struct ss_error *err)
{
    struct ss_archive_index *index;
    size_t count;
    enum ss_status status = ss_archive_index_open(place->directory, &place->topic, 1, &index, err);
    if (status != SS_OK)
        return status;
    const struct ss_archive_file *files = ss_archive_index_find(index, 0, 0, &count);
    if (count == 0)
        files = ss_archive_index_find(index, 0, -1, &count);
    if (count > 0) {
        ss_model_history_close(store->archive);
        store->history = store->archive = ss_model_history_open();
        if (!store->archive)
            status = ss_fail(err, SS_STOP, "out of memory for models");
    }
    for (size_t i = 0; i < count && status == SS_OK; i++)
        status = read_file(store, files[i].path, err);
    ss_archive_index_close(index);
    return status;
}

enum ss_status ss_model_store_read(struct ss_model_store *store,
                                   const struct ss_model_store_place *place, bool *found,
                                   struct ss_error *err)
{
    enum ss_status status =
        place->access ? read_kafka(store, place, err) : read_archive(store, place, err);
    *found = status == SS_OK && ss_model_store_live(store);
    return status;
}

static enum ss_status compare(const struct ss_model_store *store, const struct ss_model *model,
                              const char *path, struct ss_error *err)
{
    char first[SS_NAME_MAX], ours[SS_NAME_MAX];
    const struct ss_models *live = ss_model_store_live(store);
    const struct ss_model *with = live                    ? live->person
                                  : store->file_count > 0 ? store->files[0].model
                                                          : model;
    enum ss_status status = ss_model_structural_version(with, first, err);
    if (status == SS_OK)
        status = ss_model_structural_version(model, ours, err);
    if (status != SS_OK || strcmp(first, ours) == 0)
        return status;
    return ss_fail(
        err, SS_STOP,
        "%s: what is under structural is not that of %s: states are rebuilt where that "
        "changes, so what was published before is verified with the models of that time, "
        "apart",
        path ? path : "the built-in model", with->version);
}

enum ss_status ss_model_store_file(struct ss_model_store *store, const char *path, bool business,
                                   struct ss_error *err)
{
    struct of_file *files = realloc(store->files, (store->file_count + 1) * sizeof *files);
    struct ss_model *model = calloc(1, sizeof *model);
    if (files)
        store->files = files;
    enum ss_status status = files && model ? ss_model_load(path, model, err)
                                           : ss_fail(err, SS_STOP, "out of memory for a model");
    if (status == SS_OK)
        status = compare(store, model, path, err);
    if (status != SS_OK) {
        free(model);
        return status;
    }
    files[store->file_count++] = (struct of_file){model, business};
    return SS_OK;
}

enum ss_status ss_model_store_copy(const struct ss_model_store *store, const char *name,
                                   const struct ss_model **copy, struct ss_error *err)
{
    const struct ss_model *known =
        store->history && name ? ss_model_history_find(store->history, name) : NULL;
    struct ss_model *model = calloc(1, sizeof *model);
    *copy = model;
    if (!model)
        return ss_fail(err, SS_STOP, "out of memory for a model");
    if (known)
        *model = *known;
    return known ? SS_OK : ss_model_load(name, model, err);
}

/* --- finding --- */

static bool named(const struct ss_model *model, struct ss_text version)
{
    return model && strlen(model->version) == version.size &&
           memcmp(model->version, version.data, version.size) == 0;
}

static const struct ss_model_epoch *newest(const struct ss_model_store *store)
{
    return store->history ? ss_model_history_live(store->history) : NULL;
}

static const struct ss_model *find_in_topic(const struct ss_model_store *store,
                                            struct ss_text version, bool *business)
{
    char text[SS_NAME_MAX];
    for (const struct ss_model_epoch *epoch = newest(store); epoch; epoch = epoch->previous) {
        *business = named(epoch->models.business, version);
        if (*business || named(epoch->models.person, version))
            return *business ? epoch->models.business : epoch->models.person;
    }
    *business = false;
    if (!store->history || !ss_model_history_trouble(store->history) || version.size >= sizeof text)
        return NULL;
    memcpy(text, version.data, version.size);
    text[version.size] = '\0';
    return ss_model_history_find(store->history, text);
}

static void miss(struct ss_model_store *store, struct ss_text version)
{
    size_t i = 0;
    pthread_mutex_lock(&store->lock);
    while (i < store->missed_count && (strlen(store->missed[i]) != version.size ||
                                       memcmp(store->missed[i], version.data, version.size) != 0))
        i++;
    if (i == store->missed_count && i < MISSED_MAX && version.size < SS_NAME_MAX) {
        memcpy(store->missed[i], version.data, version.size);
        store->missed[i][version.size] = '\0';
        store->missed_count++;
    }
    pthread_mutex_unlock(&store->lock);
}

static const struct ss_model *find(void *arg, struct ss_text version, bool *business)
{
    struct ss_model_store *store = arg;
    for (size_t i = 0; i < store->file_count; i++) {
        *business = store->files[i].business;
        if (named(store->files[i].model, version))
            return store->files[i].model;
    }
    const struct ss_model *model = find_in_topic(store, version, business);
    if (!model)
        miss(store, version);
    return model;
}

struct ss_model_shelf ss_model_store_shelf(struct ss_model_store *store)
{
    return (struct ss_model_shelf){store, find};
}

const struct ss_models *ss_model_store_epoch(const struct ss_model_store *store, int32_t epoch)
{
    const struct ss_model_epoch *at = newest(store);
    while (at && at->models.epoch != epoch)
        at = at->previous;
    return at ? &at->models : NULL;
}

const struct ss_models *ss_model_store_live(const struct ss_model_store *store)
{
    const struct ss_model_epoch *live = newest(store);
    return live ? &live->models : NULL;
}

const struct ss_models *ss_model_store_first(const struct ss_model_store *store)
{
    const struct ss_model_epoch *at = newest(store);
    while (at && at->previous)
        at = at->previous;
    return at ? &at->models : NULL;
}

struct ss_models ss_model_store_given(const struct ss_model_store *store)
{
    struct ss_models models = {0};
    for (size_t i = 0; i < store->file_count; i++)
        *(store->files[i].business ? &models.business : &models.person) = store->files[i].model;
    return models;
}

const char *ss_model_store_missed(const struct ss_model_store *store, size_t i)
{
    return i < store->missed_count ? store->missed[i] : NULL;
}
