/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

#include "populate.h"

int bpftop_populate(int fd, uint32_t rows, uint32_t value_bytes, const uint32_t *keys, const void *values, int batch)
{
	uint32_t count = rows, row;
	int rc = 0;

	if (batch)
		return bpf_map_update_batch(fd, keys, values, &count, NULL);
	for (row = 0; row < rows && !rc; row++)
		rc = bpf_map_update_elem(fd, &keys[row], (const char *)values + (size_t)row * value_bytes, BPF_ANY);
	return rc;
}

int bpftop_depopulate(int fd, uint32_t rows, const uint32_t *keys, const void *zeros)
{
	uint32_t count = rows;
	int rc = bpf_map_delete_batch(fd, keys, &count, NULL);

	if (!rc || rc == -ENOENT) /* ENOENT: the map was empty */
		return 0;
	count = rows;
	return bpf_map_update_batch(fd, keys, zeros, &count, NULL);
}
