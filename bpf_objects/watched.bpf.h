/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the tracing programs, which run for every device of the machine: what they need of the kernel's structs, and
 * which interfaces are watched. The structs are found by name in the kernel's BTF (CO-RE), so they hold nothing else.
 */
#ifndef WATCHED_BPF_H
#define WATCHED_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "watched.h"

/* Namespaces have numbers from here up (fs/proc/generic.c: PROC_DYNAMIC_FIRST is 0xf0000000; the initial ones stand a
 * little below): anything less in a device's place is no device. */
#define NETNS_FIRST 0xefffff00

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

#pragma clang attribute pop

const volatile __u32 netns = 0; /* inode number of the watched network namespace */

/* ifindex of each watched interface in that namespace; kept by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCHED_MAX);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

/* One more of `key`, on this CPU. No atomics: nobody else writes this CPU's value. An interrupt that drops a packet
 * within these few ns is missed: since Linux 6.1 a tracing program does not run inside itself (recursion_misses of its
 * info). */
static __always_inline int add_one(void *counts, const void *key)
{
	__u64 *count = bpf_map_lookup_elem(counts, key), none = 0;

	if (!count) {
		bpf_map_update_elem(counts, key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(counts, key);
	}
	if (count)
		*count += 1;
	return 0;
}

#endif
