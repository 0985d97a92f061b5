/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One record of the iterator in bpf_owners.bpf.c: a process has a file descriptor of a BPF object. */
#ifndef BPF_OWNERS_H
#define BPF_OWNERS_H

#define OWNED_PROGRAM 0
#define OWNED_MAP 1
#define OWNED_LINK 2

struct bpf_owner {
	unsigned int kind; /* OWNED_... */
	unsigned int id;
	unsigned int pid; /* of the process, in the initial pid namespace */
	char comm[16];
};

#endif
