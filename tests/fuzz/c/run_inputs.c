/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target without a fuzzer: try each file, and mutations of it, the same each time.
 *
 *     TARGET MUTATIONS FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t drawn = 2026;

static uint32_t draw(uint32_t limit)
{
	drawn = drawn * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(drawn >> 33) % limit;
}

/* Try an exact copy, so that the sanitizer sees a read behind its end. */
static void try_bytes(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	for (size_t i = 0; i < size; i++)
		copy[i] = bytes[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int argc, char **argv)
{
	uint8_t bytes[BYTES_MAX], changed[BYTES_MAX];
	uint32_t tried = 0;

	for (int file = 2; file < argc; file++) {
		FILE *stream = fopen(argv[file], "rb");
		size_t size = stream ? fread(bytes, 1, sizeof(bytes), stream) : 0;

		if (!stream || fclose(stream))
			return 1;
		try_bytes(bytes, size);
		tried++;
		for (int round = atoi(argv[1]); round; round--, tried++) {
			for (size_t i = 0; i < size; i++)
				changed[i] = draw(16) ? bytes[i] : (uint8_t)draw(256);
			try_bytes(changed, size ? draw((uint32_t)size + 1) : 0);
		}
	}
	printf("%u inputs\n", tried);
	return 0;
}
