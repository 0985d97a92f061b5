/* SPDX-License-Identifier: Apache-2.0 */
/* Types of a kernel that refer to each other in any way, and buffers of any size for the text. */
#include <bpf/btf.h>
#include <stdlib.h>

#include "bpf/kernel_btf.h"
#include "fake_kernel.h"

static const char *const names[] = { "btf_trace_kfree_skb", "skb_drop_reason", "mac80211_drop_reason", "A", "" };

static const char *take_name(struct input *input)
{
	return names[take_below(input, sizeof(names) / sizeof(*names))];
}

static void add_type(struct input *input, struct btf *btf)
{
	uint32_t kind = take_below(input, 4), values = take_below(input, 32);

	switch (kind) {
	case 0:
		btf__add_enum(btf, take_name(input), 4);
		for (; values; values--)
			btf__add_enum_value(btf, "REASON", (int64_t)(int32_t)take(input, 4));
		break;
	case 1:
		btf__add_typedef(btf, take_name(input), take_below(input, 8));
		break;
	case 2:
		btf__add_ptr(btf, take_below(input, 8));
		break;
	default:
		btf__add_func_proto(btf, 0);
		for (; values; values--)
			btf__add_func_param(btf, "", take_below(input, 8));
	}
}

static struct btf *make_btf(struct input *input)
{
	struct btf *btf = btf__new_empty();

	for (uint32_t types = take_below(input, 8); types; types--)
		add_type(input, btf);
	return btf;
}

struct btf *btf__load_vmlinux_btf(void)
{
	return make_btf(&fake_kernel.input);
}

struct btf *btf__load_module_btf(const char *name, struct btf *kernel)
{
	(void)name, (void)kernel;
	return take_below(&fake_kernel.input, 2) ? make_btf(&fake_kernel.input) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const modules[] = { "mac80211", "mac80211_drop_reason" };
	uint32_t out_bytes;
	char *out;
	int used;

	fake_kernel = (struct fake_kernel){ .input = { .at = bytes, .left = size } };
	out_bytes = 1 + take_below(&fake_kernel.input, 512);
	out = malloc(out_bytes);
	used = bpftop_drop_reasons(modules, 2, out, out_bytes);
	if (used >= (int)out_bytes || (used >= 0 && strlen(out) != (size_t)used))
		abort();
	free(out);
	return 0;
}
