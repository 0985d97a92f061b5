// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Empty programs of the types that BPF_PROG_TEST_RUN supports, besides the types in noop.bpf.c: the references for
 * programs of the same type. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EMPTY(section, name, verdict) \
	SEC(section)                  \
	int name(void *ctx)           \
	{                             \
		return verdict;       \
	}

EMPTY("socket", empty_socket, 0)
EMPTY("action", empty_action, 0)
EMPTY("cgroup_skb/ingress", empty_cgroup_skb, 1)
EMPTY("flow_dissector", empty_flow_dissector, BPF_OK)
EMPTY("lwt_in", empty_lwt_in, BPF_OK)
EMPTY("lwt_out", empty_lwt_out, BPF_OK)
EMPTY("lwt_xmit", empty_lwt_xmit, BPF_OK)
EMPTY("raw_tp", empty_raw_tp, 0)
EMPTY("syscall", empty_syscall, 0)
