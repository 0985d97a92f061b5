/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <stdint.h>

#include "run_stats.h"

int bpftop_enable_run_stats(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME);
}

int bpftop_read_run_stats(int prog_fd, struct bpftop_run_stats *stats)
{
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(prog_fd, &info, &bytes);

	stats->run_cnt = info.run_cnt;
	stats->run_time_ns = info.run_time_ns;
	return rc;
}
