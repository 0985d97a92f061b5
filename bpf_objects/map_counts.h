/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One record of the iterator in map_counts.bpf.c: a map whose entries the kernel counts itself. */
#ifndef MAP_COUNTS_H
#define MAP_COUNTS_H

struct map_count {
	unsigned int id; /* of the map */
	unsigned int padding;
	unsigned long long entries;
};

#endif
