#include "audit/explain_words.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- building text ---- */

static void add(char *out, size_t size, const char *text)
{
    ss_words_append(out, size, (struct ss_text){text, (uint32_t)strlen(text)});
}

void ss_words_append(char *out, size_t size, struct ss_text text)
{
    size_t used = strlen(out);
    const uint8_t *p = (const uint8_t *)text.data, *end = p ? p + text.size : p;
    while (p != end) {
        uint32_t code = 0;
        size_t length = ss_utf8_next(p, end, &code);
        bool fine = length && code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
                    !(code >= 0x202a && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
        const char *shown = fine ? (const char *)p : "\xef\xbf\xbd";
        size_t shown_size = fine ? length : 3;
        if (used + shown_size >= size)
            break;
        memcpy(out + used, shown, shown_size);
        used += shown_size;
        p += length ? length : 1;
    }
    out[used] = '\0';
}

static bool utc_of(int64_t time_ms, struct tm *utc, int *millis)
{
    int64_t rest = time_ms % 1000;
    *millis = (int)(rest < 0 ? rest + 1000 : rest);
    time_t seconds = (time_t)((time_ms - *millis) / 1000);
    return gmtime_r(&seconds, utc) != NULL;
}

static char *format_time(int64_t time_ms, const char *format, char *out)
{
    struct tm utc;
    int millis;
    if (!utc_of(time_ms, &utc, &millis) || strftime(out, SS_WORDS_SHORT, format, &utc) == 0)
        snprintf(out, SS_WORDS_SHORT, "%" PRId64 " ms after 1970", time_ms);
    return out[0] == ' ' ? memmove(out, out + 1, strlen(out)) : out;
}

char *ss_words_date(int64_t time_ms, char out[SS_WORDS_SHORT])
{
    return format_time(time_ms, "%e %B %Y", out);
}

char *ss_words_time(int64_t time_ms, char out[SS_WORDS_SHORT])
{
    return format_time(time_ms, "%e %B %Y, %H:%M:%S UTC", out);
}

char *ss_words_iso(int64_t time_ms, char out[SS_WORDS_SHORT])
{
    struct tm utc;
    int millis;
    format_time(time_ms, "%Y-%m-%dT%H:%M:%S", out);
    size_t used = strlen(out);
    if (utc_of(time_ms, &utc, &millis))
        snprintf(out + used, SS_WORDS_SHORT - used, millis ? ".%03dZ" : "Z", millis);
    return out;
}

/* Digits behind the point, by ISO 4217. */
static int decimals_of(struct ss_text currency)
{
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF "
                               "XPF ",
                      three[] = "BHD IQD JOD KWD LYD OMR TND ";
    char code[5] = "";
    if (currency.size != 3)
        return 2;
    memcpy(code, currency.data, 3);
    code[3] = ' ';
    return strstr(none, code) ? 0 : strstr(three, code) ? 3 : 2;
}

char *ss_words_money(int64_t amount_minor, struct ss_text currency, char out[SS_WORDS_SHORT])
{
    int decimals = decimals_of(currency);
    uint64_t unit = decimals == 0 ? 1 : decimals == 2 ? 100 : 1000;
    uint64_t amount = amount_minor < 0 ? 0 - (uint64_t)amount_minor : (uint64_t)amount_minor;
    char digits[24], grouped[40];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, amount / unit), used = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            grouped[used++] = ',';
        grouped[used++] = digits[i];
    }
    grouped[used] = '\0';
    snprintf(out, SS_WORDS_SHORT, "%s%s", amount_minor < 0 ? "-" : "", grouped);
    if (decimals > 0) {
        size_t size = strlen(out);
        snprintf(out + size, SS_WORDS_SHORT - size, ".%0*" PRIu64, decimals, amount % unit);
    }
    add(out, SS_WORDS_SHORT, " ");
    ss_words_append(out, SS_WORDS_SHORT, currency);
    return out;
}

/* ---- names ---- */

const char *ss_words_fact(enum ss_profile_fact fact)
{
    static const char *const names[] = {
        [SS_FACT_NONE] = "fact of a kind not known here",
        [SS_FACT_PHONE] = "phone number",
        [SS_FACT_ADDRESS] = "address",
        [SS_FACT_IDENTITY] = "identity",
        [SS_FACT_DEGREE] = "degree",
    };
    return fact < SS_FACT_COUNT ? names[fact] : names[0];
}

const char *ss_words_bill(enum ss_bill_kind kind)
{
    static const char *const names[] = {
        [SS_BILL_OTHER] = "bill",
        [SS_BILL_UTILITY] = "utility bill",
        [SS_BILL_TELECOM] = "telephone bill",
        [SS_BILL_CARD] = "card bill",
        [SS_BILL_LOAN_INSTALMENT] = "loan instalment",
        [SS_BILL_RENT] = "rent",
        [SS_BILL_INSURANCE] = "insurance bill",
        [SS_BILL_TAX] = "tax bill",
        [SS_BILL_FINE] = "fine",
    };
    return kind < SS_BILL_KIND_COUNT ? names[kind] : names[0];
}

static const char *category_name(enum ss_payment_category category)
{
    static const char *const names[] = {
        [SS_CATEGORY_OTHER] = "other things",
        [SS_CATEGORY_GROCERIES] = "groceries",
        [SS_CATEGORY_DINING] = "dining",
        [SS_CATEGORY_TRANSPORT] = "transport",
        [SS_CATEGORY_TRAVEL] = "travel",
        [SS_CATEGORY_HOUSING] = "housing",
        [SS_CATEGORY_UTILITIES] = "utilities",
        [SS_CATEGORY_HEALTH] = "health",
        [SS_CATEGORY_EDUCATION] = "education",
        [SS_CATEGORY_CLOTHING] = "clothing",
        [SS_CATEGORY_ELECTRONICS] = "electronics",
        [SS_CATEGORY_ENTERTAINMENT] = "entertainment",
        [SS_CATEGORY_FINANCIAL] = "financial matters",
        [SS_CATEGORY_CHARITY] = "charity",
        [SS_CATEGORY_FAMILY] = "family",
        [SS_CATEGORY_SERVICES] = "services",
    };
    return category < SS_CATEGORY_COUNT ? names[category] : names[0];
}

static const char *booking_name(enum ss_booking_kind kind)
{
    static const char *const names[] = {
        [SS_BOOKING_OTHER] = "booking",
        [SS_BOOKING_HOTEL] = "hotel booking",
        [SS_BOOKING_CAR] = "car booking",
        [SS_BOOKING_FLIGHT] = "flight booking",
        [SS_BOOKING_TRAIN] = "train booking",
        [SS_BOOKING_RESTAURANT] = "restaurant booking",
        [SS_BOOKING_DOCTOR] = "doctor's appointment",
    };
    return kind < SS_BOOKING_KIND_COUNT ? names[kind] : names[0];
}

/* ---- events ---- */

struct sentence {
    char *out;
};

static void say(struct sentence *s, const char *text)
{
    add(s->out, SS_WORDS_SENTENCE, text);
}

static void say_text(struct sentence *s, struct ss_text text)
{
    ss_words_append(s->out, SS_WORDS_SENTENCE, text);
}

static void say_money(struct sentence *s, int64_t amount_minor, struct ss_text currency)
{
    char money[SS_WORDS_SHORT];
    say(s, ss_words_money(amount_minor, currency, money));
}

static void say_payment(struct sentence *s, const struct ss_payment *payment)
{
    say(s, "A payment of ");
    say_money(s, payment->amount_minor, payment->currency);
    say(s, " for ");
    say(s, category_name(payment->category));
    if (payment->counterparty.size) {
        say(s, ", to ");
        say_text(s, payment->counterparty);
    }
    say(s, payment->status == SS_PAYMENT_SETTLED    ? ", went through."
           : payment->status == SS_PAYMENT_REFUNDED ? ", was refunded."
                                                    : ", was charged back.");
}

static void say_how_late(struct sentence *s, int64_t paid_ms, int64_t due_ms)
{
    char text[SS_WORDS_SHORT];
    int64_t days = (paid_ms - due_ms) / 86400000;
    if (paid_ms <= due_ms || days < 1)
        say(s, " was paid on time; it was due on ");
    else {
        snprintf(text, sizeof text, " was paid %" PRId64 " %s late; it was due on ", days,
                 days == 1 ? "day" : "days");
        say(s, text);
    }
    say(s, ss_words_date(due_ms, text));
}

static void say_bill(struct sentence *s, const struct ss_bill *bill, int64_t occurred_at_ms,
                     int64_t due_at_ms)
{
    char text[SS_WORDS_SHORT];
    int64_t due = due_at_ms != SS_TIME_UNKNOWN ? due_at_ms : bill->due_at_ms;
    say(s, "The ");
    say(s, ss_words_bill(bill->kind));
    say(s, " ");
    say_text(s, bill->bill_id);
    if (bill->amount_minor) {
        say(s, " of ");
        say_money(s, bill->amount_minor, bill->currency);
    }
    switch (bill->status) {
    case SS_BILL_ISSUED:
        say(s, " was issued");
        if (bill->due_at_ms != SS_TIME_UNKNOWN) {
            say(s, ", due on ");
            say(s, ss_words_date(bill->due_at_ms, text));
        }
        break;
    case SS_BILL_PAID:
        if (due != SS_TIME_UNKNOWN)
            say_how_late(s, occurred_at_ms, due);
        else
            say(s, " was paid");
        break;
    case SS_BILL_DEFAULTED:
        say(s, " was given up as unpaid");
        break;
    case SS_BILL_CANCELLED:
        say(s, " was cancelled");
        break;
    }
    say(s, ".");
}

static void say_booking(struct sentence *s, const struct ss_booking *booking)
{
    static const char *const ends[] = {[SS_BOOKING_MADE] = " was made.",
                                       [SS_BOOKING_HONOURED] = " was kept.",
                                       [SS_BOOKING_NO_SHOW] = " was not kept: you did not come.",
                                       [SS_BOOKING_CANCELLED] = " was cancelled."};
    say(s, "The ");
    say(s, booking_name(booking->kind));
    say(s, " ");
    say_text(s, booking->booking_id);
    say(s, ends[booking->status]);
}

static void say_profile(struct sentence *s, const struct ss_profile *profile)
{
    static const char *const degrees[] = {[SS_DEGREE_UNKNOWN] = "",
                                          [SS_DEGREE_HIGH_SCHOOL] = " (high school)",
                                          [SS_DEGREE_UNIVERSITY] = " (university)",
                                          [SS_DEGREE_GRADUATE] = " (graduate)"};
    char text[SS_WORDS_SHORT];
    switch (profile->action) {
    case SS_PROFILE_VERIFIED:
    case SS_PROFILE_REVOKED:
        say(s, "Your ");
        say(s, ss_words_fact(profile->fact));
        if (profile->fact == SS_FACT_DEGREE && profile->degree_level < SS_DEGREE_COUNT)
            say(s, degrees[profile->degree_level]);
        say(s,
            profile->action == SS_PROFILE_VERIFIED ? " was verified." : " is no longer verified.");
        break;
    case SS_PROFILE_ACCOUNT_OPENED:
        say(s, profile->holder == SS_HOLDER_BUSINESS ? "Your business's account was reported"
                                                     : "Your account was reported");
        if (profile->opened_at_ms != SS_TIME_UNKNOWN) {
            say(s, ", opened on ");
            say(s, ss_words_date(profile->opened_at_ms, text));
        }
        say(s, ".");
        break;
    case SS_PROFILE_CREDIT_LINE:
        say(s, "Credit line ");
        say_text(s, profile->line_id);
        if (profile->limit_minor == 0) {
            say(s, " was closed.");
            break;
        }
        say(s, " was reported: limit ");
        say_money(s, profile->limit_minor, profile->currency);
        say(s, ", owed ");
        say_money(s, profile->balance_minor, profile->currency);
        say(s, ".");
        break;
    }
}

static void say_consent(struct sentence *s, const struct ss_consent *consent)
{
    say(s, consent->action == SS_CONSENT_GRANTED ? "You agreed " : "You no longer agree ");
    switch (consent->purpose) {
    case SS_PURPOSE_SCORING:
        say(s, "to be scored");
        break;
    case SS_PURPOSE_SOCIAL:
        say(s, "to friends being counted");
        break;
    case SS_PURPOSE_SHARE:
        say(s, "to share your score with ");
        say_text(s, consent->subscriber);
        break;
    }
    say(s, ".");
}

static void say_listing(struct sentence *s, const struct ss_listing *listing)
{
    say(s, "Court case ");
    say_text(s, listing->case_id);
    if (listing->authority.size) {
        say(s, " (");
        say_text(s, listing->authority);
        say(s, ")");
    }
    say(s, listing->action == SS_LISTED ? " entered you in the register of defaulters"
                                        : " was removed from the register of defaulters");
    if (listing->action == SS_LISTED && listing->amount_owed_minor > 0) {
        say(s, ", for ");
        say_money(s, listing->amount_owed_minor, listing->currency);
    }
    say(s, ".");
}

char *ss_words_event(const struct ss_event *event, int64_t due_at_ms, char out[SS_WORDS_SENTENCE])
{
    struct sentence s = {out};
    out[0] = '\0';
    switch (event->input) {
    case SS_PAYMENTS:
        say_payment(&s, &event->payment);
        break;
    case SS_BILLS:
        say_bill(&s, &event->bill, event->occurred_at_ms, due_at_ms);
        break;
    case SS_BOOKINGS:
        say_booking(&s, &event->booking);
        break;
    case SS_SOCIAL:
        say(&s, event->social.action == SS_FRIEND_ADDED ? "A friend was added."
                                                        : "A friend was removed.");
        break;
    case SS_PROFILES:
        say_profile(&s, &event->profile);
        break;
    case SS_CONSENTS:
        say_consent(&s, &event->consent);
        break;
    case SS_BLACKLIST:
        say_listing(&s, &event->listing);
        break;
    case SS_NEIGHBOURS: /* never who: that is the friend's own matter */
        say(&s, event->neighbour.action == SS_NEIGHBOUR_LEFT
                    ? "A friend no longer counts: the friendship ended, or the friend's consent."
                    : "What a friend's score says of yours changed.");
        break;
    case SS_INPUT_COUNT:
        break;
    }
    return out;
}
