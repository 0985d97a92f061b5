/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's run statistics of a program. */
#ifndef BPFTOP_RUN_STATS_H
#define BPFTOP_RUN_STATS_H

#include <stdint.h>

struct bpftop_run_stats {
	uint64_t run_cnt;
	uint64_t run_time_ns;
};

/* Count and time the runs of all programs until the returned descriptor is closed. Return a negative errno on failure.
 */
int bpftop_enable_run_stats(void);

/* Return 0 or a negative errno. */
int bpftop_read_run_stats(int prog_fd, struct bpftop_run_stats *stats);

#endif
