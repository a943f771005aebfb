/* options.h - the table of options: the one place that knows an option's name, type, bounds,
 * default and meaning. Private to config/. Immutable; any thread. */
#ifndef SS_CONFIG_OPTIONS_H
#define SS_CONFIG_OPTIONS_H

#include "config/config.h"

#include <stddef.h>

enum ss_option_type {
    SS_OPTION_NAME,    /* 1 to max of A-Z a-z 0-9 . _ - */
    SS_OPTION_TOPIC,   /* a Kafka topic's name */
    SS_OPTION_URL,     /* begins with one of `choices`; a password in it is masked */
    SS_OPTION_PATH,    /* relative to the config file */
    SS_OPTION_SECRET,  /* user:password; masked whole */
    SS_OPTION_INTEGER, /* min to max */
    SS_OPTION_CHOICE,  /* one of `choices`, kept as its index */
};

struct ss_option {
    const char *name; /* dotted: "redis.url" */
    enum ss_option_type type;
    size_t offset; /* in struct ss_config: of an int64_t (INTEGER, CHOICE), else of a char * */
    int64_t min, max;
    const char *choices;  /* separated by single spaces */
    const char *fallback; /* the default as text; NULL: not set, or found out at start */
    const char *help;     /* markdown, whole sentences */
};

extern const struct ss_option ss_options[];
extern const size_t ss_option_count;

/* A section of the file, for docs and unknown keys: its options share "name.". */
struct ss_option_section {
    const char *name;
    const char *title;
    const char *help;
};
extern const struct ss_option_section ss_option_sections[];
extern const size_t ss_option_section_count;

/* NULL if there is none. */
const struct ss_option *ss_option_find(const char *name);
const struct ss_option_section *ss_option_section_find(const char *name);
/* The option or section that was probably meant: nearest spelling, or the same last part. NULL:
 * none. */
const char *ss_option_suggest(const char *name);

/* The fields that an option describes. */
char **ss_option_text(struct ss_config *config, const struct ss_option *option);
int64_t *ss_option_number(struct ss_config *config, const struct ss_option *option);
bool ss_option_is_number(const struct ss_option *option);

/* Writes what is allowed as text: "1 to 64", "one of error, warn, info, debug", … */
void ss_option_allowed(const struct ss_option *option, char *out, size_t size);

/* Checks a value and stores it. folder is what a relative path is relative to (NULL: leave it). On
 * an error `problem` says what is wrong and what is allowed, without the option's name, and holds
 * no secret.
 * "" unsets an option that has no default. */
SS_MUST_USE bool ss_option_store(struct ss_config *config, const struct ss_option *option,
                                 const char *value, const char *folder, char *problem,
                                 size_t problem_size);

/* --- librdkafka's properties --- */

/* Why a property may not be set, and what to use instead; NULL: it may. */
const char *ss_property_refused(const char *name);
/* The i-th refused property, NULL behind the last. */
const char *ss_property_refused_name(size_t i);
/* Its value must not be shown. */
bool ss_property_secret(const char *name);

/* Copies a value for showing: a password within a URL becomes "****". */
void ss_mask_url(const char *value, char *out, size_t size);

#endif
