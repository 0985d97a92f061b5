/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the tracing programs, which run for every device of the machine: kernel structs, and the watched
 * interfaces. The structs have only the fields that are used, because CO-RE finds the fields by name in the kernel's
 * BTF. */
#ifndef WATCHED_BPF_H
#define WATCHED_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "watched.h"

/* Inode numbers of namespaces begin here (fs/proc/generic.c: PROC_DYNAMIC_FIRST is 0xf0000000; the initial namespaces
 * are a little below). A lower number means that the pointer was no device. */
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

/* ifindexes of the watched interfaces in that namespace; user space updates the map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCHED_MAX);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

/* Add 1 to the count of `key` on this CPU. No atomics, because other CPUs do not write this value. An interrupt that
 * drops a packet meanwhile is missed: since Linux 6.1 a tracing program does not run inside itself (recursion_misses).
 */
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
