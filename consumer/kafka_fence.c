/* kafka_fence.c - fenced: some other client has taken this worker's place in the group or its
 * transactional id. Who?
 *
 * A twin, a second process of the same name, does it again and again: each of the two takes the
 * place back whenever it begins. But a network does it too, once: a request of this worker's own
 * past, or of the process that was killed before it, is held up somewhere and reaches the broker
 * after the worker has joined or initialised anew. So once is no proof. The worker throws its
 * clients away, waits a little, and begins anew; it stops only when that has been of no use.
 *
 * Of two twins the older one is fenced first, and so is the first to be fenced for the third time;
 * the other then has the name to itself and goes on. The waits grow, so that what was held up has
 * time to drain, and differ by chance, so that two that began at the same moment part. Both stop
 * only where chance lets them meet each time.
 */
#include "consumer/kafka_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

enum { FENCED_MAX = 3, WINDOW_SESSIONS = 3 };

/* After the n-th time in a row: n times a tenth to three tenths of the session's timeout. */
static int64_t pause_ms(const struct ss_kafka_bus *k)
{
    const int tenth = k->config.session_timeout_ms / 10 + 1;
    unsigned chance;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
        chance = (unsigned)ss_clock_steady_ms();
    return (int64_t)k->fenced_count * (tenth + (int)(chance % (2 * (unsigned)tenth)));
}

enum ss_status ss_kafka_fenced(struct ss_kafka_bus *k, const char *cause, struct ss_error *err)
{
    const int64_t now = ss_clock_steady_ms();
    const int64_t window = (int64_t)WINDOW_SESSIONS * k->config.session_timeout_ms;

    assert(!k->in_transaction);
    if (k->fenced_count > 0 && now - k->fenced_at_ms > window)
        k->fenced_count = 0;
    k->fenced_count++;
    k->fenced_at_ms = now;
    ss_kafka_group_lose(k);
    ss_kafka_producer_discard(k);
    if (k->fenced_count >= FENCED_MAX)
        return ss_kafka_stop(k, err,
                             "another process runs as instance %s of group %s and has taken over "
                             "%s, %d times in a row: give each process an `instance` of its own "
                             "(%s)",
                             k->config.instance, k->config.group, k->id, k->fenced_count, cause);
    k->anew_at_ms = now + pause_ms(k);
    ss_warn(k->client.who, "%s was taken over (%s); beginning anew in %lld ms", k->id, cause,
            (long long)(k->anew_at_ms - now));
    return ss_fail(err, SS_RETRY, "%s was taken over and begins anew: %s", k->id, cause);
}

int ss_kafka_anew_ms(const struct ss_kafka_bus *k)
{
    const int64_t left = k->anew_at_ms - ss_clock_steady_ms();
    return left > 0 ? (int)left : 0;
}
