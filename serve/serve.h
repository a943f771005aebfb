/* serve.h - what a running engine tells about itself: over HTTP where serve.listen is set, and in
 * the log when it becomes ready and when it is no longer.
 *
 *   ss_serve_open ──> ss_serve_watch(engine) ──> ss_serve_note … ──> ss_serve_watch(NULL) ──>
 * ss_serve_close
 *
 * It answers from open on, so that whoever started the process sees it alive while the engine is
 * still waiting for its registry. What it answers is a table of routes in serve.c.
 *
 * Threads: all functions from the one that drives the engine. Answers come from a thread of the
 * server's (server.h) and never wait for a worker, but for the lock of its statistics.
 */
#ifndef SS_SERVE_SERVE_H
#define SS_SERVE_SERVE_H

#include "config/config.h"
#include "consumer/engine.h"

struct ss_serve;

/* Borrows the config. SS_STOP: serve.listen is wrong or cannot be bound. */
SS_MUST_USE enum ss_status ss_serve_open(const struct ss_config *config, struct ss_serve **serve,
                                         struct ss_error *err);
/* The engine to tell about, after its start; NULL before it is closed. */
void ss_serve_watch(struct ss_serve *serve, struct ss_engine *engine);
/* Logs if readiness has changed since the last call. */
void ss_serve_note(struct ss_serve *serve);
int ss_serve_port(const struct ss_serve *serve); /* 0: not listening */
void ss_serve_close(struct ss_serve *serve);

#endif
