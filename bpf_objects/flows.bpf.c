// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The counting programs once more, with a table of flows. An object of its own, and not a knob that the verifier
 * removes: clang lays out registers and stack for all of a function, so code that is removed later would still cost
 * packets that are counted without flows. User space gives it the maps of the counter that it takes the place of. */
#define FLOWS 1
#include "counter.bpf.c"
