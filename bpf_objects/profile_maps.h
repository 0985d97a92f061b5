/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Structs shared by bpf_objects/profile_maps.bpf.c and bpftop/kernel/measure/program_loop.c: plain C types, explicit
 * padding. */
#ifndef PROFILE_MAPS_H
#define PROFILE_MAPS_H

/* Maximum operations in one run of a program. The verifier walks each of them. */
#define PROFILE_STEPS_MAX 256

/* Maximum entries that one run of the walk visits: it runs with softirqs off, some nanoseconds per entry. */
#define PROFILE_WALK_MAX 16384

/* One operation: an entry of the map `steps`. */
struct profile_step {
	unsigned long long expected; /* the first 8, 4, 2 or 1 bytes of the current value of the key */
	unsigned int value;	     /* the entry of the map `values` to write */
	unsigned int padding;
	unsigned char key[];
};

/* The packet: which steps to run, and the results. */
struct profile_run {
	unsigned int first;
	unsigned int steps;
	unsigned int flags; /* of bpf_map_update_elem */
	unsigned int done;
	unsigned int wrong;  /* values that differ from `expected` */
	unsigned int missed; /* keys that are not in the map */
	unsigned int failed;
	int rc;			/* of the last failed operation */
	unsigned long long sum; /* of the first bytes of all values of a walk */
};

#endif
