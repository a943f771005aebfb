/* help_text.h - help texts laid out for a terminal of 80 columns, however long their lines are in
 * the source.
 *
 * A text is made of paragraphs, each of lines that begin in the first column, and of options: a
 * line that begins with spaces and a dash, and indented lines that go on with it. What is said of
 * an option begins behind two spaces, or on the next line.
 */
#ifndef SS_CLI_HELP_TEXT_H
#define SS_CLI_HELP_TEXT_H

#include <stdio.h>

enum { SS_HELP_COLUMNS = 80 };

/* Paragraphs and options; lines are filled anew. */
void ss_help_text(FILE *out, const char *text);
/* "usage: sesame NAME USAGE": lines stay, and those that are too long are broken between words,
 * what stands in brackets left whole. */
void ss_help_usage(FILE *out, const char *name, const char *usage);

#endif
