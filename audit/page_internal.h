/* page_internal.h - what page.c and page_chart.c share. Internal to audit/. */
#ifndef SS_AUDIT_PAGE_INTERNAL_H
#define SS_AUDIT_PAGE_INTERNAL_H

#include "audit/page.h"

void ss_page_put(struct ss_page *page, const void *data, size_t size);

/* A figure with an svg of that size, its title and description; ended by ss_page_picture_end. */
void ss_page_picture(struct ss_page *page, const struct ss_page_picture *picture, int width,
                     int height);
void ss_page_picture_end(struct ss_page *page);

/* A round step for about `want` parts of a span: 1, 2, 2.5 or 5 times a power of ten. */
double ss_page_round_step(double span, int want);

#endif
