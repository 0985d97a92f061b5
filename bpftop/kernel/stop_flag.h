/* SPDX-License-Identifier: Apache-2.0 */
/* The flag by which another thread or a signal handler ends a loop in C. */
#ifndef BPFTOP_STOP_FLAG_H
#define BPFTOP_STOP_FLAG_H

static inline int stop_requested(const int *stop)
{
	return __atomic_load_n(stop, __ATOMIC_RELAXED);
}

#endif
