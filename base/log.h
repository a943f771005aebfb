/* log.h - the one logger: a line per message on standard error, "TIME LEVEL WHO: TEXT".
 *
 * Threads: any; each message is written with a single write. User ids never go into a message at
 * the default level (promise 7): name the topic, partition and offset instead.
 */
#ifndef SS_BASE_LOG_H
#define SS_BASE_LOG_H

#include <stdbool.h>

enum ss_log_level { SS_LOG_ERROR, SS_LOG_WARN, SS_LOG_INFO, SS_LOG_DEBUG };

/* Process-wide; SS_LOG_INFO until set. Set it before threads start. */
void ss_log_set_level(enum ss_log_level level);
bool ss_log_enabled(enum ss_log_level level);

void ss_log(enum ss_log_level level, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define ss_error_log(who, ...) ss_log(SS_LOG_ERROR, who, __VA_ARGS__)
#define ss_warn(who, ...)      ss_log(SS_LOG_WARN, who, __VA_ARGS__)
#define ss_info(who, ...)      ss_log(SS_LOG_INFO, who, __VA_ARGS__)
#define ss_debug(who, ...)     ss_log(SS_LOG_DEBUG, who, __VA_ARGS__)

#endif
