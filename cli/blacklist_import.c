#include "cli/blacklist_import.h"

#include "base/clock.h"
#include "cli/blacklist_progress.h"
#include "cli/blacklist_rejects.h"
#include "cli/blacklist_row.h"
#include "cli/command.h"
#include "cli/sender.h"
#include "cli/time_text.h"
#include "config/model_file.h"
#include "consumer/engine.h"
#include "consumer/kafka_admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TICK_ROWS = 64,
    SAVE_SECONDS = 2,
    QUIET_SECONDS = 60, /* how long the broker may acknowledge nothing */
    QUIET_STOPPING_SECONDS = 10,
    CLUSTER_MS = 30000,
};

struct import {
    const struct ss_blacklist_import *options;
    const struct ss_config *config;
    struct ss_blacklist_result *result;
    struct ss_model *model;
    struct ss_csv *csv;
    struct ss_blacklist_columns columns;
    struct ss_blacklist_rejects *rejects;
    struct ss_blacklist_progress progress; /* what was acknowledged, as in its file */
    struct ss_sender sender;
    struct ss_csv_record record;
    bool terminal;
    double started, said, saved;
    int64_t now_ms, rows_said, published_before;
};

/* --- what the operator sees --- */

static void report(struct import *im, double now)
{
    const struct ss_blacklist_result *result = im->result;
    int64_t size = ss_csv_size(im->csv), offset = ss_csv_offset(im->csv);
    double rate = (double)(result->rows - im->rows_said) / (now - im->said);
    double rows_left = (double)(size - offset) * (double)result->rows / (double)offset;
    fprintf(stderr, "%s%d %%, %" PRId64 " rows, %" PRId64 " rejected, %.0f rows/s, %.0f s to go%s",
            im->terminal ? SS_PROGRESS_BEGIN : "", (int)(offset * 100 / size), result->rows,
            result->rejected, rate, rate > 0 ? rows_left / rate : 0,
            im->terminal ? SS_PROGRESS_END : "\n");
    im->said = now;
    im->rows_said = result->rows;
}

static void reject(struct import *im, const char *reason)
{
    im->result->rejected++;
    if (im->rejects) {
        ss_blacklist_rejects_add(im->rejects, &im->record, reason);
        return;
    }
    ss_progress_wipe(im->terminal);
    fprintf(stderr, "sesame: line %" PRId64 ": %s\n", im->record.line, reason);
}

/* --- to the broker --- */

/* Waits for the broker's word on all that was sent, as long as it says anything. SS_RETRY: some are
 * not acknowledged. */
static enum ss_status await_deliveries(struct import *im, struct ss_error *err)
{
    struct ss_kafka_deliveries done = {0};
    int64_t sent = ss_sender_sent(&im->sender), last = -1;
    double moved = ss_seconds();
    for (;;) {
        enum ss_status status = ss_kafka_producer_flush(im->sender.producer, 500, &done, err);
        im->result->published = im->published_before + done.delivered;
        if (status == SS_OK || done.delivered + done.failed >= sent)
            return status;
        if (done.delivered != last)
            moved = ss_seconds();
        last = done.delivered;
        int patience = atomic_load(im->options->stop) ? QUIET_STOPPING_SECONDS : QUIET_SECONDS;
        if (ss_seconds() - moved > patience)
            return ss_fail(err, SS_RETRY, "Kafka has not acknowledged %" PRId64 " rows",
                           sent - done.delivered);
    }
}

/* Everything up to here is acknowledged, and written down as such. */
static enum ss_status save(struct import *im, struct ss_error *err)
{
    struct ss_blacklist_progress *p = &im->progress;
    enum ss_status status = await_deliveries(im, err);
    if (status == SS_OK && im->rejects)
        status = ss_blacklist_rejects_sync(im->rejects, &p->rejects_bytes, err);
    if (status != SS_OK)
        return status;
    p->offset = ss_csv_offset(im->csv);
    p->line = ss_csv_line(im->csv);
    p->rows = im->result->rows;
    p->published = im->result->published;
    p->rejected = im->result->rejected;
    ss_csv_digest(im->csv, p->digest);
    im->saved = ss_seconds();
    return ss_blacklist_progress_save(im->options->progress_path, p, err);
}

/* Every so many rows. */
static enum ss_status tick(struct import *im, struct ss_error *err)
{
    double now = ss_seconds();
    if (now - im->said >= (im->terminal ? 0.5 : 5))
        report(im, now);
    if (im->options->dry_run || now - im->saved < SAVE_SECONDS)
        return SS_OK;
    im->now_ms = ss_clock_wall_ms();
    return save(im, err);
}

static enum ss_status take_row(struct import *im, struct ss_error *err)
{
    struct ss_blacklist_row row;
    im->result->rows++;
    const char *fault = im->record.fault;
    if (!fault)
        fault = ss_blacklist_row_read(&row, &im->columns, &im->record, im->model, im->now_ms,
                                      im->config->events_future_tolerance_ms);
    if (fault) {
        reject(im, fault);
        return SS_OK;
    }
    if (im->options->dry_run)
        return SS_OK;
    return ss_sender_send_event(&im->sender, &row.event, err);
}

static enum ss_status take_rows(struct import *im, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    bool more = true;
    im->result->end = SS_BLACKLIST_COMPLETE;
    while (status == SS_OK) {
        if (atomic_load(im->options->stop)) {
            im->result->end = SS_BLACKLIST_STOPPED;
            break;
        }
        if (im->result->rejected > im->options->rejects_max) {
            im->result->end = SS_BLACKLIST_REJECTED_TOO_MANY;
            break;
        }
        status = ss_csv_next(im->csv, &im->record, &more, err);
        if (status != SS_OK || !more)
            break;
        status = take_row(im, err);
        if (status == SS_OK && im->result->rows % TICK_ROWS == 0)
            status = tick(im, err);
    }
    return status;
}

static enum ss_status forget_progress(const struct import *im, struct ss_error *err)
{
    const char *path = im->options->progress_path;
    if (unlink(path) == 0 || errno == ENOENT)
        return SS_OK;
    return ss_fail(err, SS_STOP, "all rows are published, but %.300s cannot be deleted: %s", path,
                   strerror(errno));
}

static enum ss_status publish_rows(struct import *im, struct ss_error *err)
{
    struct ss_error late;
    im->started = im->said = im->saved = ss_seconds();
    enum ss_status status = take_rows(im, err);
    if (!im->options->dry_run) {
        enum ss_status saved = status == SS_OK ? save(im, err) : await_deliveries(im, &late);
        if (status == SS_OK)
            status = saved;
        if (status == SS_OK && im->result->end == SS_BLACKLIST_COMPLETE)
            status = forget_progress(im, err);
    } else if (status == SS_OK && im->rejects) {
        status = ss_blacklist_rejects_sync(im->rejects, &im->progress.rejects_bytes, err);
    }
    im->result->seconds = ss_seconds() - im->started;
    ss_progress_wipe(im->terminal);
    if (status == SS_RETRY) {
        im->result->end = SS_BLACKLIST_UNDELIVERED;
        return SS_OK;
    }
    return status;
}

/* --- the beginning --- */

static enum ss_status read_header(struct import *im, struct ss_error *err)
{
    bool more;
    enum ss_status status = ss_csv_next(im->csv, &im->record, &more, err);
    if (status != SS_OK)
        return status;
    if (!more)
        return ss_fail(err, SS_STOP, "%.300s is empty", im->options->path);
    if (im->record.fault)
        return ss_fail(err, SS_STOP, "the header (line %" PRId64 "): %s", im->record.line,
                       im->record.fault);
    status = ss_blacklist_columns_read(&im->columns, &im->record, im->options->ignore_columns, err);
    ss_csv_expect(im->csv, im->record.field_count, im->options->ignore_columns);
    return status;
}

/* What the progress file says of an earlier run is of this file and this topic. */
static enum ss_status check_progress(struct import *im, const struct ss_blacklist_progress *found,
                                     struct ss_error *err)
{
    static const char again[] = "--restart imports all of it again, which does no harm";
    uint8_t digest[SS_CSV_DIGEST_SIZE];
    if (strcmp(found->cluster, im->progress.cluster) != 0 ||
        strcmp(found->topic, im->progress.topic) != 0)
        return ss_fail(
            err, SS_STOP,
            "the earlier import of this file went to topic %.100s of Kafka cluster %.100s; %s",
            found->topic, found->cluster, again);
    if (found->size == im->progress.size && found->offset >= ss_csv_offset(im->csv) &&
        ss_csv_skip(im->csv, found->offset, found->line, err) == SS_OK) {
        ss_csv_digest(im->csv, digest);
        if (memcmp(digest, found->digest, sizeof digest) == 0)
            return SS_OK;
    }
    return ss_fail(err, SS_STOP, "%.200s has changed since line %" PRId64 " of it was reached; %s",
                   im->options->path, found->line, again);
}

static enum ss_status go_on(struct import *im, struct ss_error *err)
{
    struct ss_blacklist_progress found;
    bool there = false;
    if (im->options->dry_run || im->options->restart)
        return SS_OK;
    enum ss_status status =
        ss_blacklist_progress_load(im->options->progress_path, &found, &there, err);
    if (status != SS_OK || !there)
        return status;
    status = check_progress(im, &found, err);
    if (status != SS_OK)
        return status;
    /* Rejected rows go on in the same file; in another one they would be cut out of it. */
    if (strcmp(found.rejects, im->progress.rejects) == 0)
        im->progress.rejects_bytes = found.rejects_bytes;
    im->result->rows = im->result->rows_before = im->rows_said = found.rows;
    im->result->published = im->published_before = found.published;
    im->result->rejected = found.rejected;
    fprintf(stderr,
            "going on at line %" PRId64 " (%d %%), after %" PRId64 " rows of an earlier run\n",
            found.line, (int)(found.offset * 100 / found.size), found.rows);
    return SS_OK;
}

static enum ss_status know_cluster(struct import *im, struct ss_error *err)
{
    struct ss_kafka_access access;
    enum ss_status status = ss_engine_access_open(im->config, &access, err);
    if (status == SS_OK)
        status = ss_kafka_cluster_id(&access, im->progress.cluster, sizeof im->progress.cluster,
                                     CLUSTER_MS, err);
    ss_engine_access_close(&access);
    return status;
}

static enum ss_status begin(struct import *im, struct ss_error *err)
{
    const struct ss_blacklist_import *options = im->options;
    struct ss_blacklist_progress *p = &im->progress;
    char header[SS_CSV_RECORD_MAX];
    enum ss_status status = ss_csv_open(options->path, &im->csv, err);
    if (status == SS_OK)
        status = read_header(im, err);
    if (status == SS_OK)
        status = ss_model_load(im->config->model_file, im->model, err);
    if (status != SS_OK)
        return status;
    struct ss_text columns = {header, im->record.raw.size};
    memcpy(header, im->record.raw.data, columns.size);
    p->size = ss_csv_size(im->csv);
    snprintf(p->topic, sizeof p->topic, "%s", im->config->input_topics[SS_BLACKLIST]);
    if (options->rejects_path && snprintf(p->rejects, sizeof p->rejects, "%s",
                                          options->rejects_path) >= (int)sizeof p->rejects)
        return ss_fail(err, SS_STOP, "the name of the rejects file is too long");
    if (!options->dry_run) {
        status = know_cluster(im, err);
        if (status == SS_OK)
            status = ss_sender_open_for(&im->sender, im->config, SS_BLACKLIST, err);
    }
    if (status == SS_OK)
        status = go_on(im, err);
    if (status == SS_OK && options->rejects_path)
        status = ss_blacklist_rejects_open(options->rejects_path, columns, p->rejects_bytes,
                                           &im->rejects, err);
    return status;
}

enum ss_status ss_blacklist_import(const struct ss_blacklist_import *options,
                                   const struct ss_config *config,
                                   struct ss_blacklist_result *result, struct ss_error *err)
{
    struct import *im = calloc(1, sizeof *im);
    memset(result, 0, sizeof *result);
    if (!im || !(im->model = calloc(1, sizeof *im->model))) {
        free(im);
        return ss_fail(err, SS_STOP, "out of memory");
    }
    im->options = options;
    im->config = config;
    im->result = result;
    im->terminal = isatty(STDERR_FILENO);
    im->now_ms = ss_clock_wall_ms();
    enum ss_status status = begin(im, err);
    if (status == SS_OK)
        status = publish_rows(im, err);
    ss_sender_close(&im->sender);
    ss_blacklist_rejects_close(im->rejects);
    ss_csv_close(im->csv);
    free(im->model);
    free(im);
    return status;
}
