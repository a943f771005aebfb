#include "consumer/kafka_mock.h"

#include "consumer/kafka_client.h"

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct ss_kafka_mock {
    struct ss_kafka_client client;
    rd_kafka_t *handle; /* keeps the cluster's books; it connects to nothing */
    rd_kafka_mock_cluster_t *cluster;
};

/* The cluster's thread takes a signal that interrupts it for its end, and then nobody answers any
 * more; it inherits that it sees none. */
static rd_kafka_mock_cluster_t *start_cluster(rd_kafka_t *handle, int brokers)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, brokers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return cluster;
}

enum ss_status ss_kafka_mock_open(int brokers, const struct ss_kafka_mock_topic *topics,
                                  size_t count, struct ss_kafka_mock **mock, struct ss_error *err)
{
    struct ss_kafka_mock *m = calloc(1, sizeof *m);
    if (!m)
        return ss_fail(err, SS_STOP, "out of memory");
    strcpy(m->client.who, "kafka-mock");
    enum ss_status status =
        ss_kafka_handle_open(ss_kafka_conf_new(&m->client), RD_KAFKA_PRODUCER, &m->handle, err);
    if (!status) {
        m->cluster = start_cluster(m->handle, brokers);
        if (!m->cluster)
            status = ss_fail(err, SS_STOP, "the mock cluster does not start");
    }
    for (size_t i = 0; i < count && !status; i++) {
        rd_kafka_resp_err_t code =
            rd_kafka_mock_topic_create(m->cluster, topics[i].name, topics[i].partitions, 1);
        if (code)
            status =
                ss_fail(err, SS_STOP, "mock topic %s: %s", topics[i].name, rd_kafka_err2str(code));
    }
    if (status) {
        ss_kafka_mock_close(m);
        return status;
    }
    *mock = m;
    return SS_OK;
}

const char *ss_kafka_mock_bootstrap(const struct ss_kafka_mock *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

void ss_kafka_mock_fail(struct ss_kafka_mock *mock, int api_key, int error_code, int times)
{
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(mock->cluster, (int16_t)api_key, 1, error_code);
}

void ss_kafka_mock_down(struct ss_kafka_mock *mock, bool down)
{
    if (down)
        rd_kafka_mock_broker_set_down(mock->cluster, -1);
    else
        rd_kafka_mock_broker_set_up(mock->cluster, -1);
}

void ss_kafka_mock_close(struct ss_kafka_mock *mock)
{
    if (!mock)
        return;
    if (mock->cluster)
        rd_kafka_mock_cluster_destroy(mock->cluster);
    if (mock->handle)
        rd_kafka_destroy(mock->handle);
    free(mock);
}
