/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>

#include "fake_kernel.h"
#include "measure/subject.h"

#define ENOTSUPP 524

struct fake_kernel fake_kernel;

static const int errnos[] = { ENOENT, ENOTSUPP, ENOSPC, EAGAIN, EFAULT, EPERM, E2BIG, EINVAL };

/* Return 0, or seldom a negative errno: ENOENT, which ends walks, more often than the others. */
static int answer(void)
{
	uint32_t drawn = (uint32_t)take(&fake_kernel.input, 1);

	if (!fake_kernel.input.left)
		fake_kernel.stop = 1;
	if (drawn < 224)
		return 0;
	return drawn < 248 ? -ENOENT : -errnos[drawn - 248];
}

static void write_key(void *key)
{
	const struct bpftop_subject *subject = fake_kernel.subject;
	uint32_t drawn = (uint32_t)take(&fake_kernel.input, 1);

	if (subject && drawn < 248)
		memcpy(key, key_at(subject, drawn % subject->universe), subject->key_bytes);
	else
		take_sparse(&fake_kernel.input, key, fake_kernel.key_bytes);
}

static void write_map_value(const void *key, void *value)
{
	const struct bpftop_subject *subject = fake_kernel.subject;
	uint32_t number = subject ? number_of(subject, key) : UINT32_MAX;

	if (number != UINT32_MAX && take(&fake_kernel.input, 1) < 248)
		write_value(subject, subject->written[number], value);
	else
		take_sparse(&fake_kernel.input, value, fake_kernel.value_bytes);
}

/* Return how many entries a batch has: mostly as many as asked for, seldom fewer, and none after an error. */
static uint32_t batch_entries(int rc, uint32_t asked)
{
	if (rc && rc != -ENOENT)
		return 0;
	return take_below(&fake_kernel.input, 8) ? asked : take_below(&fake_kernel.input, asked + 1);
}

static int answer_batch(void *out_batch, void *keys, void *values, uint32_t *count)
{
	int rc = answer();
	uint32_t entries = batch_entries(rc, *count);

	if (rc == -ENOTSUPP)
		return rc; /* the kernel leaves the count as it was */
	for (uint32_t i = 0; keys && i < entries; i++) {
		char *key = (char *)keys + i * fake_kernel.key_bytes;

		write_key(key);
		write_map_value(key, (char *)values + i * fake_kernel.value_bytes);
	}
	if (out_batch)
		memset(out_batch, 0x5a, fake_kernel.key_bytes < 4 ? 4 : fake_kernel.key_bytes);
	*count = entries;
	return rc;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	int rc = answer();

	(void)fd;
	if (!rc)
		write_map_value(key, value);
	return rc;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd, (void)key, (void)value, (void)flags;
	return answer();
}

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)fd, (void)key;
	return answer();
}

int bpf_map_get_next_key(int fd, const void *key, void *next_key)
{
	int rc = answer();

	(void)fd, (void)key;
	if (!rc)
		write_key(next_key);
	return rc;
}

int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	(void)fd, (void)in_batch, (void)opts;
	return answer_batch(out_batch, keys, values, count);
}

int bpf_map_lookup_and_delete_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, __u32 *count,
				    const struct bpf_map_batch_opts *opts)
{
	(void)fd, (void)in_batch, (void)opts;
	return answer_batch(out_batch, keys, values, count);
}

int bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	(void)fd, (void)keys, (void)values, (void)opts;
	return answer_batch(NULL, NULL, NULL, count);
}

int bpf_map_delete_batch(int fd, const void *keys, __u32 *count, const struct bpf_map_batch_opts *opts)
{
	(void)fd, (void)keys, (void)opts;
	return answer_batch(NULL, NULL, NULL, count);
}
