#include "cli/blacklist_row.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

static const char *const names[SS_COLUMN_COUNT] = {
    "user_id", "case_id", "authority", "amount_owed", "currency", "listed_at", "action",
};

static bool is(struct ss_text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* --- the header --- */

/* Of the file's, so not to be trusted on a terminal. */
static void show(struct ss_text text, char *out, size_t size)
{
    size_t length = text.size < size - 1 ? text.size : size - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = text.data[i] >= ' ' && text.data[i] < 0x7f ? text.data[i] : '?';
    out[length] = '\0';
}

enum ss_status ss_blacklist_columns_read(struct ss_blacklist_columns *columns,
                                         const struct ss_csv_record *header, bool ignore,
                                         struct ss_error *err)
{
    char shown[64];
    for (int c = 0; c < SS_COLUMN_COUNT; c++)
        columns->at[c] = -1;
    for (int i = 0; i < header->field_count; i++) {
        int c = 0;
        while (c < SS_COLUMN_COUNT && !is(header->fields[i], names[c]))
            c++;
        if (c < SS_COLUMN_COUNT && columns->at[c] < 0) {
            columns->at[c] = i;
            continue;
        }
        show(header->fields[i], shown, sizeof shown);
        if (c < SS_COLUMN_COUNT)
            return ss_fail(err, SS_STOP, "the header names the column %s twice", shown);
        if (!ignore)
            return ss_fail(err, SS_STOP,
                           "the header has an unknown column '%s'; known are user_id, case_id, "
                           "authority, amount_owed, currency, listed_at and action "
                           "(--ignore-columns passes over others)",
                           shown);
    }
    for (int c = 0; c < SS_COLUMN_ACTION; c++)
        if (columns->at[c] < 0)
            return ss_fail(err, SS_STOP,
                           "the header lacks the column %s; it must name user_id, case_id, "
                           "authority, amount_owed, currency and listed_at, separated by commas",
                           names[c]);
    return SS_OK;
}

/* --- values --- */

/* ISO 4217: code and digits of the minor unit. */
static const char currencies[] =
    "AED2AFN2ALL2AMD2ANG2AOA2ARS2AUD2AWG2AZN2BAM2BBD2BDT2BGN2BHD3BIF0BMD2BND2BOB2BRL2BSD2BTN2BWP2"
    "BYN2BZD2CAD2CDF2CHF2CLF4CLP0CNY2COP2CRC2CUP2CVE2CZK2DJF0DKK2DOP2DZD2EGP2ERN2ETB2EUR2FJD2FKP2"
    "GBP2GEL2GHS2GIP2GMD2GNF0GTQ2GYD2HKD2HNL2HTG2HUF2IDR2ILS2INR2IQD3IRR2ISK0JMD2JOD3JPY0KES2KGS2"
    "KHR2KMF0KPW2KRW0KWD3KYD2KZT2LAK2LBP2LKR2LRD2LSL2LYD3MAD2MDL2MGA2MKD2MMK2MNT2MOP2MRU2MUR2MVR2"
    "MWK2MXN2MYR2MZN2NAD2NGN2NIO2NOK2NPR2NZD2OMR3PAB2PEN2PGK2PHP2PKR2PLN2PYG0QAR2RON2RSD2RUB2RWF0"
    "SAR2SBD2SCR2SDG2SEK2SGD2SHP2SLE2SOS2SRD2SSP2STN2SVC2SYP2SZL2THB2TJS2TMT2TND3TOP2TRY2TTD2TWD2"
    "TZS2UAH2UGX0USD2UYU2UZS2VED2VES2VND0VUV0WST2XAF0XCD2XCG2XOF0XPF0YER2ZAR2ZMW2ZWG2";

int ss_blacklist_decimals(struct ss_text currency)
{
    size_t low = 0, high = sizeof currencies / 4;
    while (currency.size == 3 && low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(currencies + 4 * middle, currency.data, 3);
        if (order == 0)
            return currencies[4 * middle + 3] - '0';
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

bool ss_blacklist_amount(struct ss_text text, int decimals, int64_t *minor)
{
    int64_t value = 0;
    int fraction = -1; /* digits behind the point; -1: before it */
    bool digits = false;
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '.' && fraction < 0 && digits) {
            fraction = 0;
            continue;
        }
        if (c < '0' || c > '9' || value > SS_AMOUNT_MAX)
            return false;
        digits = true;
        if (fraction >= 0 && ++fraction > decimals) {
            if (c != '0') /* 12.50 yen would be no whole yen, 12.00 are */
                return false;
            continue;
        }
        value = value * 10 + (c - '0');
    }
    if (!digits || fraction == 0)
        return false;
    for (int i = fraction < 0 ? 0 : fraction; i < decimals; i++) {
        if (value > SS_AMOUNT_MAX)
            return false;
        value *= 10;
    }
    *minor = value;
    return value <= SS_AMOUNT_MAX;
}

/* Exactly `count` digits at *at, from min to max. */
static bool take_number(struct ss_text *text, uint32_t count, int min, int max, int *out)
{
    *out = 0;
    if (text->size < count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        *out = *out * 10 + (text->data[i] - '0');
    }
    text->data += count;
    text->size -= count;
    return *out >= min && *out <= max;
}

static bool take_char(struct ss_text *text, char c)
{
    if (text->size == 0 || *text->data != c)
        return false;
    text->data++;
    text->size--;
    return true;
}

/* Days since 1970 in the Gregorian calendar, for years from 0 on. */
static int64_t days_of(int year, int month, int day)
{
    int y = year - (month <= 2);
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

static bool take_date(struct ss_text *text, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!take_number(text, 4, 1000, 9999, &year) || !take_char(text, '-') ||
        !take_number(text, 2, 1, 12, &month) || !take_char(text, '-') ||
        !take_number(text, 2, 1, 31, &day))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    *days = days_of(year, month, day);
    return day <= lengths[month - 1] + (leap && month == 2);
}

static bool take_zone(struct ss_text *text, int *offset_min)
{
    int hours, minutes;
    bool east = take_char(text, '+');
    *offset_min = 0;
    if (!east && !take_char(text, '-')) {
        take_char(text, 'Z');
        return true;
    }
    if (!take_number(text, 2, 0, 14, &hours))
        return false;
    take_char(text, ':');
    if (!take_number(text, 2, 0, 59, &minutes))
        return false;
    *offset_min = (hours * 60 + minutes) * (east ? 1 : -1);
    return true;
}

bool ss_blacklist_time(struct ss_text text, int64_t *time_ms)
{
    int64_t days;
    int hour, minute, second = 0, millis = 0, offset_min;
    if (!take_date(&text, &days))
        return false;
    *time_ms = days * 86400000;
    if (text.size == 0)
        return true;
    if ((!take_char(&text, 'T') && !take_char(&text, ' ')) ||
        !take_number(&text, 2, 0, 23, &hour) || !take_char(&text, ':') ||
        !take_number(&text, 2, 0, 59, &minute))
        return false;
    if (take_char(&text, ':')) {
        if (!take_number(&text, 2, 0, 59, &second))
            return false;
        if (take_char(&text, '.')) {
            int digit, unit = 100;
            if (!take_number(&text, 1, 0, 9, &digit))
                return false;
            do {
                millis += digit * unit;
                unit /= 10;
            } while (take_number(&text, 1, 0, 9, &digit));
        }
    }
    if (!take_zone(&text, &offset_min))
        return false;
    *time_ms += ((hour * 60 + minute - offset_min) * INT64_C(60) + second) * 1000 + millis;
    return text.size == 0;
}

/* UTF-8 without control characters, as the core demands of identifiers; a court's name is none. */
static bool readable(struct ss_text text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (uint32_t i = 0; i < text.size;) {
        uint8_t lead = (uint8_t)text.data[i++];
        uint32_t more = lead < 0x80 ? 0 : lead < 0xc0 ? 4 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (more == 4 || lead > 0xf4 || text.size - i < more)
            return false;
        uint32_t code = more ? lead & (0x3fu >> more) : lead;
        for (uint32_t k = 0; k < more; k++, i++) {
            if (((uint8_t)text.data[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | ((uint8_t)text.data[i] & 0x3f);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
            code < 0x20 || (code >= 0x7f && code < 0xa0))
            return false;
    }
    return true;
}

/* --- a row --- */

static struct ss_text field(const struct ss_blacklist_columns *columns,
                            const struct ss_csv_record *record, enum ss_blacklist_column column)
{
    int at = columns->at[column];
    return at < 0 ? (struct ss_text){"", 0} : record->fields[at];
}

static const char *read_money(struct ss_listing *listing, struct ss_text amount)
{
    int decimals = ss_blacklist_decimals(listing->currency);
    if (listing->currency.size > 0 && decimals < 0)
        return "currency is no ISO 4217 code";
    if (amount.size > 0 &&
        !ss_blacklist_amount(amount, decimals < 0 ? 2 : decimals, &listing->amount_owed_minor))
        return "amount_owed is no amount such as 1234.56 with the digits that its currency has, up "
               "to "
               "10^12 minor units";
    if (listing->amount_owed_minor > 0 && decimals < 0)
        return "amount_owed without a currency";
    return NULL;
}

/* What names the event: the same row makes the same one, today and in a year. None of the texts
 * holds a zero byte, for the core refuses control characters in both. */
static void name_event(struct ss_blacklist_row *row)
{
    struct ss_event *event = &row->event;
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    char rest[40];
    int size = snprintf(rest, sizeof rest, "%s%c%" PRId64,
                        event->listing.action == SS_LISTED ? "LISTED" : "DELISTED", '\0',
                        event->occurred_at_ms);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)event->user_id.data, event->user_id.size);
    crypto_hash_sha256_update(&state, (const uint8_t *)"", 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)event->listing.case_id.data,
                              event->listing.case_id.size);
    crypto_hash_sha256_update(&state, (const uint8_t *)"", 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)rest, (unsigned long long)size);
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(row->event_id, 33, hash, 16);
    event->event_id = (struct ss_text){row->event_id, 32};
}

static const char *why(enum ss_refusal refusal)
{
    switch (refusal) {
    case SS_REFUSAL_NONE:
        return NULL;
    case SS_REFUSAL_BAD_USER_ID:
        return "user_id must have 1 to 64 bytes of UTF-8 without control characters";
    case SS_REFUSAL_BAD_TIME:
        return "listed_at lies before 2000 or in the future";
    default:
        return "case_id must have 1 to 64 bytes of UTF-8 without control characters";
    }
}

const char *ss_blacklist_row_read(struct ss_blacklist_row *row,
                                  const struct ss_blacklist_columns *columns,
                                  const struct ss_csv_record *record, const struct ss_model *model,
                                  int64_t now_ms, int64_t tolerance_ms)
{
    const struct ss_context context = {.record_time_ms = now_ms,
                                       .future_tolerance_ms = tolerance_ms};
    struct ss_event *event = &row->event;
    struct ss_text action = field(columns, record, SS_COLUMN_ACTION);
    *event = (struct ss_event){
        .input = SS_BLACKLIST,
        .user_id = field(columns, record, SS_COLUMN_USER_ID),
        .event_id = {"?", 1},
        .listing = {.case_id = field(columns, record, SS_COLUMN_CASE_ID),
                    .authority = field(columns, record, SS_COLUMN_AUTHORITY),
                    .currency = field(columns, record, SS_COLUMN_CURRENCY)},
    };
    if (action.size == 0 || is(action, "LISTED"))
        event->listing.action = SS_LISTED;
    else if (is(action, "DELISTED"))
        event->listing.action = SS_DELISTED;
    else
        return "action is neither LISTED nor DELISTED";
    if (!ss_blacklist_time(field(columns, record, SS_COLUMN_LISTED_AT), &event->occurred_at_ms))
        return "listed_at is no date such as 2024-05-01 or 2024-05-01T08:30:00+08:00";
    const char *fault = why(ss_event_check(model, event, &context));
    if (fault)
        return fault;
    if (event->listing.authority.size > SS_BLACKLIST_AUTHORITY_MAX ||
        !readable(event->listing.authority))
        return "authority must have at most 512 bytes of UTF-8 without control characters";
    fault = read_money(&event->listing, field(columns, record, SS_COLUMN_AMOUNT_OWED));
    if (!fault)
        name_event(row);
    return fault;
}
