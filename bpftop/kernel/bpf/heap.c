/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>

#include "heap.h"

#ifdef __GLIBC__
/* By itself glibc gives each of the first threads a heap of its own, eight for each CPU, and what one of them frees is
 * of no use to the others: 2 MiB with ten threads. Python's threads allocate in turns, so they do not wait for each
 * other. */
__attribute__((constructor)) static void share_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
}
#endif

void bpftop_trim_memory(void)
{
#ifdef __GLIBC__
	/* A fixed threshold, because glibc raises it to the size of freed blocks: the kernel's BTF would then be
	 * allocated in the heap, whose top 11 MiB malloc_trim does not release (glibc 2.36, mtrim). */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	malloc_trim(0);
#endif
}
