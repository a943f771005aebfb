/* clock.h - what time it is, in milliseconds. Any thread.
 *
 * For deadlines, logs and stamps. Nothing that a score depends on asks here: a worker is handed its
 * clock (struct ss_clock), and an audit takes the logs' own times.
 */
#ifndef SS_BASE_CLOCK_H
#define SS_BASE_CLOCK_H

#include <stdint.h>

int64_t ss_clock_wall_ms(void);   /* since 1970; somebody may set it back or forth */
int64_t ss_clock_steady_ms(void); /* nobody can; good for differences alone */

#endif
