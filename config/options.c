#include "config/options.h"
#include "config/suggest.h"

#include <string.h>

#define NAME(name, field, max, fallback, help)                                                \
    {                                                                                         \
        name, SS_OPTION_NAME, offsetof(struct ss_config, field), 1, max, NULL, fallback, help \
    }
#define TOPIC(name, field, fallback, help)                                                     \
    {                                                                                          \
        name, SS_OPTION_TOPIC, offsetof(struct ss_config, field), 1, 249, NULL, fallback, help \
    }
#define URL(name, field, starts, help)                                                   \
    {                                                                                    \
        name, SS_OPTION_URL, offsetof(struct ss_config, field), 0, 0, starts, NULL, help \
    }
#define PATH(name, field, help)                                                         \
    {                                                                                   \
        name, SS_OPTION_PATH, offsetof(struct ss_config, field), 0, 0, NULL, NULL, help \
    }
#define SECRET(name, field, help)                                                         \
    {                                                                                     \
        name, SS_OPTION_SECRET, offsetof(struct ss_config, field), 0, 0, NULL, NULL, help \
    }
#define INTEGER(name, field, min, max, fallback, help)                                             \
    {                                                                                              \
        name, SS_OPTION_INTEGER, offsetof(struct ss_config, field), min, max, NULL, fallback, help \
    }
#define CHOICE(name, field, choices, fallback, help)                                             \
    {                                                                                            \
        name, SS_OPTION_CHOICE, offsetof(struct ss_config, field), 0, 0, choices, fallback, help \
    }

/* All of enum ss_score_field; a test compares. */
#define SUBSCRIBER_FIELDS                                                                          \
    "any of sequence,\n  kind, standing, score, previous_score, tier, factors, reasons, case_id, " \
    "cause, positions,\n  consent_positions, as_of, clock, friends, model_version, percentile, "   \
    "ranks"

#define DAY INT64_C(86400000)
#define MIB INT64_C(1048576)

/* clang-format off */
const struct ss_option ss_options[] = {
    NAME("group", group, 64, "sesame",
        "The Kafka consumer group; processes with the same group share the partitions. The prefix of "
        "all transactional ids. Another group, on trial say, needs internal and output topics of its own "
        "(`topics.state`, `topics.neighbours`, `topics.ranks`, `topics.models`, `topics.scores`, "
        "`topics.entitlements`, `topics.dead_letters`, those of subscribers) and another `redis.prefix`: "
        "on the state topic of another group an engine refuses to start. A group that is renamed takes its "
        "state along with `sesame run --take-over`, once."),
    NAME("instance", instance, 64, NULL,
        "Name of this process, unique within the group and the same after a restart: it is what "
        "recognises its own unfinished transactions and makes a restart quiet. Two processes with "
        "the same name do not run at the same time: the newer takes over, the older exits with an error. "
        "By default the host name."),
    INTEGER("workers", workers, 1, 64, "1",
        "Worker threads. Each owns some of the partitions, with a consumer, a transactional producer "
        "and a Redis connection of its own. More than there are partitions stay idle."),

    URL("registry.url", registry_url, "http:// https:// embedded:",
        "The schema registry, any with the Confluent REST API; the URL may have a path, as "
        "Apicurio's has (`/apis/ccompat/v7`). `\"embedded:\"`, which YAML wants in quotes, uses the "
        "schemas within the binary and no network. `run` needs it."),
    SECRET("registry.basic_auth", registry_basic_auth,
        "`user:password` for the registry. Take it from the environment: `${REGISTRY_AUTH}`."),
    PATH("registry.ca_file", registry_ca_file,
        "Certificates (PEM) to check the registry's against; by default the system's."),
    INTEGER("registry.timeout_ms", registry_timeout_ms, 100, 60000, "5000",
        "How long one request to the registry may take. While the registry does not answer, records "
        "with schemas not seen before wait; they are not lost."),

    URL("redis.url", redis_url, "redis:// rediss:// redis-cluster:// rediss-cluster:// unix://",
        "`redis://[user:password@]host:port[/db]`, `unix:///path/to/socket`, or for a Redis Cluster "
        "`redis-cluster://[user:password@]host:port[,host:port…]` with some of its nodes; the others are "
        "found. `rediss://…` and `rediss-cluster://…` for TLS where the Redis client has it. `run` "
        "needs it."),
    NAME("redis.prefix", redis_prefix, 64, "sesame",
        "What all keys begin with. Two groups may share a Redis with different prefixes."),
    INTEGER("redis.buckets", redis_buckets, 1, 1048576, "4096",
        "Hashes per partition that users are spread over. 90 to 200 users in each use the least memory "
        "(choose users per partition / 96), 18 or 300 a few percent more: the default suits 75,000 to 1.2 million "
        "users per partition, and fewer take little anyway. Above 500 Redis works noticeably longer, above 1,024 "
        "it gives up the compact form. Part of the data's identity: another number means that every "
        "partition is rebuilt from the changelog."),
    INTEGER("redis.timeout_ms", redis_timeout_ms, 10, 60000, "2000",
        "How long Redis may take to accept a connection, and for each answer."),

    TOPIC("topics.payments", input_topics[SS_PAYMENTS], "payments", "Input."),
    TOPIC("topics.bills", input_topics[SS_BILLS], "bills", "Input."),
    TOPIC("topics.bookings", input_topics[SS_BOOKINGS], "bookings", "Input."),
    TOPIC("topics.social", input_topics[SS_SOCIAL], "social", "Input."),
    TOPIC("topics.profiles", input_topics[SS_PROFILES], "profiles", "Input."),
    TOPIC("topics.consents", input_topics[SS_CONSENTS], "consents",
        "Input, read to its end before the others are."),
    TOPIC("topics.blacklist", input_topics[SS_BLACKLIST], "blacklist",
        "Input; its records overtake those of the others."),
    TOPIC("topics.neighbours", input_topics[SS_NEIGHBOURS], "sesame-neighbours",
        "Internal: what friends tell each other of their scores' bands. Written by engines, and an input to "
        "them like the others."),
    TOPIC("topics.scores", scores_topic, "scores", "Output: every change of a score, with its reasons."),
    TOPIC("topics.entitlements", entitlements_topic, "entitlements",
        "Output: benefits granted and revoked."),
    TOPIC("topics.dead_letters", dead_letters_topic, "dead-letters",
        "Output: records that could not be read or were refused, as they came, and why."),
    TOPIC("topics.state", state_topic, "sesame-state",
        "Internal: the state changelog, compacted. The durable form of all state; Redis is a view of it."),
    TOPIC("topics.ranks", ranks_topic, "sesame-ranks",
        "Internal: histograms of scores, from which percentiles are computed. One partition, compacted."),
    TOPIC("topics.models", models_topic, "sesame-models",
        "Internal: every model that was ever live, by version, and since when; compacted, of one partition. "
        "Which model is live is said there, and changed by `sesame rescore`."),
    INTEGER("topics.partitions", topic_partitions, 1, 10000, "4",
        "Partitions of every topic but `topics.ranks` and `topics.models`, for `sesame topics create`. Part of the state's identity: it cannot "
        "be changed later without a rebuild."),
    INTEGER("topics.replication", topic_replication, 1, 16, "1",
        "Replicas of every topic, for `sesame topics create`. 1 suits one broker and a try; "
        "production wants 3."),
    INTEGER("topics.scores_retention_ms", scores_retention_ms, 3600000, 36500 * DAY, "31536000000",
        "How long `scores` and `entitlements` are kept (365 days), for `sesame topics create`. This is the published "
        "history: what subscribers and auditors can look back on."),

    INTEGER("topics.neighbours_retention_ms", neighbours_retention_ms, 60000, 365 * DAY, "2592000000",
        "How long `sesame-neighbours` is kept (30 days), for `sesame topics create`. Longer than any outage: an "
        "engine whose unread messages have expired stops, as with any input. It also bounds how long the name of somebody who has withdrawn can "
        "still be read there."),

    INTEGER("state.segment_ms", state_segment_ms, 1000, 365 * DAY, "86400000",
        "`segment.ms` of the changelog (1 day). Kafka never compacts the active segment, so this plus "
        "`state.heartbeat_ms` and `state.max_compaction_lag_ms` bounds how long a withdrawn user's state stays "
        "in the log."),
    INTEGER("state.max_compaction_lag_ms", state_max_compaction_lag_ms, 1000, 365 * DAY, "86400000",
        "`max.compaction.lag.ms` of the changelog (1 day)."),
    INTEGER("state.delete_retention_ms", state_delete_retention_ms, 60000, 365 * DAY, "604800000",
        "`delete.retention.ms` of the changelog (7 days). A Redis that has been behind for more than half "
        "of it may have missed a deletion, and is rebuilt from the beginning."),

    INTEGER("state.heartbeat_ms", state_heartbeat_ms, 1000, 365 * DAY, "3600000",
        "A partition of the changelog that nothing was written to for this long gets a record of the engine's "
        "own (1 hour): Kafka closes a segment only when something is appended after it, and what is in an "
        "open one is never compacted."),

    INTEGER("ranks.interval_ms", ranks_interval_ms, 100, DAY, "10000",
        "How often a partition publishes its histogram of scores, if any has changed (10 s). Percentiles lag "
        "behind by that much; how far that can put them wrong is in `docs/model.md`, section 7.14."),
    INTEGER("ranks.history_ms", ranks_history_ms, 60000, 3650 * DAY, "86400000",
        "How long each histogram is kept (1 day), for `sesame topics create`: a published percentile can be "
        "recomputed from `topics.ranks` for that long. Later compaction leaves only the last of each partition. "
        "Every process reads all of it when it starts: about 6 MB per day and partition."),

    CHOICE("clock.source", clock_source, "system events", "system",
        "With `system` a partition's clock is the system's once all of its inputs are read to their end. "
        "With `events` time passes with the events alone: for archives and studies of the past, whose bills "
        "would else all be overdue by years."),
    INTEGER("clock.wake_interval_ms", clock_wake_interval_ms, 0, 60000, "100",
        "How often a partition looks in Redis for users whose time has come, while there are some; what falls "
        "due is published at most this much later than it could be. Up to about 2,000 users are dealt "
        "with at once."),

    INTEGER("batch.records_max", batch_records_max, 1, 1000000, "10000",
        "The most records that go into one transaction. A worker commits as soon as it has anything and the "
        "commit before is through, so a transaction holds what has come in meanwhile."),
    INTEGER("batch.wait_ms", batch_wait_ms, 0, 1000, "5",
        "How long a worker waits for the first record of a batch before it looks after other things."),
    INTEGER("batch.rescore_users_max", batch_rescore_users_max, 1, 100000, "500",
        "After a change of the live model: how many users a partition tells of it in one transaction. Between two "
        "of these, events have their turn: fewer keep their latency down, more are through sooner."),
    INTEGER("memory.fetch_bytes_max", memory_fetch_bytes_max, MIB, 16384 * MIB, "67108864",
        "The most bytes of fetched records waiting in a worker's queues, over all of its partitions "
        "(64 MiB)."),
    INTEGER("cache.bytes_max", cache_bytes_max, 0, 65536 * MIB, "67108864",
        "The most memory of a worker's cache of states (64 MiB)."),
    INTEGER("restore.timeout_ms", restore_timeout_ms, 1000, DAY, "240000",
        "How long restoring a partition from the changelog may go without any progress before the worker tries "
        "anew, with a warning. Keep it below librdkafka's `max.poll.interval.ms` (300000 by default)."),

    INTEGER("events.future_tolerance_ms", events_future_tolerance_ms, 0, 3650 * DAY, "86400000",
        "How far an event's `occurred_at` may lie behind its Kafka record's time (1 day); what lies "
        "further in the future is dead-lettered."),
    INTEGER("events.value_bytes_max", events_value_bytes_max, 64, 64 * MIB, "1048576",
        "A record with a larger value is dead-lettered without being decoded (1 MiB)."),
    INTEGER("dead_letters.value_bytes_max", dead_letters_value_bytes_max, 1024, 1024 * MIB, "16777216",
        "The largest value that a dead letter carries as it came (16 MiB); of a larger one it carries the "
        "coordinates and the hash. `sesame topics create` sizes the topic for it."),

    URL("serve.listen", serve_listen, "http://",
        "Where `run` answers health checks, `http://ADDRESS:PORT`: `http://127.0.0.1:8080`, `http://[::1]:8080`, "
        "`http://:8080` for all addresses. Port 0 takes a free one and logs it. By default nowhere. It is "
        "plain HTTP and asks for no password: keep it on a network that may know."),
    INTEGER("serve.stuck_ms", serve_stuck_ms, 1000, DAY, "300000",
        "A worker that has not finished a turn for longer than this, and is not restoring, counts as stuck: "
        "`/live` answers 503. The default is librdkafka's `max.poll.interval.ms`, after which the group gives "
        "the worker's partitions to others. Keep it above `restore.timeout_ms`."),

    PATH("encryption.key_file", encryption_key_file,
        "The keys, made by `sesame keys new`, under which per-user state is encrypted in Redis and in the "
        "changelog. By default it is not. A change of the file is noticed while running."),
    CHOICE("encryption.plain_states", encryption_plain_states, "accept refuse", "accept",
        "What to do with states that are not encrypted, where there is a key file: those from before there "
        "was one are accepted, and encrypted as they change. `refuse` once all are, so that nobody can put "
        "one there."),

    PATH("model.file", model_file,
        "The scoring model that a new deployment begins with; by default the one built in (`config/model.yaml`). Later "
        "ones come by `sesame rescore`, and go before this. See `docs/model.md` and `docs/operations.md`."),
    PATH("model.business_file", business_model_file,
        "The scoring model of small businesses, which are users whose ACCOUNT_OPENED says so. By default they "
        "are scored as persons are. What stands under `structural` must be the same in both."),
    CHOICE("log.level", log_level, "error warn info debug", "info",
        "What goes to standard error. At `debug` user ids may appear in the log."),
};
const size_t ss_option_count = sizeof ss_options / sizeof *ss_options;

const struct ss_option_section ss_option_sections[] = {
    {"", "The process", "Keys at the top level of the file."},
    {"registry", "Schema registry", ""},
    {"redis", "Redis", "Holds a view of the state that is rebuilt whenever it cannot be trusted. Its "
        "`maxmemory-policy` must be `noeviction`."},
    {"topics", "Topics", "All topics but `topics.ranks` and `topics.models` have the same number of partitions; the names must "
        "differ."},
    {"state", "State changelog", "All but `state.heartbeat_ms` are settings of `topics.state`, for "
        "`sesame topics create`."},
    {"subscribers", "Subscribers",
        "A list; with each entry comes a topic that holds the scores of those users who have granted "
        "SHARE to that\nname, cut to its fields. [subscribing.md](subscribing.md) has the whole. After a "
        "change run `sesame topics\ncreate` and `sesame schemas register` again.\n\n"
        "```yaml\nsubscribers:\n  - name: lending\n  - name: car-rental\n    topic: scores.cars\n"
        "    fields: [standing, tier, as_of]\n```\n\n"
        "- `name`: the subscriber in SHARE consents. 1 to 64 bytes; needed.\n"
        "- `topic`: `scores.<name>` by default.\n"
        "- `fields`: what it may see, besides `user_id`: " SUBSCRIBER_FIELDS ".\n"
        "  By default [sequence, kind, standing, score, tier, as_of].\n\n"
        "At most 32."},
    {"ranks", "Ranks", "The percentile of each score among all that are published."},
    {"clock", "Time", "What bills that fall due and the mere passage of time do to scores: `docs/model.md`, "
        "sections 7.11 and 7.12."},
    {"batch", "Batches", ""},
    {"memory", "Memory", "The resident memory of `sesame run` stays below 32 MiB + `workers` × (64 MiB + "
        "`memory.fetch_bytes_max` + `cache.bytes_max`): 224 MiB by default, however slow Redis or "
        "the brokers become. The 64 MiB are a worker's queue of unacknowledged records (32 MiB), its "
        "batch, and its clients; single records of several MiB come on top. So does each model that was "
        "ever live (`topics.models`): 150 KB of the process, for users may still hold benefits by it; "
        "a hundred of them are 15 MB."},
    {"cache", "Cache", ""},
    {"restore", "Restoring", ""},
    {"events", "Events", ""},
    {"dead_letters", "Dead letters", ""},
    {"serve", "Health", "`GET /live` and `GET /ready`; see `docs/operations.md`."},
    {"encryption", "Encryption", "Of the per-user state; [encryption.md](encryption.md) has the steps."},
    {"model", "Model", ""},
    {"log", "Log", ""},
};
/* clang-format on */
const size_t ss_option_section_count = sizeof ss_option_sections / sizeof *ss_option_sections;

_Static_assert(sizeof ss_options / sizeof *ss_options <= SS_CONFIG_OPTIONS_MAX,
               "raise SS_CONFIG_OPTIONS_MAX");
_Static_assert(sizeof ss_option_sections / sizeof *ss_option_sections <= 29,
               "raise the room for names in ss_option_suggest");
/* log.level is stored as the index of its choice. */
_Static_assert(SS_LOG_ERROR == 0 && SS_LOG_WARN == 1 && SS_LOG_INFO == 2 && SS_LOG_DEBUG == 3,
               "the choices of log.level follow enum ss_log_level");

const struct ss_option *ss_option_find(const char *name)
{
    for (size_t i = 0; i < ss_option_count; i++)
        if (strcmp(ss_options[i].name, name) == 0)
            return &ss_options[i];
    return NULL;
}

const struct ss_option_section *ss_option_section_find(const char *name)
{
    for (size_t i = 0; i < ss_option_section_count; i++)
        if (*name && strcmp(ss_option_sections[i].name, name) == 0)
            return &ss_option_sections[i];
    return NULL;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

const char *ss_option_suggest(const char *name)
{
    const char *names[SS_CONFIG_OPTIONS_MAX + 32] = {"kafka", "kafka_consumer", "kafka_producer"};
    size_t count = 3;
    for (size_t i = 0; i < ss_option_count; i++)
        names[count++] = ss_options[i].name;
    for (size_t i = 0; i < ss_option_section_count; i++)
        if (*ss_option_sections[i].name)
            names[count++] = ss_option_sections[i].name;
    const char *nearest = ss_suggest(name, names, count);
    if (nearest)
        return nearest;
    /* `buckets` at the top level, or in a wrong section */
    for (size_t i = 0; i < ss_option_count; i++)
        if (strcmp(last_part(ss_options[i].name), last_part(name)) == 0)
            return ss_options[i].name;
    return NULL;
}

char **ss_option_text(struct ss_config *config, const struct ss_option *option)
{
    return (char **)((char *)config + option->offset);
}

int64_t *ss_option_number(struct ss_config *config, const struct ss_option *option)
{
    return (int64_t *)((char *)config + option->offset);
}

bool ss_option_is_number(const struct ss_option *option)
{
    return option->type == SS_OPTION_INTEGER || option->type == SS_OPTION_CHOICE;
}
