#include "scoring/friends.h"

#include "scoring/hash.h"
#include "scoring/model.h"
#include "scoring/require.h"

#include <string.h>

_Static_assert(SS_SCORE_MIN + SS_BAND_COUNT * SS_BAND_WIDTH == SS_SCORE_MAX,
               "the bands must cover the scores; the last one has one more");
_Static_assert(SS_FRIENDS_MAX *(SS_BAND_COUNT - 1) <= UINT16_MAX, "sum.bands must hold all bands");

/* ---- the model ---- */

struct range {
    int64_t least, greatest;
};

/* A curve's extremes are at its points. */
static struct range component_range(const struct ss_component *component)
{
    struct range range = {component->neutral, component->neutral};
    for (int i = 0; i < component->curve.count; i++) {
        int64_t y = component->curve.y[i];
        range.least = y < range.least ? y : range.least;
        range.greatest = y > range.greatest ? y : range.greatest;
    }
    return range;
}

/* Of the factor's value, as score.c computes it. */
static struct range factor_range(const struct ss_model *model)
{
    struct range sum = {0, 0};
    int64_t divisor = 0;
    for (int v = ss_factor_first(SS_FACTOR_RELATIONSHIPS);
         v < ss_factor_first(SS_FACTOR_RELATIONSHIPS + 1); v++) {
        const struct ss_component *component = &model->components[v];
        if (component->weight == 0)
            continue;
        struct range range = component_range(component);
        sum.least += component->weight * range.least;
        sum.greatest += component->weight * range.greatest;
        divisor += component->weight;
    }
    if (divisor == 0)
        return sum;
    return (struct range){sum.least / divisor, sum.greatest / divisor};
}

bool ss_friends_matter(const struct ss_model *model)
{
    struct range value = factor_range(model);
    return model->friends_max > 0 && model->weights[SS_FACTOR_RELATIONSHIPS] > 0 &&
           value.greatest > value.least;
}

int32_t ss_friends_reach(const struct ss_model *model)
{
    struct range value = factor_range(model);
    int64_t weights = 0, weight = model->weights[SS_FACTOR_RELATIONSHIPS];
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    if (weight == 0)
        return 0;
    int64_t scale = (SS_SCORE_MAX - SS_SCORE_MIN) * INT64_C(100) * weight;
    int64_t centi = scale * value.greatest / (weights * SS_VALUE_MAX) -
                    scale * value.least / (weights * SS_VALUE_MAX);
    return (int32_t)((centi + 99) / 100); /* the other factors' hundredths may carry */
}

uint8_t ss_band_of(int32_t score)
{
    int32_t band = score < SS_SCORE_MIN ? 0 : (score - SS_SCORE_MIN) / SS_BAND_WIDTH;
    return (uint8_t)(band < SS_BAND_COUNT ? band : SS_BAND_COUNT - 1);
}

/* By how many points a score lies outside of a band. */
static int32_t outside(uint8_t band, int32_t score)
{
    int32_t least = SS_SCORE_MIN + band * SS_BAND_WIDTH;
    int32_t greatest = band == SS_BAND_COUNT - 1 ? SS_SCORE_MAX : least + SS_BAND_WIDTH - 1;
    return score < least ? least - score : score > greatest ? score - greatest : 0;
}

/* ---- the list ---- */

static struct ss_text id_of(const struct ss_friend *link)
{
    return (struct ss_text){link->id, link->id_size};
}

static bool same(struct ss_text a, struct ss_text b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The first link whose hash is at least this one; count if there is none. */
static uint16_t lower(const struct ss_friends *list, uint64_t hash)
{
    uint16_t from = 0, to = list->count;
    while (from < to) {
        uint16_t middle = (uint16_t)((from + to) / 2);
        if (list->links[middle].hash < hash)
            from = (uint16_t)(middle + 1);
        else
            to = middle;
    }
    return from;
}

struct place {
    uint16_t index; /* where the link is or would be */
    bool taken;     /* a link with this hash is there */
    bool found;     /* and, as far as it can tell, it is of this id */
};

static struct place find(const struct ss_friends *list, struct ss_text id)
{
    uint64_t hash = ss_hash64(id);
    struct place place = {.index = lower(list, hash)};
    const struct ss_friend *link = &list->links[place.index];
    place.taken = place.index < list->count && link->hash == hash;
    place.found = place.taken && (link->id_size == 0 || same(id_of(link), id));
    return place;
}

static void confirm(struct ss_friend *link, struct ss_friends_sum *sum, struct ss_text id,
                    uint8_t band)
{
    if (link->id_size == 0) {
        memcpy(link->id, id.data, id.size);
        link->id_size = (uint8_t)id.size;
        sum->confirmed++;
    }
    sum->bands = (uint16_t)(sum->bands - link->band + band);
    link->band = band;
}

/* Back to pending: takes back what the friend had added. */
static void unconfirm(struct ss_friend *link, struct ss_friends_sum *sum)
{
    if (link->id_size == 0)
        return;
    sum->confirmed--;
    sum->bands = (uint16_t)(sum->bands - link->band);
    link->id_size = 0;
    link->band = 0;
    memset(link->id, 0, sizeof link->id);
}

static void say(struct ss_friends_step *step, struct ss_text to, struct ss_text from,
                enum ss_neighbour_kind kind, uint8_t band, bool wants_reply)
{
    step->says = true;
    step->message = (struct ss_neighbour_message){to, from, kind, band, wants_reply};
}

/* ---- the user's own score and consent ---- */

void ss_friends_open(struct ss_friends_sum *sum, int32_t score)
{
    if (sum->open)
        return;
    *sum = (struct ss_friends_sum){.open = true, .told_band = ss_band_of(score)};
}

bool ss_friends_scored(const struct ss_model *model, struct ss_friends_sum *sum, int32_t score)
{
    if (!sum->open)
        return false;
    int32_t distance = outside(sum->told_band, score);
    if (distance <= SS_BAND_MARGIN || distance <= ss_friends_reach(model) + SS_BAND_MARGIN)
        return false;
    sum->told_band = ss_band_of(score);
    sum->telling = sum->confirmed > 0;
    sum->tell_from = 0;
    return true;
}

bool ss_friends_tell(const struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                     struct ss_neighbour_message *message)
{
    if (!sum->telling)
        return false;
    for (uint16_t i = lower(list, sum->tell_from); i < list->count; i++) {
        const struct ss_friend *link = &list->links[i];
        if (link->id_size == 0)
            continue;
        *message = (struct ss_neighbour_message){id_of(link), self, SS_NEIGHBOUR_BAND,
                                                 sum->told_band, false};
        sum->tell_from = link->hash + 1;
        if (sum->tell_from == 0) /* that was the greatest hash there is */
            sum->telling = false;
        return true;
    }
    sum->telling = false;
    sum->tell_from = 0;
    return false;
}

bool ss_friends_leave(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                      struct ss_neighbour_message *message)
{
    while (list->count > 0) {
        const struct ss_friend *link = &list->links[--list->count];
        if (link->id_size == 0)
            continue;
        *message = (struct ss_neighbour_message){id_of(link), self, SS_NEIGHBOUR_GONE, 0, false};
        return true;
    }
    *sum = (struct ss_friends_sum){0};
    return false;
}

/* ---- events ---- */

void ss_friends_add(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                    struct ss_text friend_id, uint16_t links_max, struct ss_friends_step *step)
{
    SS_REQUIRE(sum->open && friend_id.size >= 1 && friend_id.size <= SS_USER_ID_MAX);
    SS_REQUIRE(links_max <= SS_FRIENDS_MAX);
    *step = (struct ss_friends_step){0};
    if (same(friend_id, self))
        return;
    struct place place = find(list, friend_id);
    struct ss_friend *link = &list->links[place.index];
    if (place.found && link->id_size > 0)
        return;
    if (!place.found) {
        if (place.taken || list->count >= links_max) {
            sum->unlinked += sum->unlinked < UINT32_MAX;
            return;
        }
        memmove(link + 1, link, (size_t)(list->count - place.index) * sizeof *link);
        *link = (struct ss_friend){.hash = ss_hash64(friend_id)};
        list->count++;
        step->list_changed = true;
    }
    say(step, friend_id, self, SS_NEIGHBOUR_BAND, sum->told_band, true);
}

void ss_friends_remove(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                       struct ss_text friend_id, struct ss_friends_step *step)
{
    SS_REQUIRE(sum->open);
    *step = (struct ss_friends_step){0};
    struct place place = find(list, friend_id);
    if (!place.found) {
        sum->unlinked -= sum->unlinked > 0;
        return;
    }
    struct ss_friend *link = &list->links[place.index];
    step->list_changed = true;
    step->sum_changed = link->id_size > 0;
    unconfirm(link, sum);
    list->count--;
    memmove(link, link + 1, (size_t)(list->count - place.index) * sizeof *link);
    if (step->sum_changed) /* else he is told when he confirms, as after a withdrawal */
        say(step, friend_id, self, SS_NEIGHBOUR_GONE, 0, false);
}

/* ---- messages ---- */

static bool valid_id(struct ss_text id)
{
    return id.size >= 1 && id.size <= SS_USER_ID_MAX;
}

bool ss_neighbour_of(const struct ss_event *event, struct ss_neighbour_message *message)
{
    const struct ss_neighbour *said = &event->neighbour;
    *message = (struct ss_neighbour_message){
        .to = event->user_id,
        .from = said->from,
        .kind = said->action == SS_NEIGHBOUR_LEFT ? SS_NEIGHBOUR_GONE : SS_NEIGHBOUR_BAND,
        .wants_reply = said->action == SS_NEIGHBOUR_ASKS,
    };
    if (said->band < 0 || said->band >= SS_BAND_COUNT)
        return false;
    message->band = (uint8_t)said->band;
    return ss_neighbour_valid(message);
}

bool ss_neighbour_valid(const struct ss_neighbour_message *message)
{
    if (!valid_id(message->to) || !valid_id(message->from))
        return false;
    if (message->kind == SS_NEIGHBOUR_GONE)
        return message->band == 0 && !message->wants_reply;
    return message->kind == SS_NEIGHBOUR_BAND && message->band < SS_BAND_COUNT;
}

void ss_friends_receive(struct ss_friends *list, struct ss_friends_sum *sum,
                        const struct ss_neighbour_message *message, struct ss_friends_step *step)
{
    SS_REQUIRE(ss_neighbour_valid(message));
    SS_REQUIRE(sum->open || list->count == 0);
    *step = (struct ss_friends_step){0};
    struct place place = find(list, message->from);
    struct ss_friend *link = &list->links[place.index];
    if (message->kind == SS_NEIGHBOUR_GONE) {
        if (place.found && link->id_size > 0) {
            step->list_changed = step->sum_changed = true;
            unconfirm(link, sum);
        }
        return;
    }
    if (!place.found) {
        say(step, message->from, message->to, SS_NEIGHBOUR_GONE, 0, false);
        return;
    }
    bool confirms = link->id_size == 0;
    if (confirms || link->band != message->band) {
        step->list_changed = step->sum_changed = true;
        confirm(link, sum, message->from, message->band);
    }
    /* who confirms says so unasked: a telling may have passed by while the link was pending, and
     * the other may be gone without having known whom to tell */
    if (confirms || message->wants_reply)
        say(step, message->from, message->to, SS_NEIGHBOUR_BAND, sum->told_band, false);
}

/* ---- checking ---- */

bool ss_friends_agree(const struct ss_friends *list, const struct ss_friends_sum *sum)
{
    uint32_t confirmed = 0, bands = 0;
    for (uint16_t i = 0; i < list->count; i++) {
        confirmed += list->links[i].id_size > 0;
        bands += list->links[i].band;
    }
    if (confirmed != sum->confirmed || bands != sum->bands)
        return false;
    if (!sum->open)
        return list->count == 0 && sum->told_band == 0 && !sum->telling && sum->tell_from == 0 &&
               sum->unlinked == 0;
    return sum->told_band < SS_BAND_COUNT && (sum->telling || sum->tell_from == 0);
}
