/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bpf_objects/profile_maps.bpf.c and bpftop/kernel/measure/program_loop.c hand to each other: plain C types,
 * explicit padding. */
#ifndef PROFILE_MAPS_H
#define PROFILE_MAPS_H

/* Operations within one run of a program, at most. The verifier walks every one of them. */
#define PROFILE_STEPS_MAX 256

/* Entries that one run of the walk visits, at most: it runs with softirqs off, some nanoseconds per entry. */
#define PROFILE_WALK_MAX 16384

/* One operation: an entry of the map `steps`, whose value has this and then the key. */
struct profile_step {
	unsigned long long expected; /* the first 8, 4, 2 or 1 bytes of the value that the key has */
	unsigned int value;	     /* the entry of the map `values` that is to be written */
	unsigned int padding;
	unsigned char key[];
};

/* The packet: how many steps from where on, and what came of them. */
struct profile_run {
	unsigned int first;
	unsigned int steps;
	unsigned int flags; /* of bpf_map_update_elem */
	unsigned int done;
	unsigned int wrong;  /* values that were not as expected */
	unsigned int missed; /* keys that were not there */
	unsigned int failed;
	int rc;			/* of the last that failed */
	unsigned long long sum; /* of the first bytes of all values of a walk */
};

#endif
