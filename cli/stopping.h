/* stopping.h - SIGTERM and SIGINT ask a command to end well; a second one ends the process at once.
 */
#ifndef SS_CLI_STOPPING_H
#define SS_CLI_STOPPING_H

#include <stdatomic.h>

/* Installs the handlers (and ignores SIGPIPE); the flag that they set. */
atomic_bool *ss_stopping_catch(void);

#endif
