/* SPDX-License-Identifier: Apache-2.0 */
/* Reads all rows of a per-CPU array into one buffer: by one batch call, or row by row on kernels before 5.13, which
 * refuse the batch on this map type with ENOTSUPP (524). */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

/* `values` is row x possible CPU x value. Returns 0 or a negative errno; -EPROTO where the kernel gave fewer rows than
 * there are. */
int bpftop_drain(int fd, uint32_t rows, uint32_t row_bytes, uint32_t *keys, void *values, int batch)
{
	uint32_t cursor, count = rows, row;
	int rc;

	if (batch) {
		rc = bpf_map_lookup_batch(fd, NULL, &cursor, keys, values, &count, NULL);
		if (rc && rc != -ENOENT) /* ENOENT: that was the last one */
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
