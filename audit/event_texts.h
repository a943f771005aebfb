/* event_texts.h - the texts that an event borrows, for whoever keeps a copy of it. Any thread. */
#ifndef SS_AUDIT_EVENT_TEXTS_H
#define SS_AUDIT_EVENT_TEXTS_H

#include "scoring/event.h"

enum { SS_EVENT_TEXTS_MAX = 5 };

/* All that its input uses, the ids first; how many they are. */
size_t ss_event_texts(struct ss_event *event, struct ss_text *out[SS_EVENT_TEXTS_MAX]);

#endif
