/* model_shelf.h - where an audit finds the model that a record names. */
#ifndef SS_AUDIT_MODEL_SHELF_H
#define SS_AUDIT_MODEL_SHELF_H

#include "scoring/model.h"

struct ss_model_shelf {
    void *arg;
    /* NULL: there is no such model. *business: it is one for businesses. Any thread. */
    const struct ss_model *(*find)(void *arg, struct ss_text version, bool *business);
};

#endif
