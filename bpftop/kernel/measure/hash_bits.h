/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-random numbers from a counter: the output function of splitmix64 (Steele, Lea, Flood 2014). */
#ifndef BPFTOP_HASH_BITS_H
#define BPFTOP_HASH_BITS_H

#include <stdint.h>

static inline uint64_t hash_bits(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

#endif
