/* kafka_group.c - membership: who owns which partitions, told to the worker in order.
 *
 * The group client subscribes to the seven inputs but is assigned nothing to fetch: the broker's
 * assignment is taken from the callback, and the fetch client starts each partition at the offset
 * that the worker names. The callback runs only inside ss_kafka_group_serve, on the worker's
 * thread.
 */
#include "consumer/kafka_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

int32_t ss_kafka_generation(const rd_kafka_consumer_group_metadata_t *membership)
{
    /* Serialised as "CGMDv2:", then the generation: the only way to it in librdkafka 2.0. */
    void *bytes;
    size_t size;
    int32_t generation = 0;
    if (!membership)
        return -1;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(membership, &bytes, &size);
    if (error) {
        rd_kafka_error_destroy(error);
        return -1;
    }
    if (size >= 11 && memcmp(bytes, "CGMDv2:", 7) == 0)
        memcpy(&generation, (char *)bytes + 7, sizeof generation);
    rd_kafka_mem_free(NULL, bytes);
    return generation;
}

static int input_of(const struct ss_kafka_bus *k, const char *topic)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (strcmp(k->config.inputs[i], topic) == 0)
            return i;
    return -1;
}

static void on_assign(struct ss_kafka_bus *k, const rd_kafka_topic_partition_list_t *list)
{
    const int all = (1 << SS_INPUT_COUNT) - 1;
    for (int32_t p = 0; p < k->bus.partition_count; p++) {
        int present = 0, missing = -1;
        for (int i = 0; i < list->cnt; i++) {
            int input = input_of(k, list->elems[i].topic);
            if (list->elems[i].partition == p && input >= 0)
                present |= 1 << input;
        }
        if (present == 0)
            continue;
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            if (!(present & 1 << i))
                missing = i;
        if (present != all) {
            (void)ss_kafka_stop(k, NULL,
                                "the group assigned partition %d of some inputs but not of %s: do "
                                "all inputs have %d partitions, and do all members of group %s "
                                "run the same version and config?",
                                p, k->config.inputs[missing], k->bus.partition_count,
                                k->config.group);
            return;
        }
        k->partitions[p].assigned = true;
        k->partitions[p].assign_pending = true;
    }
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].partition >= k->bus.partition_count)
            (void)ss_kafka_stop(k, NULL,
                                "%s has more than the %d partitions of this state: the partition "
                                "count is part of its identity. Create topics anew under other "
                                "names and replay",
                                list->elems[i].topic, k->bus.partition_count);
}

static void on_revoke(struct ss_kafka_bus *k, bool lost)
{
    for (int32_t p = 0; p < k->bus.partition_count; p++) {
        struct ss_kafka_partition *partition = &k->partitions[p];
        ss_kafka_flows_stop(k, p);
        partition->assigned = partition->assign_pending = partition->open = false;
        if (partition->announced) {
            partition->revoke_pending = true;
            partition->revoke_lost |= lost;
        }
    }
}

static void drop_membership(struct ss_kafka_bus *k)
{
    if (k->membership)
        rd_kafka_consumer_group_metadata_destroy(k->membership);
    k->membership = NULL;
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct ss_kafka_bus *k = ((struct ss_kafka_client *)opaque)->owner;
    drop_membership(k);
    k->spare_untold = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && list->cnt == 0;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        on_assign(k, list);
        k->membership = rd_kafka_consumer_group_metadata(handle);
        k->reassign_at_ms = 0;
        ss_info(k->client.who, "assigned %d partitions, generation %d", list->cnt / SS_INPUT_COUNT,
                ss_kafka_generation(k->membership));
        /* Answers the group; there is nothing for this client to fetch. */
        rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
        rd_kafka_assign(handle, none);
        rd_kafka_topic_partition_list_destroy(none);
    } else {
        bool lost = rd_kafka_assignment_lost(handle);
        ss_info(k->client.who, "%s %d partitions", lost ? "lost" : "giving up",
                list->cnt / SS_INPUT_COUNT);
        on_revoke(k, lost);
        rd_kafka_assign(handle, NULL);
    }
}

static enum ss_status group_conf(struct ss_kafka_bus *k, rd_kafka_conf_t *conf,
                                 struct ss_error *err)
{
    const struct ss_kafka_property ours[] = {
        {"group.id", k->config.group},         {"partition.assignment.strategy", "range"},
        {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
        {"isolation.level", "read_committed"}, /* committed offsets: stable ones */
        {"auto.offset.reset", "earliest"},
    };
    enum ss_status status = ss_kafka_conf_access(conf, &k->config.access, RD_KAFKA_CONSUMER, err);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && !status; i++)
        status = ss_kafka_conf_set(conf, ours[i].name, ours[i].value, err);
    if (!status)
        status =
            ss_kafka_conf_set_number(conf, "session.timeout.ms", k->config.session_timeout_ms, err);
    if (!status && k->config.session_timeout_ms < 3 * 3000)
        status = ss_kafka_conf_set_number(conf, "heartbeat.interval.ms",
                                          k->config.session_timeout_ms / 3, err);
    if (!status && !k->config.mock)
        status = ss_kafka_conf_set(conf, "group.instance.id", k->id, err);
    return status;
}

enum ss_status ss_kafka_group_open(struct ss_kafka_bus *k, struct ss_error *err)
{
    rd_kafka_conf_t *conf = ss_kafka_conf_new(&k->client);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    enum ss_status status = group_conf(k, conf, err);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    status = ss_kafka_handle_open(conf, RD_KAFKA_CONSUMER, &k->group, err);
    if (status)
        return status;
    rd_kafka_poll_set_consumer(k->group);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(k->group);
    const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, k->wake_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);

    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(SS_INPUT_COUNT);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        rd_kafka_topic_partition_list_add(topics, k->config.inputs[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(k->group, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code)
        return ss_fail(err, SS_STOP, "cannot subscribe: %s", rd_kafka_err2str(code));
    return SS_OK;
}

void ss_kafka_group_close(struct ss_kafka_bus *k)
{
    if (k->group) {
        /* A static member does not leave: its partitions wait for it until the session times out.
         * So there is nothing to gain from consumer_close, which in 2.0.2 can hang for ever in a
         * rebalance callback if the group is being joined at that moment. */
        if (k->config.mock && k->membership)
            rd_kafka_consumer_close(k->group);
        rd_kafka_destroy_flags(k->group, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    k->group = NULL;
    drop_membership(k);
}

void ss_kafka_group_lose(struct ss_kafka_bus *k)
{
    ss_kafka_group_close(k);
    on_revoke(k, true);
    k->spare_untold = false;
    k->reassign_at_ms = 0;
}

enum ss_status ss_kafka_group_serve(struct ss_kafka_bus *k, struct ss_error *err)
{
    char text[256];
    enum ss_status status = SS_OK;
    bool fenced = false;
    if (!k->group && !k->fatal.status)
        return ss_kafka_anew_ms(k) > 0 ? SS_OK : ss_kafka_group_open(k, err);
    /* Also what keeps max.poll.interval.ms from running out, whatever other queues are served. */
    rd_kafka_message_t *message = k->group ? rd_kafka_consumer_poll(k->group, 0) : NULL;
    if (message) {
        if (message->err) {
            rd_kafka_resp_err_t cause = ss_kafka_cause(k->group, message->err, text, sizeof text);
            if (cause == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
                fenced = true;
            else if (message->err == RD_KAFKA_RESP_ERR__FATAL)
                status = ss_kafka_stop(k, err, "the group consumer failed: %s", text);
            else
                ss_warn(k->client.who, "group: %s", rd_kafka_message_errstr(message));
        }
        rd_kafka_message_destroy(message);
    }
    if (fenced && ss_kafka_fenced(k, text, err) == SS_RETRY)
        return SS_OK;
    if (!status && k->fatal.status) {
        if (err)
            *err = k->fatal;
        status = k->fatal.status;
    }
    return status;
}

bool ss_kafka_group_event(struct ss_kafka_bus *k, struct ss_poll *out)
{
    size_t count = 0;
    bool any_lost = false, none = false;
    for (int32_t p = 0; p < k->bus.partition_count; p++)
        any_lost |= k->partitions[p].revoke_pending && k->partitions[p].revoke_lost;
    for (int32_t p = 0; p < k->bus.partition_count; p++) {
        struct ss_kafka_partition *partition = &k->partitions[p];
        if (!partition->revoke_pending || partition->revoke_lost != any_lost)
            continue;
        partition->revoke_pending = partition->revoke_lost = partition->announced = false;
        k->event_partitions[count++] = p;
    }
    out->event = SS_BUS_REVOKED;
    out->lost = any_lost;
    if (count == 0 && k->producer_ready && ss_clock_steady_ms() >= k->reassign_at_ms) {
        for (int32_t p = 0; p < k->bus.partition_count; p++) {
            struct ss_kafka_partition *partition = &k->partitions[p];
            if (!partition->assign_pending)
                continue;
            partition->assign_pending = false;
            partition->announced = true;
            for (int i = 0; i < SS_INPUT_COUNT; i++)
                partition->flows[i] = (struct ss_kafka_flow){0};
            k->event_partitions[count++] = p;
        }
        out->event = SS_BUS_ASSIGNED;
        out->lost = false;
        none = k->spare_untold;
        k->spare_untold = false;
    }
    if (count == 0 && !none) {
        out->event = SS_BUS_NOTHING;
        return false;
    }
    out->partitions = k->event_partitions;
    out->partition_count = count;
    return true;
}

void ss_kafka_take_back(struct ss_kafka_bus *k, int pause_ms)
{
    for (int32_t p = 0; p < k->bus.partition_count; p++) {
        struct ss_kafka_partition *partition = &k->partitions[p];
        ss_kafka_flows_stop(k, p);
        partition->open = false;
        if (partition->announced)
            partition->revoke_pending = partition->revoke_lost = true;
        partition->assign_pending = partition->assigned;
    }
    k->reassign_at_ms = ss_clock_steady_ms() + pause_ms;
}
