/* demo_screen.h - what the demo shows while it runs: a picture redrawn in place on a terminal,
 * lines of text elsewhere. NO_COLOR and COLUMNS are respected; without a UTF-8 locale it is plain
 * ASCII. */
#ifndef SS_CLI_DEMO_SCREEN_H
#define SS_CLI_DEMO_SCREEN_H

#include "cli/demo_watch.h"

struct ss_demo_screen {
    bool live, color, utf8;
    int drawn; /* lines of the last picture */
    int64_t said[SS_DEMO_NEWS_KINDS];
    double said_at; /* plain: the last line of numbers */
    int sample;     /* plain: whose turn it is */
};

struct ss_demo_state {
    const struct ss_demo_watch *watch;
    double elapsed;
    int64_t total, consumed; /* events */
    double rate;             /* events per second, lately */
    const char *phase;       /* "starting", … */
    int workers;
};

struct ss_demo_number {
    char text[28];
};
struct ss_demo_number ss_demo_number(int64_t value); /* "1,234,567" */

void ss_demo_screen_open(struct ss_demo_screen *screen);
void ss_demo_screen_draw(struct ss_demo_screen *screen, const struct ss_demo_state *state);
/* A piece of news: plain output prints the first ones of each kind. */
void ss_demo_screen_news(void *screen, const struct ss_demo_news *news);
/* The terminal is as it was; the last picture stays. Async-signal-safe. */
void ss_demo_screen_restore(const struct ss_demo_screen *screen);

#endif
