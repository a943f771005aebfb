#include "serve/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/health.h"
#include "serve/server.h"

#include <pthread.h>
#include <stdlib.h>

struct ss_serve {
    struct ss_server *server; /* NULL: not listening */
    int64_t stuck_ms;
    int worker_count;
    pthread_mutex_t lock;             /* of the engine and the view */
    struct ss_engine *engine;         /* NULL: none to tell about */
    struct ss_engine_worker *workers; /* room for the view */
    bool ready, was_ready;
    int64_t changed_ms; /* when `ready` last changed, or the process started */
};

/* With the lock held; the view is good until it is given back. */
static void look(struct ss_serve *serve, struct ss_health *health, struct ss_verdict *verdict)
{
    *health = (struct ss_health){
        .started = serve->engine != NULL,
        .stopping = serve->engine && ss_engine_stopping(serve->engine),
        .stuck_ms = serve->stuck_ms,
        .worker_count = serve->worker_count,
        .workers = serve->workers,
    };
    if (serve->engine)
        ss_engine_workers(serve->engine, serve->workers);
    ss_health_judge(health, verdict);
}

/* --- routes --- */

static bool answer_live(void *arg, struct ss_answer *answer)
{
    struct ss_serve *serve = arg;
    struct ss_health health;
    struct ss_verdict verdict;
    pthread_mutex_lock(&serve->lock);
    look(serve, &health, &verdict);
    answer->code = verdict.live ? 200 : 503;
    bool done = ss_health_print_live(&health, &verdict, &answer->body);
    pthread_mutex_unlock(&serve->lock);
    return done;
}

static bool answer_ready(void *arg, struct ss_answer *answer)
{
    struct ss_serve *serve = arg;
    struct ss_health health;
    struct ss_verdict verdict;
    pthread_mutex_lock(&serve->lock);
    look(serve, &health, &verdict);
    answer->code = verdict.ready ? 200 : 503;
    bool done = ss_health_print_ready(&health, &verdict, &answer->body);
    pthread_mutex_unlock(&serve->lock);
    return done;
}

static const struct ss_route routes[] = {
    {"/live", "200 while every worker takes turns, else 503: restart the process", answer_live},
    {"/ready", "200 while all partitions are restored and flow, else 503 with the progress",
     answer_ready},
};

/* --- */

enum ss_status ss_serve_open(const struct ss_config *config, struct ss_serve **out,
                             struct ss_error *err)
{
    struct ss_serve *serve = calloc(1, sizeof *serve);
    if (serve)
        serve->workers = calloc((size_t)config->workers, sizeof *serve->workers);
    if (!serve || !serve->workers) {
        free(serve);
        return ss_fail(err, SS_STOP, "out of memory for the health checks");
    }
    serve->stuck_ms = config->serve_stuck_ms;
    serve->worker_count = (int)config->workers;
    serve->changed_ms = ss_clock_steady_ms();
    pthread_mutex_init(&serve->lock, NULL);
    if (config->serve_listen) {
        enum ss_status status =
            ss_server_open(config->serve_listen, routes, sizeof routes / sizeof *routes, serve,
                           &serve->server, err);
        if (status != SS_OK) {
            ss_serve_close(serve);
            return status;
        }
        ss_info("serve", "%s: port %d answers /live and /ready", config->serve_listen,
                ss_server_port(serve->server));
    }
    *out = serve;
    return SS_OK;
}

void ss_serve_watch(struct ss_serve *serve, struct ss_engine *engine)
{
    pthread_mutex_lock(&serve->lock);
    serve->engine = engine;
    pthread_mutex_unlock(&serve->lock);
}

void ss_serve_note(struct ss_serve *serve)
{
    struct ss_health health;
    struct ss_verdict verdict;
    pthread_mutex_lock(&serve->lock);
    look(serve, &health, &verdict);
    pthread_mutex_unlock(&serve->lock);
    if (verdict.ready == serve->ready)
        return;
    const int64_t now = ss_clock_steady_ms();
    if (!verdict.ready)
        ss_info("serve", "no longer ready: %s", verdict.why_not_ready);
    else if (!serve->was_ready)
        ss_info("serve", "ready: %d partitions, %.1f s after start", (int)verdict.sum.ready,
                (double)(now - serve->changed_ms) / 1e3);
    else
        ss_info("serve", "ready again: %d partitions, after %.1f s", (int)verdict.sum.ready,
                (double)(now - serve->changed_ms) / 1e3);
    serve->ready = verdict.ready;
    serve->was_ready |= verdict.ready;
    serve->changed_ms = now;
}

int ss_serve_port(const struct ss_serve *serve)
{
    return serve->server ? ss_server_port(serve->server) : 0;
}

void ss_serve_close(struct ss_serve *serve)
{
    if (!serve)
        return;
    ss_server_close(serve->server);
    pthread_mutex_destroy(&serve->lock);
    free(serve->workers);
    free(serve);
}
