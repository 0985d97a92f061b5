/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes of the maps of the tracing programs, shared with user space. */
#ifndef WATCHED_H
#define WATCHED_H

#define WATCHED_MAX 256 /* watched interfaces */
#define ROWS_MAX 1024	/* rows of counts; the screen says so when a map is full */

#endif
