/* partition_models.c - which models are in charge of a partition: its mark names their epoch, which
 * never goes back. */
#include "consumer/partition.h"

#include "base/log.h"

const struct ss_models *ss_worker_models(const struct ss_worker_config *config)
{
    return config->live ? config->live(config->live_arg) : &config->models;
}

static void put_in_charge(struct ss_partition *partition, const struct ss_models *models)
{
    partition->models = models;
    memcpy(partition->mark.model_version, models->person->version,
           sizeof partition->mark.model_version);
}

void ss_partition_follow(const struct ss_worker_config *config, struct ss_partition *partition)
{
    const struct ss_models *models = ss_worker_models(config);
    struct ss_mark *mark = &partition->mark;
    if (models->epoch <= mark->epoch)
        return;
    ss_info("worker", "worker %d partition %d: model %s from now on (epoch %d)", config->index,
            partition->number, models->person->version, models->epoch);
    put_in_charge(partition, models);
    mark->epoch = models->epoch;
    mark->sweep_next = mark->sweep_groups = 0;
    mark->rescored = 0;
    if (!partition->has_saved && !partition->unsaved) /* nobody is there */
        mark->swept = mark->epoch;
}

enum ss_status ss_partition_begin_models(const struct ss_worker_config *config,
                                         struct ss_partition *partition, bool any_mark,
                                         struct ss_error *err)
{
    const struct ss_models *models = ss_worker_models(config);
    struct ss_mark *mark = &partition->mark;
    if (models->epoch < mark->epoch)
        return ss_fail(
            err, SS_RETRY,
            "partition %d: its states are of model %s (epoch %d), the topic of models is "
            "known up to epoch %d only; waiting for more. If that topic was lost, "
            "`sesame rescore` makes it anew",
            partition->number, mark->model_version, mark->epoch, models->epoch);
    if (!any_mark)
        mark->epoch = mark->swept = models->epoch;
    put_in_charge(partition, models);
    ss_partition_follow(config, partition);
    return SS_OK;
}
