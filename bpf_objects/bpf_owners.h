/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One record of the iterator in bpf_owners.bpf.c: a process has a file descriptor of a BPF object or perf event. */
#ifndef BPF_OWNERS_H
#define BPF_OWNERS_H

#define OWNED_PROGRAM 0
#define OWNED_MAP 1
#define OWNED_LINK 2
#define OWNED_PERF_EVENT 3

struct bpf_owner {
	unsigned int kind; /* OWNED_... */
	unsigned int id;   /* of the object; for a perf event the file descriptor */
	unsigned int pid;  /* of the process, in the initial pid namespace */
	char comm[16];
};

#endif
