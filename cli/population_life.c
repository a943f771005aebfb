/* population_life.c - what somebody does when it is their turn. Every number here is judgement. */
#include "cli/population_internal.h"

enum { HARD_TIMES = 150 * DAY };

static uint32_t after(uint32_t now, uint64_t delay)
{
    uint64_t at = now + delay;
    return at < NEVER ? (uint32_t)at : NEVER;
}

/* About `mean` seconds, never below half of it. */
static uint64_t about(struct ss_population *p, uint32_t mean)
{
    return mean / 2 + ((uint64_t)(mean / 2) * ss_random_exponential(&p->random) >> 16);
}

static uint32_t any_time(struct ss_population *p, uint32_t now)
{
    return now + ss_random_below(&p->random, now < p->span ? p->span - now : 1);
}

/* 0 to 1000: how much a person can be relied on now. */
static uint32_t reliability(const struct person *person, uint32_t now)
{
    bool hard = now >= person->hard_times && now - person->hard_times < HARD_TIMES;
    return hard ? person->reliability / 4 : person->reliability;
}

uint64_t ss_person_by_wealth(const struct person *person, uint64_t amount)
{
    return amount * (8 + (uint32_t)person->wealth * person->wealth / 6250) / 100;
}

/* --- joining --- */

static uint16_t draw_life(struct ss_population *p, struct person *person)
{
    uint64_t *random = &p->random;
    uint32_t todo = 1u << STEP_OPEN_ACCOUNT;
    uint32_t kind = ss_random_below(random, 1000);
    if (kind >= 30) /* the others never consent */
        todo |= 1u << (kind < 70 ? STEP_GRANT_LATE : STEP_GRANT);
    if (ss_random_chance(random, 900))
        todo |= 1u << STEP_PHONE;
    if (ss_random_chance(random, 500))
        todo |= 1u << STEP_IDENTITY;
    if (ss_random_chance(random, 300))
        todo |= 1u << STEP_ADDRESS;
    if (person->degree)
        todo |= 1u << STEP_DEGREE;
    if (todo & 1u << STEP_ADDRESS && ss_random_chance(random, 40))
        todo |= 1u << STEP_MOVE_AWAY;
    if (kind >= 30) {
        if (ss_random_chance(random, 650))
            todo |= 1u << STEP_SOCIAL;
        if (ss_random_chance(random, 250))
            todo |= 1u << STEP_SHARE;
        if (todo & 1u << STEP_SHARE && ss_random_chance(random, 100))
            todo |= 1u << STEP_UNSHARE;
        if (ss_random_chance(random, 15))
            todo |= 1u << STEP_WITHDRAW;
        if (todo & 1u << STEP_WITHDRAW && ss_random_chance(random, 500))
            todo |= 1u << STEP_GRANT_AGAIN;
    }
    return (uint16_t)todo;
}

static void draw_bills(struct ss_population *p, struct person *person, uint32_t now)
{
    static const uint8_t kinds[BILLS_PER_PERSON][4] = {
        {SS_BILL_UTILITY, SS_BILL_UTILITY, SS_BILL_TELECOM, SS_BILL_RENT},
        {SS_BILL_CARD, SS_BILL_CARD, SS_BILL_CARD, SS_BILL_LOAN_INSTALMENT},
        {SS_BILL_INSURANCE, SS_BILL_TAX, SS_BILL_TELECOM, SS_BILL_LOAN_INSTALMENT},
    };
    uint32_t count = 1 + ss_random_below(&p->random, 3);
    for (uint32_t i = 0; i < count; i++) {
        struct bill *bill = &person->bills[i];
        bill->kind = kinds[i][ss_random_below(&p->random, 4)];
        person->next[SLOT_BILLS + i] =
            after(now, DAY + ss_random_below(&p->random, p->bill_period));
    }
}

void ss_person_join(struct ss_population *p, uint32_t user, uint32_t now)
{
    struct person *person = &p->persons[user];
    uint64_t *random = &p->random;

    for (int slot = 0; slot < SLOT_COUNT; slot++)
        person->next[slot] = NEVER;
    /* Most are reliable: mostly the better of two draws. Few are rich, few do a lot: the product of
     * two. The reliable are a little richer. */
    uint32_t drawn = ss_random_below(random, 1001), again = ss_random_below(random, 1001);
    bool fickle = ss_random_chance(random, 600);
    person->reliability = (uint16_t)(fickle || drawn > again ? drawn : again);
    drawn = ss_random_below(random, 1001);
    again = ss_random_below(random, 1001);
    person->wealth = (uint16_t)((drawn * again / 500 + person->reliability) / 3);
    drawn = ss_random_below(random, 981);
    again = ss_random_below(random, 981);
    person->activity = (uint16_t)(5 + drawn * again / 981 * again / 981);
    person->business = ss_random_chance(random, 60);
    uint32_t degree = ss_random_below(random, 1000) + person->wealth / 4;
    person->degree = degree < 700    ? SS_DEGREE_UNKNOWN
                     : degree < 850  ? SS_DEGREE_HIGH_SCHOOL
                     : degree < 1100 ? SS_DEGREE_UNIVERSITY
                                     : SS_DEGREE_GRADUATE;
    person->subscriber = (uint8_t)ss_random_below(random, 3);
    person->hard_times = ss_random_chance(random, 100) ? any_time(p, now) : NEVER;
    person->todo = draw_life(p, person);

    person->next[SLOT_LIFE] = now;
    draw_bills(p, person, now);
    person->next[SLOT_BOOKING] = after(now, 2 * DAY + ss_random_below(random, p->booking_period));
    person->next[SLOT_SOCIAL] = after(now, DAY + ss_random_below(random, p->social_period));
    if (person->wealth > 250 || ss_random_chance(random, 400))
        person->next[SLOT_LINE] = after(now, 2 * DAY + ss_random_below(random, 20 * DAY));
    bool consents = person->todo & (1u << STEP_GRANT | 1u << STEP_GRANT_LATE);
    if (ss_random_chance(random, consents ? 2 : 20))
        person->next[SLOT_LISTING] = after(any_time(p, now), 10 * DAY);
}

/* --- a life's steps --- */

static void consent(struct ss_population *p, enum ss_consent_action action,
                    enum ss_consent_purpose purpose, struct ss_text subscriber)
{
    p->event.input = SS_CONSENTS;
    p->event.consent = (struct ss_consent){action, purpose, subscriber};
}

static void profile(struct ss_population *p, enum ss_profile_action action,
                    enum ss_profile_fact fact)
{
    p->event.input = SS_PROFILES;
    p->event.profile =
        (struct ss_profile){.action = action, .fact = fact, .opened_at_ms = SS_TIME_UNKNOWN};
}

static void open_account(struct ss_population *p, const struct person *person, uint32_t now)
{
    profile(p, SS_PROFILE_ACCOUNT_OPENED, SS_FACT_NONE);
    p->event.profile.holder = person->business ? SS_HOLDER_BUSINESS : SS_HOLDER_PERSON;
    if (ss_random_chance(&p->random, 450))
        return; /* the others bring an account that they have had for years */
    uint64_t years = ss_random_between(&p->random, 1, 4);
    uint64_t age = years * ss_random_below(&p->random, 3 * 365 * DAY);
    p->event.profile.opened_at_ms = p->options.start_ms + ((int64_t)now - (int64_t)age) * 1000;
}

static uint64_t step_delay(struct ss_population *p, enum step step, uint32_t now)
{
    switch (step) {
    case STEP_OPEN_ACCOUNT:
        return ss_random_between(&p->random, HOUR / 2, 3 * HOUR);
    case STEP_PHONE:
    case STEP_IDENTITY:
        return ss_random_between(&p->random, HOUR / 4, DAY);
    case STEP_MOVE_AWAY:
    case STEP_UNSHARE:
    case STEP_WITHDRAW:
        return 5 * DAY + any_time(p, now) - now;
    case STEP_GRANT_AGAIN:
        return ss_random_between(&p->random, 10 * DAY, 60 * DAY);
    default:
        return about(p, 8 * DAY);
    }
}

static void act_life(struct ss_population *p, struct person *person, uint32_t now)
{
    static const char *const subscribers[] = {"lending", "car-rental", "hotels"};
    const struct ss_text none = {0}, subscriber = ss_text_literal(subscribers[person->subscriber]);
    enum step step = (enum step)__builtin_ctz(person->todo);
    person->todo &= (uint16_t)(person->todo - 1);

    switch (step) {
    case STEP_GRANT:
    case STEP_GRANT_LATE:
        consent(p, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, none);
        break;
    case STEP_GRANT_AGAIN:
        consent(p, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, none);
        /* all was erased: who they are has to be told anew */
        person->todo |= 1u << STEP_OPEN_ACCOUNT | 1u << STEP_PHONE | 1u << STEP_IDENTITY;
        break;
    case STEP_OPEN_ACCOUNT:
        open_account(p, person, now);
        break;
    case STEP_PHONE:
        profile(p, SS_PROFILE_VERIFIED, SS_FACT_PHONE);
        break;
    case STEP_IDENTITY:
        profile(p, SS_PROFILE_VERIFIED, SS_FACT_IDENTITY);
        break;
    case STEP_ADDRESS:
        profile(p, SS_PROFILE_VERIFIED, SS_FACT_ADDRESS);
        break;
    case STEP_DEGREE:
        profile(p, SS_PROFILE_VERIFIED, SS_FACT_DEGREE);
        p->event.profile.degree_level = (enum ss_degree_level)person->degree;
        break;
    case STEP_MOVE_AWAY:
        profile(p, SS_PROFILE_REVOKED, SS_FACT_ADDRESS);
        break;
    case STEP_SOCIAL:
        consent(p, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, none);
        break;
    case STEP_SHARE:
        consent(p, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, subscriber);
        break;
    case STEP_UNSHARE:
        consent(p, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SHARE, subscriber);
        break;
    case STEP_WITHDRAW:
    case STEP_COUNT:
        consent(p, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, none);
        break;
    }
    person->next[SLOT_LIFE] =
        person->todo ? after(now, step_delay(p, (enum step)__builtin_ctz(person->todo), now))
                     : NEVER;
}

/* --- bills --- */

/* How a bill will end, and when. */
static uint32_t draw_outcome(struct ss_population *p, const struct person *person,
                             struct bill *bill, uint32_t now)
{
    uint64_t *random = &p->random;
    uint64_t lacking = 1000 - reliability(person, now);
    uint32_t roll = ss_random_below(random, 1000000);
    uint32_t cancelled = 4000;
    uint32_t defaulted = cancelled + (uint32_t)(lacking * lacking * lacking / 40000);
    uint32_t late = defaulted + 6000 + (uint32_t)(lacking * lacking * 9 / 10);

    if (roll < cancelled) {
        bill->outcome = SS_BILL_CANCELLED;
        return after(now, ss_random_between(random, DAY, 10 * DAY));
    }
    if (roll < defaulted) {
        bill->outcome = SS_BILL_DEFAULTED;
        return after(bill->due, ss_random_between(random, 90 * DAY, 125 * DAY));
    }
    bill->outcome = SS_BILL_PAID;
    if (roll >= late)
        return now + HOUR + ss_random_below(random, bill->due - now - HOUR);
    uint64_t days = 1 + (ss_random_exponential(random) * (6 + lacking / 8) >> 16);
    return after(bill->due, (days < 170 ? days : 170) * DAY + ss_random_below(random, DAY));
}

static uint32_t bill_amount(struct ss_population *p, const struct person *person, uint8_t kind)
{
    static const uint32_t usual[SS_BILL_KIND_COUNT] = {
        [SS_BILL_UTILITY] = 22000, [SS_BILL_TELECOM] = 9900,
        [SS_BILL_CARD] = 280000,   [SS_BILL_LOAN_INSTALMENT] = 190000,
        [SS_BILL_RENT] = 240000,   [SS_BILL_INSURANCE] = 60000,
        [SS_BILL_TAX] = 80000,
    };
    uint64_t amount = ss_person_by_wealth(person, usual[kind]);
    return (uint32_t)(amount * ss_random_between(&p->random, 700, 1300) / 1000);
}

static void act_bill(struct ss_population *p, uint32_t user, uint32_t which, uint32_t now)
{
    struct person *person = &p->persons[user];
    struct bill *bill = &person->bills[which];
    uint32_t *next = &person->next[SLOT_BILLS + which];
    struct ss_bill *out = &p->event.bill;

    p->event.input = SS_BILLS;
    *out = (struct ss_bill){.due_at_ms = SS_TIME_UNKNOWN, .kind = (enum ss_bill_kind)bill->kind};
    if (bill->outcome == SS_BILL_ISSUED) {
        bill->number++;
        bill->issued = now;
        bill->due = after(now, ss_random_between(&p->random, 10 * DAY, 25 * DAY));
        bill->amount = bill_amount(p, person, bill->kind);
        out->status = SS_BILL_ISSUED;
        out->due_at_ms = p->options.start_ms + (int64_t)bill->due * 1000;
        *next = draw_outcome(p, person, bill, now);
    } else {
        out->status = (enum ss_bill_status)bill->outcome;
        bill->outcome = SS_BILL_ISSUED;
        uint32_t at = after(bill->issued, about(p, p->bill_period));
        *next = at > now ? at : after(now, DAY);
        if (out->status == SS_BILL_DEFAULTED && !person->listed &&
            ss_random_chance(&p->random, 350))
            person->next[SLOT_LISTING] =
                after(now, ss_random_between(&p->random, 10 * DAY, 45 * DAY));
    }
    out->bill_id =
        ss_text_numbered(p->text, "b-", user, 6, (uint32_t)bill->number * BILLS_PER_PERSON + which);
    out->amount_minor = out->status == SS_BILL_CANCELLED ? 0 : bill->amount;
    out->currency = ss_text_literal("CNY");
}

/* --- the others --- */

static void act_booking(struct ss_population *p, uint32_t user, uint32_t now)
{
    struct person *person = &p->persons[user];
    struct ss_booking *out = &p->event.booking;
    uint32_t *next = &person->next[SLOT_BOOKING];

    p->event.input = SS_BOOKINGS;
    if (person->booking_outcome == SS_BOOKING_MADE) {
        uint32_t lacking = 1000 - reliability(person, now);
        uint32_t roll = ss_random_below(&p->random, 1000), no_show = 4 + lacking * lacking / 6000;
        person->booking_number++;
        person->booking_kind =
            (uint8_t)ss_random_between(&p->random, SS_BOOKING_HOTEL, SS_BOOKING_DOCTOR);
        person->booking_outcome = roll < no_show        ? SS_BOOKING_NO_SHOW
                                  : roll < no_show + 70 ? SS_BOOKING_CANCELLED
                                                        : SS_BOOKING_HONOURED;
        out->status = SS_BOOKING_MADE;
        *next = after(now, DAY / 4 + about(p, 9 * DAY));
    } else {
        out->status = (enum ss_booking_status)person->booking_outcome;
        person->booking_outcome = SS_BOOKING_MADE;
        *next = after(now, about(p, p->booking_period));
    }
    out->kind = (enum ss_booking_kind)person->booking_kind;
    out->booking_id = ss_text_numbered(p->text, "k-", user, 6, person->booking_number);
}

static void social(struct ss_population *p, enum ss_social_action action, uint32_t friend)
{
    p->event.input = SS_SOCIAL;
    p->event.social = (struct ss_social){action, ss_text_user(p->text, friend)};
}

void ss_person_reply(struct ss_population *p, const struct reply *reply)
{
    social(p, reply->action, reply->friend);
}

static bool act_social(struct ss_population *p, uint32_t user, uint32_t now)
{
    struct person *person = &p->persons[user];
    uint32_t friend = NEVER, least = NEVER;

    person->next[SLOT_SOCIAL] = after(now, about(p, p->social_period));
    if (person->parting) {
        person->parting = false;
        friend = person->last_friend;
        p->reply = (struct reply){true, friend, user, SS_FRIEND_REMOVED};
    } else {
        for (int i = 0; i < 3; i++) { /* like finds like */
            uint32_t other = ss_random_below(&p->random, p->joined);
            uint32_t theirs = p->persons[other].reliability, ours = person->reliability;
            uint32_t distance = theirs > ours ? theirs - ours : ours - theirs;
            if (other != user && distance < least) {
                least = distance;
                friend = other;
            }
        }
        if (friend == NEVER)
            return false;
        person->last_friend = friend;
        person->parting = ss_random_chance(&p->random, 40);
        if (person->parting)
            person->next[SLOT_SOCIAL] =
                after(now, ss_random_between(&p->random, 10 * DAY, 90 * DAY));
        p->reply = (struct reply){true, friend, user, SS_FRIEND_ADDED};
    }
    social(p, p->reply.action, friend);
    return true;
}

static void act_line(struct ss_population *p, uint32_t user, uint32_t now)
{
    struct person *person = &p->persons[user];
    uint64_t limit = ss_person_by_wealth(person, 1500000) / 100000 * 100000 + 100000;
    uint32_t used = (1000 - reliability(person, now)) * 7 / 10 + ss_random_below(&p->random, 400);

    profile(p, SS_PROFILE_CREDIT_LINE, SS_FACT_NONE);
    p->event.profile.line_id = ss_text_literal("card-1");
    p->event.profile.limit_minor = (int64_t)limit;
    p->event.profile.balance_minor = (int64_t)(limit * used / 1000);
    p->event.profile.currency = ss_text_literal("CNY");
    person->next[SLOT_LINE] = after(now, about(p, p->line_period));
}

static void act_listing(struct ss_population *p, uint32_t user, uint32_t now)
{
    static const char *const courts[] = {"Chaoyang District Court", "Pudong New Area Court",
                                         "Tianhe District Court", "Wuhou District Court"};
    struct person *person = &p->persons[user];
    bool struck = person->listed;

    person->listed = !struck;
    person->next[SLOT_LISTING] = NEVER;
    if (!struck) {
        person->case_number++;
        if (ss_random_chance(&p->random, 600))
            person->next[SLOT_LISTING] =
                after(now, ss_random_between(&p->random, 20 * DAY, 150 * DAY));
    }
    p->event.input = SS_BLACKLIST;
    p->event.listing = (struct ss_listing){
        .action = struck ? SS_DELISTED : SS_LISTED,
        .case_id = ss_text_numbered(p->text, "case-", user, 6, person->case_number),
        .authority = ss_text_literal(courts[user % 4]),
        .amount_owed_minor = struck ? 0 : ss_random_between(&p->random, 500000, 9000000),
        .currency = ss_text_literal("CNY"),
    };
}

bool ss_person_act(struct ss_population *p, uint32_t user, enum slot slot, uint32_t now)
{
    switch (slot) {
    case SLOT_LIFE:
        act_life(p, &p->persons[user], now);
        return true;
    case SLOT_BOOKING:
        act_booking(p, user, now);
        return true;
    case SLOT_SOCIAL:
        return act_social(p, user, now);
    case SLOT_LINE:
        act_line(p, user, now);
        return true;
    case SLOT_LISTING:
        act_listing(p, user, now);
        return true;
    default:
        act_bill(p, user, (uint32_t)slot - SLOT_BILLS, now);
        return true;
    }
}
