/* engine_models.c - the thread that follows sesame-models: which models are live, from the first
 * on, which it publishes itself where there is none yet. Workers take over what it finds between
 * two batches; until it has found something they wait.
 *
 * SS_STOP: a topic that cannot be gone on with, or that nobody may read; Kafka being away is waited
 * for.
 */
#include "consumer/engine_internal.h"

#include "base/log.h"
#include "config/model_file.h"

#include <stdlib.h>

enum { MODELS_WAIT_MS = 200 };

static bool same_model(const struct ss_model *a, const struct ss_model *b)
{
    return !a == !b && (!a || strcmp(a->version, b->version) == 0);
}

/* Several may do so at once, with other files even: the first in the topic counts for all. */
static enum ss_status begin_models(struct ss_engine *engine, struct ss_error *err)
{
    const struct ss_config *config = engine->config;
    const struct {
        const char *file;
        const struct ss_model *model;
    } sides[2] = {{config->model_file, engine->models.person},
                  {config->business_model_file, engine->models.business}};
    struct ss_model_activation first = {.by = "sesame run"};
    struct ss_model_text *const texts[2] = {&first.person, &first.business};
    char *sources[2] = {NULL, NULL};
    enum ss_status status = SS_OK;
    for (int i = 0; i < 2 && status == SS_OK; i++) {
        struct ss_model *again = sides[i].model ? calloc(1, sizeof *again) : NULL;
        size_t size = 0;
        if (!sides[i].model)
            continue;
        if (!again)
            return ss_fail(err, SS_STOP, "out of memory for a model");
        status = ss_model_load_text(sides[i].file, again, &sources[i], &size, err);
        if (status == SS_OK && !same_model(again, sides[i].model))
            status = ss_fail(err, SS_STOP, "%s has changed since it was read", sides[i].file);
        free(again);
        *texts[i] = (struct ss_model_text){sides[i].model, {sources[i], size}};
    }
    bool won = false;
    if (status == SS_OK)
        status = ss_model_topic_activate(engine->model_topic, &engine->access,
                                         engine->models_schema_id, &first, &won, err);
    if (status == SS_OK && won)
        ss_info("models", "%s was empty: model %s is live from now on", config->models_topic,
                engine->models.person->version);
    free(sources[0]);
    free(sources[1]);
    return status;
}

/* What the config names is what a deployment begins with, and nothing else: else a restart with an
 * old file would take back what others have put in charge. */
static void compare_models(const struct ss_engine *engine, const struct ss_models *live)
{
    const struct ss_config *config = engine->config;
    if (same_model(live->person, engine->models.person) &&
        same_model(live->business, engine->models.business))
        return;
    ss_warn("models",
            "%s says that model %s%s%s is live; the config's %s%s%s is not used. `sesame rescore` "
            "changes the live model; to silence this, let model.file be the live one's",
            config->models_topic, live->person->version,
            live->business ? " with businesses by " : "",
            live->business ? live->business->version : "", engine->models.person->version,
            engine->models.business ? " with businesses by " : "",
            engine->models.business ? engine->models.business->version : "");
}

static enum ss_status open_models(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (!engine->model_topic)
        status = ss_model_topic_open(&engine->access, engine->config->models_topic,
                                     &engine->model_topic, err);
    if (status != SS_OK)
        return status;
    const struct ss_model_history *history = ss_model_topic_history(engine->model_topic);
    if (ss_model_history_newest(history) < 0)
        status = begin_models(engine, err);
    const char *trouble = ss_model_history_trouble(history);
    if (status == SS_OK && trouble)
        return ss_fail(err, SS_STOP, "%s: cannot go on to %s", engine->config->models_topic,
                       trouble);
    if (status != SS_OK)
        return status;
    compare_models(engine, &ss_model_history_live(history)->models);
    return SS_OK;
}

void *ss_engine_models_main(void *arg)
{
    struct ss_engine *engine = arg;
    struct ss_error *err = &engine->models_error;
    const struct ss_models *live = NULL;
    bool said = false;
    enum ss_status status = SS_RETRY;
    while (status == SS_RETRY && !atomic_load(&engine->stop)) {
        status = open_models(engine, err);
        if (status == SS_RETRY && !said)
            ss_warn("models", "%s; trying again", err->detail);
        said |= status == SS_RETRY;
        if (status == SS_RETRY)
            ss_engine_pause(engine);
    }
    while (status != SS_STOP && !atomic_load(&engine->stop)) {
        const struct ss_models *now =
            &ss_model_history_live(ss_model_topic_history(engine->model_topic))->models;
        if (live && now != live)
            ss_info("models", "model %s is live from now on (epoch %d)", now->person->version,
                    now->epoch);
        atomic_store(&engine->live, live = now);
        status = ss_model_topic_poll(engine->model_topic, MODELS_WAIT_MS, err);
        if (status == SS_RETRY)
            ss_engine_pause(engine);
    }
    engine->models_status = status == SS_STOP ? status : SS_OK;
    if (status == SS_STOP)
        atomic_store(&engine->stop, true);
    return NULL;
}
