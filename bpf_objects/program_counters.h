/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sums of bpf_objects/program_counters.bpf.c on each CPU: plain C types, no padding. */
#ifndef PROGRAM_COUNTERS_H
#define PROGRAM_COUNTERS_H

#define PROGRAM_COUNTERS_MAX 6

struct program_counter {
	unsigned long long count;
	unsigned long long enabled_ns; /* above running_ns: the PMU was shared with other events */
	unsigned long long running_ns;
};

struct program_counters {
	unsigned long long runs;
	struct program_counter counters[PROGRAM_COUNTERS_MAX];
};

#endif
