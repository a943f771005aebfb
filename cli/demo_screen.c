#include "cli/demo_screen.h"

#include "cli/time_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINES_MAX = 64, LINE_MAX_BYTES = 512, NEWS_LINES_PER_KIND = 3 };

enum paint { PLAIN, BOLD, DIM, GREEN, RED, YELLOW, CYAN };

/* The picture that is being made. */
struct picture {
    const struct ss_demo_screen *screen;
    int columns, rows;
    int count;
    char lines[LINES_MAX][LINE_MAX_BYTES];
    size_t used;
};

struct ss_demo_number ss_demo_number(int64_t value)
{
    struct ss_demo_number number;
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRId64, value), at = 0;
    for (int i = 0; i < count; i++) {
        number.text[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < count && (count - i - 1) % 3 == 0)
            number.text[at++] = ',';
    }
    number.text[at] = 0;
    return number;
}

/* --- the terminal --- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++)
        if (is_set(names[i])) {
            const char *value = getenv(names[i]);
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
        }
    return false;
}

void ss_demo_screen_open(struct ss_demo_screen *screen)
{
    const char *term = getenv("TERM");
    memset(screen, 0, sizeof *screen);
    screen->live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    screen->color = screen->live && !is_set("NO_COLOR");
    screen->utf8 = screen->live && speaks_utf8();
    if (screen->live)
        fputs("\033[?25l", stdout); /* no cursor */
}

void ss_demo_screen_restore(const struct ss_demo_screen *screen)
{
    static const char normal[] = "\033[0m\033[?7h\033[?25h";
    if (screen->live)
        (void)!write(STDOUT_FILENO, normal, sizeof normal - 1);
}

static void measure(struct picture *picture)
{
    struct winsize size = {0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    picture->columns = is_set("COLUMNS") ? atoi(getenv("COLUMNS")) : size.ws_col;
    picture->rows = is_set("LINES") ? atoi(getenv("LINES")) : size.ws_row;
    if (picture->columns < 20)
        picture->columns = 80;
    if (picture->rows < 5)
        picture->rows = 24;
}

/* --- drawing --- */

static void put(struct picture *p, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct picture *p, enum paint paint, const char *format, ...)
{
    static const char *const codes[] = {"", "1", "2", "32", "31", "33", "36"};
    bool painted = p->screen->color && paint != PLAIN;
    char *line = p->lines[p->count];
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int size =
        snprintf(line + p->used, LINE_MAX_BYTES - p->used, "%s%s%s%s%s", painted ? "\033[" : "",
                 painted ? codes[paint] : "", painted ? "m" : "", text, painted ? "\033[0m" : "");
    p->used += (size_t)size;
    if (p->used >= LINE_MAX_BYTES)
        p->used = LINE_MAX_BYTES - 1;
}

static void end_line(struct picture *p)
{
    p->lines[p->count][p->used] = 0;
    p->used = 0;
    if (p->count < LINES_MAX - 1)
        p->count++;
}

static void bar(struct picture *p, enum paint paint, int64_t value, int64_t of, int width)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int64_t eighths = of > 0 ? value * width * 8 / of : 0;
    char text[400] = "";
    size_t used = 0;
    if (eighths == 0 && value > 0)
        eighths = 1;
    if (eighths > (int64_t)width * 8)
        eighths = (int64_t)width * 8;
    for (int64_t i = 0; i < eighths / 8 && used < sizeof text - 8; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s", p->screen->utf8 ? "█" : "#");
    if (p->screen->utf8)
        snprintf(text + used, sizeof text - used, "%s", parts[eighths % 8]);
    put(p, paint, "%s", text);
}

static const char *arrow(const struct picture *p, int32_t change)
{
    if (!p->screen->utf8)
        return change > 0 ? "up" : change < 0 ? "dn" : "  ";
    return change > 0 ? "▲" : change < 0 ? "▼" : "·";
}

static enum paint tier_paint(int tier, int count)
{
    static const enum paint paints[] = {RED, YELLOW, CYAN, GREEN, GREEN};
    return paints[count > 1 ? tier * 4 / (count - 1) : 0];
}

static void draw_head(struct picture *p, const struct ss_demo_state *state)
{
    int width = p->columns - 50;
    put(p, BOLD, "sesame demo");
    put(p, DIM, "  %.1f s, %s; mock Kafka, private Redis, %d workers, all in here", state->elapsed,
        state->phase, state->workers);
    end_line(p);
    put(p, PLAIN, "events ");
    bar(p, CYAN, state->consumed, state->total, width < 10 ? 10 : width > 50 ? 50 : width);
    put(p, BOLD, " %s", ss_demo_number(state->consumed).text);
    put(p, PLAIN, " of %s, ", ss_demo_number(state->total).text);
    put(p, BOLD, "%s/s", ss_demo_number((int64_t)state->rate).text);
    end_line(p);
    char date[40] = "";
    if (state->watch->clock_ms)
        ss_time_format(state->watch->clock_ms, date, sizeof date);
    put(p, DIM, "their calendar shows %.10s; %s score records, %s dead letters",
        date[0] ? date : "nothing yet", ss_demo_number(ss_demo_watch_received(state->watch)).text,
        ss_demo_number(state->watch->dead_letters).text);
    end_line(p);
    end_line(p);
}

static void draw_tiers(struct picture *p, const struct ss_demo_watch *watch)
{
    const struct ss_model *model = watch->model;
    int width = p->columns - 34;
    int64_t most = 1;
    width = width < 8 ? 8 : width > 60 ? 60 : width;
    for (int i = 0; i < model->tier_count; i++)
        most = watch->tiers[i] > most ? watch->tiers[i] : most;
    for (int i = model->tier_count - 1; i >= 0; i--) {
        put(p, PLAIN, "%-10s from %d %8s ", model->tiers[i].name, model->tiers[i].from,
            ss_demo_number(watch->tiers[i]).text);
        bar(p, tier_paint(i, model->tier_count), watch->tiers[i], most, width);
        end_line(p);
    }
    put(p, PLAIN, "%-19s %8s ", "listed by a court", ss_demo_number(watch->listed).text);
    bar(p, RED, watch->listed, most, width);
    end_line(p);
    end_line(p);
}

static void draw_history(struct picture *p, const struct ss_demo_sample *sample, int room)
{
    static const char *const high[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const flat[] = {"_", "_", ".", "-", "-", "=", "^", "^"};
    int from = sample->history_count > room ? sample->history_count - room : 0;
    int least = 9999, most = 0;
    for (int i = from; i < sample->history_count; i++) {
        least = sample->history[i] < least ? sample->history[i] : least;
        most = sample->history[i] > most ? sample->history[i] : most;
    }
    for (int i = from; i < sample->history_count; i++) {
        int level = most > least ? (sample->history[i] - least) * 7 / (most - least) : 3;
        put(p, CYAN, "%s", p->screen->utf8 ? high[level] : flat[level]);
    }
}

static void draw_samples(struct picture *p, const struct ss_demo_watch *watch)
{
    put(p, DIM, "%-12s %5s  %6s  %-12s %s", "user", "score", "change", "tier", "lately");
    end_line(p);
    for (int i = 0; i < SS_DEMO_SAMPLES; i++) {
        const struct ss_demo_sample *sample = &watch->samples[i];
        if (sample->used) {
            const struct ss_demo_user *user = &watch->users[sample->user];
            bool scored = user->standing == SS_STANDING_SCORED;
            put(p, PLAIN, "u-%06u     ", sample->user);
            put(p, BOLD, "%5d  ", user->score);
            put(p, sample->change < 0 ? RED : GREEN, "%s %+4d  ", arrow(p, sample->change),
                sample->change);
            put(p, scored ? tier_paint(user->tier, watch->model->tier_count) : RED, "%-12s ",
                scored                                 ? watch->model->tiers[user->tier].name
                : user->standing == SS_STANDING_LISTED ? "listed"
                                                       : "opted out");
            draw_history(p, sample, p->columns > 70 ? SS_DEMO_HISTORY : 12);
        }
        end_line(p);
    }
    end_line(p);
}

static void draw_news(struct picture *p, const struct ss_demo_watch *watch)
{
    static const enum paint paints[] = {
        [SS_DEMO_DROP] = RED, [SS_DEMO_REVOKED] = YELLOW, [SS_DEMO_RESTORE] = GREEN};
    for (int i = 0; i < 2 * SS_DEMO_NEWS; i++) {
        const struct ss_demo_news *news =
            i < SS_DEMO_NEWS ? &watch->listings[i] : &watch->revocations[i - SS_DEMO_NEWS];
        if (news->text[0])
            put(p, paints[news->kind], "u-%06u %s", news->user, news->text);
        end_line(p);
    }
}

static void show(struct ss_demo_screen *screen, const struct picture *p)
{
    int count = p->count < p->rows ? p->count : p->rows - 1;
    if (screen->drawn)
        printf("\033[%dA", screen->drawn);
    fputs("\r\033[?7l", stdout); /* the terminal cuts what is too wide */
    for (int i = 0; i < count; i++)
        printf("%s\033[K\n", p->lines[i]);
    fputs("\033[J\033[?7h", stdout);
    fflush(stdout);
    screen->drawn = count;
}

/* --- plain lines --- */

static void say_sample(struct ss_demo_screen *screen, const struct ss_demo_watch *watch)
{
    for (int i = 0; i < SS_DEMO_SAMPLES; i++) {
        const struct ss_demo_sample *sample = &watch->samples[screen->sample++ % SS_DEMO_SAMPLES];
        if (!sample->used || sample->history_count < 2)
            continue;
        int before = sample->history[0], now = sample->history[sample->history_count - 1];
        printf("        u-%06u %d -> %d (%s %d) in its last %d changes: %s\n", sample->user, before,
               now, now < before ? "down" : "up", abs(now - before), sample->history_count,
               watch->model->tiers[watch->users[sample->user].tier].name);
        return;
    }
}

static void say_numbers(struct ss_demo_screen *screen, const struct ss_demo_state *state)
{
    const struct ss_demo_watch *watch = state->watch;
    if (screen->said_at == 0) {
        printf(
            "starting: a mock Kafka, a private Redis and %d workers in this process; the consumer "
            "group takes some seconds to form\n",
            state->workers);
        screen->said_at = state->elapsed;
        fflush(stdout);
    }
    if (state->rate <= 0 || state->elapsed - screen->said_at < 1)
        return;
    screen->said_at = state->elapsed;
    printf("%5.1f s %s events, %s/s; users:", state->elapsed, ss_demo_number(state->consumed).text,
           ss_demo_number((int64_t)state->rate).text);
    for (int i = 0; i < watch->model->tier_count; i++)
        printf(" %s %s%s", watch->model->tiers[i].name, ss_demo_number(watch->tiers[i]).text,
               i + 1 < watch->model->tier_count ? "," : "");
    printf("; listed %s\n", ss_demo_number(watch->listed).text);
    say_sample(screen, watch);
    fflush(stdout);
}

void ss_demo_screen_news(void *arg, const struct ss_demo_news *news)
{
    struct ss_demo_screen *screen = arg;
    if (screen->live || screen->said[news->kind]++ >= NEWS_LINES_PER_KIND)
        return;
    printf("        u-%06u %s\n", news->user, news->text);
}

void ss_demo_screen_draw(struct ss_demo_screen *screen, const struct ss_demo_state *state)
{
    static struct picture picture; /* large; the screen belongs to one thread */
    if (!screen->live) {
        say_numbers(screen, state);
        return;
    }
    picture = (struct picture){.screen = screen};
    measure(&picture);
    draw_head(&picture, state);
    draw_tiers(&picture, state->watch);
    draw_samples(&picture, state->watch);
    draw_news(&picture, state->watch);
    show(screen, &picture);
}
