/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of the process. Once this library is loaded, all threads share one. */
#ifndef BPFTOP_HEAP_H
#define BPFTOP_HEAP_H

/* Return freed memory to the system after BTF was parsed. By itself glibc keeps up to twice the largest freed block
 * (11 MB) in the heap: 2 to 7 MiB stayed resident. */
void bpftop_trim_memory(void);

#endif
