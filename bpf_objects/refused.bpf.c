// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Count the packets to ports where nobody listens, for some seconds while counters say that there are many: UDP
 * datagrams and TCP connection requests by port, and other TCP segments by their flags alone (port 0). */
#include "freed_packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define KIND_UDP 0
#define KIND_TCP_REQUEST 1
#define KIND_TCP_ODD_FLAGS 2 /* neither SYN nor ACK: no program makes a host send them, scans do (NULL, FIN, Xmas) */
#define KIND_TCP_OTHER 3     /* of a connection that this host does not know */

#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10

const volatile __u32 no_socket = 0; /* the kernel's number of SKB_DROP_REASON_NO_SOCKET */

struct refused_port {
	__u32 kind;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, ROWS_MAX);
	__type(key, struct refused_port);
	__type(value, __u64);
} counts SEC(".maps");

/* Return the number of bytes of the IP header, and write the protocol after it. A request with IPv6 extension headers
 * has none of the protocols that are counted. */
static __always_inline __u32 ip_header_bytes(const unsigned char *header, __u32 *protocol)
{
	__u8 bytes[10] = {};

	bpf_probe_read_kernel(bytes, sizeof(bytes), header);
	if (bytes[0] >> 4 == 4) {
		*protocol = bytes[9];
		return (bytes[0] & 0x0f) * 4;
	}
	*protocol = bytes[6];
	return sizeof(struct ipv6_header);
}

static __always_inline __u32 kind_of_segment(__u8 flags)
{
	if (flags & FLAG_ACK)
		return KIND_TCP_OTHER;
	return flags & FLAG_SYN ? KIND_TCP_REQUEST : KIND_TCP_ODD_FLAGS;
}

/* A reset to a port where nobody listens is dropped for the same reason, and is answered by nothing. */
SEC("tp_btf/kfree_skb")
int count_refused(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	struct refused_port refused = {};
	const unsigned char *header;
	__u8 transport[14] = {};
	__u32 ifindex = 0, protocol = 0;

	if ((__u32)ctx[2] != no_socket || !is_in_watched_namespace(ctx, skb, &ifindex))
		return 0;
	header = skb->head + skb->network_header;
	header += ip_header_bytes(header, &protocol);
	if (protocol != L4_TCP && protocol != L4_UDP)
		return 0;
	bpf_probe_read_kernel(transport, sizeof(transport), header);
	if (protocol == L4_TCP) {
		if (transport[13] & FLAG_RST)
			return 0;
		refused.kind = kind_of_segment(transport[13]);
	}
	if (refused.kind == KIND_UDP || refused.kind == KIND_TCP_REQUEST)
		refused.port = transport[2] << 8 | transport[3];
	return add_one(&counts, &refused);
}
