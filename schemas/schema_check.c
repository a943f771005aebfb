#include "schemas/schema_check.h"
#include "schemas/schema_tree.h"

#include <avro.h>
#include <string.h>

enum ss_status ss_schema_check(const char *json, struct ss_error *err)
{
    struct ss_schema_tree *tree;
    avro_schema_t schema;
    struct ss_error why = {.detail = ""};

    /* First ours: its bounds keep avro-c's recursion in check. */
    if (ss_schema_tree_open(json, &tree, &why) != SS_OK)
        return ss_fail(err, SS_STOP, "%s", why.detail);
    ss_schema_tree_close(tree);
    if (avro_schema_from_json_length(json, strlen(json), &schema))
        return ss_fail(err, SS_STOP, "avro-c refuses the schema"); /* its text is not per thread */
    avro_schema_decref(schema);
    return SS_OK;
}
