/* What an explanation tells of others: how many are scored lower, how many friends count and where
 * they stand, and never enough to know a friend's own score. The same in text, JSON and page. */
#include "audit/explain_internal.h"
#include "helper_explained.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

TestSuite(explain_others, .init = begin_life, .fini = end_life);

/* Folded to single blanks: text is wrapped. */
static char *unwrapped(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if ((*from != '\n' && *from != ' ') || (to > text && to[-1] != ' '))
            *to++ = *from == '\n' ? ' ' : *from;
    *to = '\0';
    return text;
}

static json_t *as_json(void)
{
    char *text = explained_json(&e);
    json_error_t wrong;
    json_t *json = json_loads(text, 0, &wrong);
    cr_assert(json, "%s", wrong.text);
    free(text);
    return json;
}

static void shows(const char *sentence)
{
    char *text = unwrapped(explained_text(&e)), *html = explained_html(&e);
    cr_expect(strstr(text, sentence), "%s\nis not in\n%s", sentence, text);
    cr_expect(strstr(html, sentence), "%s\nis not on the page", sentence);
    free(text);
    free(html);
}

static void hides(const char *words)
{
    char *text = unwrapped(explained_text(&e)), *html = explained_html(&e);
    cr_expect_not(strstr(text, words), "%s\nis in\n%s", words, text);
    cr_expect_not(strstr(html, words), "%s\nis on the page", words);
    free(text);
    free(html);
}

Test(explain_others, says_how_many_in_a_hundred_have_a_lower_score)
{
    static const struct {
        int32_t percentile;
        const char *words;
    } cases[] = {
        {0, "fewer than 1 in 100 people who are scored had a lower one."},
        {99, "fewer than 1 in 100 people who are scored had a lower one."},
        {100, "about 1 in 100 people who are scored had a lower one."},
        {7341, "about 73 in 100 people who are scored had a lower one."},
        {9999, "about 99 in 100 people who are scored had a lower one."},
        {10000, "about 99 in 100 people who are scored had a lower one."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        life.ranked = true;
        life.percentile = cases[i].percentile;
        live(&life, BEGIN, granted());
        explain_newest();
        shows(cases[i].words);
        json_t *json = as_json();
        cr_expect_float_eq(json_number_value(json_object_get(json, "percentile")),
                           cases[i].percentile / 100.0, 1e-9);
        json_decref(json);
        end_life();
        begin_life();
    }
}

Test(explain_others, a_percentile_that_was_not_known_is_left_out)
{
    live(&life, BEGIN, granted());
    explain_newest();
    hides("in 100 people");
    json_t *json = as_json();
    cr_expect(json_is_null(json_object_get(json, "percentile")));
    json_decref(json);
}

static void friends(const uint8_t *bands, int count)
{
    static const char *const ids[] = {"friend-ann", "friend-ben", "friend-cat", "friend-dan"};
    live(&life, BEGIN, granted());
    live(&life, BEGIN + 1000, granted_for(SS_PURPOSE_SOCIAL));
    for (int i = 0; i < count; i++)
        befriend(&life, BEGIN + (i + 1) * DAY, ids[i], bands[i]);
    live(&life, BEGIN + 9 * DAY, verified(SS_FACT_PHONE));
    explain_newest();
    cr_assert_eq(e.score->friends_confirmed, count);
    hides("friend-");
}

static void json_has(int confirmed, bool shown, double mean, const char *words)
{
    json_t *json = as_json(), *of = json_object_get(json, "friends");
    cr_expect_eq(json_integer_value(json_object_get(of, "confirmed")), confirmed);
    json_t *band = json_object_get(of, "mean_band");
    cr_expect(shown ? json_is_real(band) : json_is_null(band));
    cr_expect_float_eq(json_number_value(band), mean, 1e-9);
    cr_expect(strstr(json_string_value(json_object_get(of, "words")), words), "%s",
              json_string_value(json_object_get(of, "words")));
    json_decref(json);
}

Test(explain_others, without_friends_nothing_is_said_of_them)
{
    friends(NULL, 0);
    hides("friend counts");
    hides("friends count");
    json_has(0, false, 0, "");
}

Test(explain_others, of_one_friend_the_score_is_not_told)
{
    friends((const uint8_t[]){7}, 1);
    shows("One friend counts, who confirms the friendship and takes part as well. Where their "
          "scores lie is shown from 3 friends on only");
    hides("725");
    json_has(1, false, 0, "One friend counts");
}

Test(explain_others, of_two_friends_the_scores_are_not_told)
{
    friends((const uint8_t[]){7, 3}, 2);
    shows("Two friends count, who confirm the friendship and take part as well.");
    hides("on average");
    json_has(2, false, 0, "Two friends count");
}

Test(explain_others, of_more_friends_the_mean_is_told)
{
    friends((const uint8_t[]){4, 5, 7}, 3);
    shows("3 friends count, who confirm the friendship and take part as well. Their scores are "
          "near 641 on average; they are known in steps of 50 points only.");
    json_has(3, true, 16 / 3.0, "near 641");
}
