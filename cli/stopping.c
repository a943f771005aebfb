#include "cli/stopping.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_bool stopping;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopping, true);
}

atomic_bool *ss_stopping_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return &stopping;
}
