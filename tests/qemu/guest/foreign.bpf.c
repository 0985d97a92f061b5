// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Somebody else's XDP program: every frame says itself what becomes of it, in its first byte behind the Ethernet header. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define VERDICT_AT 14
#define NO_DEVICE 0x7ffffffe

char LICENSE[] SEC("license") = "GPL";

SEC("xdp")
int obey(struct xdp_md *ctx)
{
	const __u8 *frame = (const void *)(long)ctx->data;

	if (frame + VERDICT_AT + 1 > (const __u8 *)(long)ctx->data_end)
		return XDP_PASS;
	if (frame[VERDICT_AT] == XDP_REDIRECT)
		return bpf_redirect(NO_DEVICE, 0);
	return frame[VERDICT_AT];
}
