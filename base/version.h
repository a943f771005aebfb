/* version.h - the version of this program, as headers of dead letters and `sesame --version` say
 * it. */
#ifndef SS_BASE_VERSION_H
#define SS_BASE_VERSION_H

#define SS_VERSION "0.1.0"

#endif
