#include "base/status.h"

#include <stdio.h>

enum ss_status ss_fail(struct ss_error *err, enum ss_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->detail, sizeof err->detail, format, args);
        va_end(args);
    }
    return status;
}

const char *ss_status_name(enum ss_status status)
{
    switch (status) {
    case SS_OK:
        return "ok";
    case SS_DROP:
        return "drop";
    case SS_RETRY:
        return "retry";
    case SS_GIVE_UP:
        return "give up";
    case SS_STOP:
        return "stop";
    }
    return "?";
}
