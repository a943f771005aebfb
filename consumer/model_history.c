#include "consumer/model_history.h"

#include "config/model_file.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct known {
    char version[SS_NAME_MAX];
    char structural[SS_NAME_MAX];
    struct ss_model *model; /* NULL: cannot be read */
    char why[200];
};

struct ss_model_history {
    struct known *known;
    size_t known_count;
    struct ss_model_epoch *_Atomic live;
    int32_t newest;
    char trouble[300]; /* "": none */
};

struct ss_model_history *ss_model_history_open(void)
{
    struct ss_model_history *history = calloc(1, sizeof *history);
    if (history)
        history->newest = -1;
    return history;
}

void ss_model_history_close(struct ss_model_history *history)
{
    if (!history)
        return;
    for (struct ss_model_epoch *epoch = atomic_load(&history->live), *previous; epoch;
         epoch = previous) {
        previous = (struct ss_model_epoch *)epoch->previous;
        free(epoch);
    }
    for (size_t i = 0; i < history->known_count; i++)
        free(history->known[i].model);
    free(history->known);
    free(history);
}

static const struct known *find(const struct ss_model_history *history, struct ss_text version)
{
    for (size_t i = 0; i < history->known_count; i++) {
        const char *one = history->known[i].version;
        if (strlen(one) == version.size && memcmp(one, version.data, version.size) == 0)
            return &history->known[i];
    }
    return NULL;
}

static enum ss_status parse(struct known *known, struct ss_text source, struct ss_error *err)
{
    struct ss_error why = {.detail = ""};
    known->model = calloc(1, sizeof *known->model);
    if (!known->model)
        return ss_fail(err, SS_STOP, "out of memory for a model");
    enum ss_status status =
        ss_model_parse(source.data, source.size, known->version, known->model, &why);
    if (status == SS_OK)
        status = ss_model_structural_version(known->model, known->structural, &why);
    if (status == SS_OK && strcmp(known->model->version, known->version) != 0)
        status =
            ss_fail(&why, SS_STOP, "this version of sesame reads it as %s", known->model->version);
    if (status == SS_OK)
        return SS_OK;
    snprintf(known->why, sizeof known->why, "%.*s", (int)sizeof known->why - 1, why.detail);
    free(known->model);
    known->model = NULL;
    return SS_OK;
}

static enum ss_status add_model(struct ss_model_history *history,
                                const struct ss_model_entry *entry, struct ss_error *err)
{
    if (entry->version.size == 0 || entry->version.size >= SS_NAME_MAX)
        return ss_fail(err, SS_DROP, "a model's version is of %u bytes", entry->version.size);
    if (find(history, entry->version))
        return SS_OK;
    struct known *known =
        realloc(history->known, (history->known_count + 1) * sizeof *history->known);
    if (!known)
        return ss_fail(err, SS_STOP, "out of memory for a model");
    history->known = known;
    known += history->known_count;
    memset(known, 0, sizeof *known);
    memcpy(known->version, entry->version.data, entry->version.size);
    enum ss_status status = parse(known, entry->source, err);
    if (status == SS_OK)
        history->known_count++;
    return status;
}

static enum ss_status fail_epoch(struct ss_model_history *history, int32_t epoch,
                                 struct ss_text version, const char *why)
{
    snprintf(history->trouble, sizeof history->trouble, "epoch %d, model %.*s: %.180s", epoch,
             (int)version.size, version.data, why);
    return SS_OK;
}

static bool same_version(const struct ss_model *a, const struct ss_model *b)
{
    return a == b || (a && b && strcmp(a->version, b->version) == 0);
}

/* A model that stays is in charge since when it was. */
static void continue_from(struct ss_model_epoch *epoch, const struct ss_model_epoch *live)
{
    struct ss_models *models = &epoch->models;
    const struct ss_models *before = &live->models;
    models->before = before;
    if (same_version(models->person, before->person))
        models->person_since = before->person_since;
    if (same_version(models->business, before->business))
        models->business_since = before->business_since;
}

static enum ss_status activate(struct ss_model_history *history, const struct ss_model_entry *entry,
                               struct ss_error *err)
{
    struct ss_model_epoch *live = atomic_load(&history->live);
    static const char missing[] = "it is not in the topic";
    static const char folds[] = "what is structural is not that of the models before: states would "
                                "have to be rebuilt from the logs";
    if (entry->epoch <= history->newest)
        return SS_OK;
    const bool gap = history->trouble[0] != '\0';
    history->newest = entry->epoch;
    const struct known *person = find(history, entry->person);
    const struct known *business = entry->business.size > 0 ? find(history, entry->business) : NULL;
    if (!person || !person->model)
        return fail_epoch(history, entry->epoch, entry->person, person ? person->why : missing);
    if (entry->business.size > 0 && (!business || !business->model))
        return fail_epoch(history, entry->epoch, entry->business,
                          business ? business->why : missing);
    const struct known *last =
        live ? find(history, (struct ss_text){live->models.person->version,
                                              (uint32_t)strlen(live->models.person->version)})
             : person;
    if (strcmp(person->structural, last->structural) != 0)
        return fail_epoch(history, entry->epoch, entry->person, folds);
    if (business && strcmp(business->structural, last->structural) != 0)
        return fail_epoch(history, entry->epoch, entry->business, folds);
    struct ss_model_epoch *epoch = calloc(1, sizeof *epoch);
    if (!epoch)
        return ss_fail(err, SS_STOP, "out of memory for a model");
    *epoch = (struct ss_model_epoch){
        .models = {.person = person->model,
                   .business = business ? business->model : NULL,
                   .epoch = entry->epoch,
                   .person_since = entry->epoch,
                   .business_since = entry->epoch},
        .since_ms = entry->published_at_ms,
        .previous = live,
    };
    if (live && !gap)
        continue_from(epoch, live);
    history->trouble[0] = '\0';
    atomic_store(&history->live, epoch);
    return SS_OK;
}

enum ss_status ss_model_history_add(struct ss_model_history *history, struct ss_bytes value,
                                    struct ss_error *err)
{
    struct ss_model_entry entry;
    enum ss_status status = ss_model_entry_decode(value, &entry, err);
    if (status != SS_OK)
        return status;
    return entry.is_activation ? activate(history, &entry, err) : add_model(history, &entry, err);
}

const struct ss_model_epoch *ss_model_history_live(const struct ss_model_history *history)
{
    return atomic_load(&history->live);
}

const struct ss_model *ss_model_history_find(const struct ss_model_history *history,
                                             const char *version)
{
    const struct known *known = find(history, (struct ss_text){version, (uint32_t)strlen(version)});
    return known ? known->model : NULL;
}

int32_t ss_model_history_newest(const struct ss_model_history *history)
{
    return history->newest;
}

const char *ss_model_history_trouble(const struct ss_model_history *history)
{
    return history->trouble[0] ? history->trouble : NULL;
}
