#include "helper_time.h"

#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Whatever falls overdue shows at once, also in somebody of whom nothing else is known. */
static const struct ss_model *alert_model(const struct ss_model *from)
{
    static struct ss_model model;
    model = *from;
    model.components[SS_VAR_LATENESS].neutral = SS_VALUE_MAX;
    ss_model_prepare(&model);
    return &model;
}

void open_one(void)
{
    rig_open(&rig, 1);
    rig.config.models.person = alert_model(rig.config.models.person);
    reopen_worker();
}

const char *user(int n)
{
    return rig_user(&rig, 0, n);
}

void set_clock(int64_t now_ms)
{
    rig.now_ms = now_ms;
    memory_bus_set_time(rig.memory, now_ms);
}

void run_at(int64_t now_ms)
{
    set_clock(now_ms);
    rig_run(&rig);
}

void reopen_worker(void)
{
    struct ss_error err;
    ss_worker_close(rig.worker);
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
}

void grant(const char *who)
{
    rig_send(&rig, rig_consent(&rig, who, SS_CONSENT_GRANTED));
}

void bill(const char *who, enum ss_bill_status status, const char *id, int64_t at_ms,
          int64_t due_ms)
{
    struct ss_event event = rig_bill(&rig, who, status, id);
    event.occurred_at_ms = at_ms;
    event.bill.due_at_ms = due_ms;
    rig_send(&rig, event);
}

void payment(const char *who, int64_t at_ms)
{
    struct ss_event event = rig_payment(&rig, who, 1000000);
    event.occurred_at_ms = at_ms;
    rig_send(&rig, event);
}

void begin(void)
{
    grant(user(0));
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    rig_run(&rig);
}

/* "OPT_IN 0; OVERDUE 172800000; " of a user: each record's kind and as_of after RIG_TIME. */
const char *told(const char *who)
{
    static char text[4096];
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0), *value;
    size_t i, size = 0;
    text[0] = '\0';
    json_array_foreach(values, i, value)
    {
        if (strcmp(json_string_value(json_object_get(value, "user_id")), who) != 0)
            continue;
        long long as_of = json_integer_value(json_object_get(value, "as_of")) - RIG_TIME;
        bool whole = as_of % DAY == 0;
        size += (size_t)snprintf(text + size, sizeof text - size, "%s %lld%s; ",
                                 json_string_value(json_object_get(value, "kind")),
                                 whole ? as_of / DAY : as_of, whole ? "d" : "ms");
        cr_assert_lt(size, sizeof text);
    }
    json_decref(values);
    return text;
}

json_t *last_record(void)
{
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0);
    json_t *last = json_incref(json_array_get(values, json_array_size(values) - 1));
    json_decref(values);
    return last;
}

struct ss_mark newest_mark(void)
{
    struct ss_mark mark;
    int64_t offset;
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    return mark;
}

int count_marks(int32_t partition)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, partition);
    const struct memory_record *record;
    int64_t next = 0;
    int count = 0;
    while ((record = memory_log_next(log, &next)))
        count += ss_bytes_equal(record->key, ss_mark_key);
    return count;
}
