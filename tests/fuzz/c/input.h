/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one fuzz input, taken from the front. After the last byte every number is 0. */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *at;
	size_t left;
};

/* Return the next `bytes` bytes, at most 8, as a little-endian number. */
static inline uint64_t take(struct input *input, size_t bytes)
{
	uint64_t number = 0;

	if (bytes > input->left)
		bytes = input->left;
	memcpy(&number, input->at, bytes);
	input->at += bytes;
	input->left -= bytes;
	return number;
}

/* Return a number from 0 to `limit` - 1. */
static inline uint32_t take_below(struct input *input, uint32_t limit)
{
	return (uint32_t)take(input, limit > 256 ? 2 : 1) % limit;
}

/* Fill a buffer with zeros, and write up to 31 words of 8 bytes into it: most of them small numbers. */
static inline void take_sparse(struct input *input, void *out, size_t bytes)
{
	uint32_t words = (uint32_t)take(input, 1) & 31;

	memset(out, 0, bytes);
	for (; bytes >= 8 && words && input->left; words--) {
		size_t at = take(input, 2) % (bytes / 8) * 8;
		uint64_t word = take(input, 1);

		if (word == 255)
			word = take(input, 8);
		memcpy((char *)out + at, &word, 8);
	}
	if (bytes < 8)
		*(uint8_t *)out = (uint8_t)take(input, 1);
}

#endif
