/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes of the maps of the tracing programs, shared with user space. */
#ifndef WATCHED_H
#define WATCHED_H

#define WATCHED_MAX 256 /* watched interfaces */
#define ROWS_MAX 1024	/* rows of counts; the screen says so when a map is full */

/* Drops are counted in an array: a row per interface, a cell per reason. Interfaces and reasons beyond it are counted
 * in a hash. */
#define DROP_SLOTS 8 /* interfaces; slot 0 is for packets on none of the watched interfaces */
#define DROP_REASONS \
	256 /* reasons of the kernel's core (about 130 in Linux 6.18); the reasons of subsystems begin at 65536 */

struct drop_row {
	unsigned long long packets[DROP_REASONS];
	unsigned long long hashed; /* row 0: packets that were counted in the hash */
};

#endif
