/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

#include "drain.h"

int bpftop_drain(int fd, uint32_t rows, uint32_t row_bytes, uint32_t *keys, void *values, int batch)
{
	uint32_t cursor, count = rows, row;
	int rc;

	if (batch) {
		rc = bpf_map_lookup_batch(fd, NULL, &cursor, keys, values, &count, NULL);
		if (rc && rc != -ENOENT) /* ENOENT: the batch includes the last row */
			return rc;
		return count == rows ? 0 : -EPROTO;
	}
	for (row = 0; row < rows; row++) {
		rc = bpf_map_lookup_elem(fd, &row, (char *)values + (size_t)row * row_bytes);
		if (rc)
			return rc;
	}
	return 0;
}
