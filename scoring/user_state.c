#include "scoring/user_state.h"

bool ss_user_state_empty(const struct ss_user_state *state)
{
    return !state->consents.scoring && state->blacklist.case_count == 0;
}
