#include "audit/snapshot_models.h"

#include "scoring/apply.h"

#include <stdio.h>
#include <stdlib.h>

struct ss_snapshot_models {
    const struct ss_snapshot_head *head;
    struct ss_models list[]; /* by the head's epochs; person NULL: not known */
};

static const char missing[] = "neither in sesame-models nor given: its file, with --model (or "
                              "--business-model), is what lacks";

enum ss_status ss_snapshot_epochs_list(const struct ss_models *newest,
                                       struct ss_snapshot_epoch **list, size_t *count,
                                       struct ss_error *err)
{
    size_t at = 0;
    for (const struct ss_models *models = newest; models; models = models->before)
        at++;
    *count = at;
    *list = calloc(at, sizeof **list);
    if (!*list)
        return ss_fail(err, SS_STOP, "out of memory for models");
    for (const struct ss_models *models = newest; models; models = models->before) {
        struct ss_snapshot_epoch *epoch = &(*list)[--at];
        *epoch = (struct ss_snapshot_epoch){.epoch = models->epoch,
                                            .person_since = models->person_since,
                                            .business_since = models->business_since};
        snprintf(epoch->person, sizeof epoch->person, "%s", models->person->version);
        if (models->business)
            snprintf(epoch->business, sizeof epoch->business, "%s", models->business->version);
    }
    return SS_OK;
}

static const struct ss_model *find(const struct ss_model_shelf *shelf, const char *version)
{
    bool business;
    return shelf->find(shelf->arg, (struct ss_text){version, (uint32_t)strlen(version)}, &business);
}

enum ss_status ss_snapshot_models_open(const struct ss_snapshot_head *head,
                                       const struct ss_model_shelf *shelf,
                                       struct ss_snapshot_models **out, struct ss_error *err)
{
    struct ss_snapshot_models *models =
        calloc(1, sizeof *models + head->epoch_count * sizeof models->list[0]);
    if (!models)
        return ss_fail(err, SS_STOP, "out of memory for models");
    models->head = head;
    for (size_t i = 0; i < head->epoch_count; i++) {
        const struct ss_snapshot_epoch *epoch = &head->epochs[i];
        struct ss_models *one = &models->list[i];
        const struct ss_model *person = find(shelf, epoch->person),
                              *business = *epoch->business ? find(shelf, epoch->business) : NULL;
        if (!person || (*epoch->business && !business))
            continue;
        *one = (struct ss_models){.person = person,
                                  .business = business,
                                  .epoch = epoch->epoch,
                                  .person_since = epoch->person_since,
                                  .business_since = epoch->business_since,
                                  .before = i && one[-1].person ? one - 1 : NULL};
    }
    *out = models;
    return SS_OK;
}

void ss_snapshot_models_close(struct ss_snapshot_models *models)
{
    free(models);
}

static const struct ss_snapshot_epoch *epoch_of(const struct ss_snapshot_head *head, int32_t epoch)
{
    size_t i = head->epoch_count;
    while (i > 0 && head->epochs[i - 1].epoch > epoch)
        i--;
    return i ? &head->epochs[i - 1] : NULL;
}

enum ss_status ss_snapshot_models_at(const struct ss_snapshot_models *models, int32_t epoch,
                                     const struct ss_models **at, struct ss_error *err)
{
    const struct ss_snapshot_epoch *found = epoch_of(models->head, epoch);
    if (!found || found->epoch != epoch)
        return ss_fail(err, SS_STOP, "the snapshot does not say what model epoch %d is", epoch);
    *at = &models->list[found - models->head->epochs];
    if ((*at)->person)
        return SS_OK;
    return ss_fail(err, SS_STOP, "the snapshot goes on with model %s%s%s, which is %s",
                   found->person, *found->business ? ", businesses with " : "", found->business,
                   missing);
}

enum ss_status ss_snapshot_models_check(const struct ss_snapshot_head *head,
                                        const struct ss_models *models,
                                        const struct ss_user_state *state, struct ss_error *err)
{
    const struct ss_published *published = &state->published;
    if (!state->consents.scoring || ss_wake_known(models, state))
        return SS_OK;
    const struct ss_snapshot_epoch *epoch = epoch_of(head, published->epoch);
    return ss_fail(err, SS_STOP,
                   "the snapshot was made amid a change of model: users were told of model %s, "
                   "which is %s",
                   !epoch                ? "?"
                   : published->business ? epoch->business
                                         : epoch->person,
                   missing);
}
