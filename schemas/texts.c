#include "schemas/texts.h"

#include <assert.h>

const char *ss_output_name(enum ss_output output)
{
    if (output == SS_DEAD_LETTERS)
        return "dead-letters";
    assert(output < SS_DEAD_LETTERS);
    return ss_schema_texts[SS_INPUT_COUNT + output].name;
}

const char *ss_schema_of_input(enum ss_input input)
{
    assert(input < SS_INPUT_COUNT);
    return ss_schema_texts[input].json;
}

const char *ss_schema_of_output(enum ss_output output)
{
    if (output == SS_DEAD_LETTERS)
        return NULL;
    assert(output < SS_DEAD_LETTERS);
    return ss_schema_texts[SS_INPUT_COUNT + output].json;
}
