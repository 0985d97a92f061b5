/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of libbpf of any length: the last 64 KiB are kept. */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bpf/object.h"
#include "input.h"

#define LINE_MAX_BYTES (1 << 17)

static libbpf_print_fn_t store;

static void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	store(LIBBPF_WARN, format, arguments);
	va_end(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { .at = bytes, .left = size };
	char *line = malloc(LINE_MAX_BYTES);
	size_t length, kept;

	bpftop_messages_begin();
	store = libbpf_set_print(NULL);
	while (input.left) {
		length = take(&input, 3) % LINE_MAX_BYTES;
		memset(line, 'a', length);
		line[length] = 0;
		print("%s", line);
		kept = strlen(bpftop_messages());
		if (kept >= 1 << 16 || (kept < length && kept != (1 << 16) - 1))
			abort();
	}
	free(line);
	return 0;
}
