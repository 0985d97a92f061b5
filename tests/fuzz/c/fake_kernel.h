/* SPDX-License-Identifier: Apache-2.0 */
/* The map calls of libbpf, answered from the fuzz input: any errno, any count up to the requested one, any content. The
 * real kernel answers only what it should, so the code behind its answers is tried with these. */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include "input.h"

struct bpftop_subject;

struct fake_kernel {
	struct input input;
	size_t key_bytes, value_bytes;
	/* Most keys and values belong to this subject; NULL: all are any bytes. */
	const struct bpftop_subject *subject;
	int stop; /* set when the input is used up, so that loops end */
};

extern struct fake_kernel fake_kernel;

#endif
