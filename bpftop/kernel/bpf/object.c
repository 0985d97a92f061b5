/* SPDX-License-Identifier: Apache-2.0 */
/* What libbpf's C interface needs C for: its messages, and constants that are set before loading. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages of the calling thread since bpftop_messages_begin(). The end is what matters: the verifier's verdict comes
 * last. */
static __thread char messages[1 << 16];
static __thread size_t messages_bytes;

static int keep_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	va_list again;
	char *line;
	int bytes;
	size_t skip, room;

	if (level == LIBBPF_DEBUG)
		return 0;
	va_copy(again, arguments);
	bytes = vsnprintf(NULL, 0, format, again);
	va_end(again);
	line = bytes > 0 ? malloc((size_t)bytes + 1) : NULL;
	if (!line)
		return bytes;
	vsnprintf(line, (size_t)bytes + 1, format, arguments);
	skip = (size_t)bytes >= sizeof(messages) ? (size_t)bytes - sizeof(messages) + 1 : 0;
	room = sizeof(messages) - 1 - ((size_t)bytes - skip);
	if (messages_bytes > room) {
		memmove(messages, messages + messages_bytes - room, room);
		messages_bytes = room;
	}
	memcpy(messages + messages_bytes, line + skip, (size_t)bytes - skip + 1);
	messages_bytes += (size_t)bytes - skip;
	free(line);
	return bytes;
}

void bpftop_messages_begin(void)
{
	libbpf_set_print(keep_message);
	messages_bytes = 0;
	messages[0] = 0;
}

const char *bpftop_messages(void)
{
	return messages;
}

/* Sets a `const volatile __u32` of an opened object. 0, or -ENOENT where the object has none of that name. */
int bpftop_set_constant(struct bpf_object *object, const char *name, uint32_t value)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	const struct btf_type *section;
	const struct btf_var_secinfo *variable;
	size_t bytes;
	char *place;

	if (!map || id < 0)
		return -ENOENT;
	place = (char *)bpf_map__initial_value(map,
					       &bytes); /* const before libbpf 1.2, and ours to write before loading */
	section = btf__type_by_id(btf, (uint32_t)id);
	variable = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++, variable++) {
		const char *found = btf__name_by_offset(btf, btf__type_by_id(btf, variable->type)->name_off);

		if (strcmp(found, name) || variable->size != sizeof(value) || variable->offset + sizeof(value) > bytes)
			continue;
		memcpy(place + variable->offset, &value, sizeof(value));
		return 0;
	}
	return -ENOENT;
}

/* The device an XDP or TCX link sits on; 0 once the device is gone; negative errno. Needs no capability. */
int bpftop_link_ifindex(int link_fd)
{
	/* struct bpf_link_info of the headers we build with may be older than TCX (6.6): its union begins at byte 16
	 * with the ifindex for both kinds (linux/bpf.h). */
	union {
		struct bpf_link_info info;
		struct {
			uint32_t type, id, prog_id, padding, ifindex;
		} head;
	} link = {};
	uint32_t bytes = sizeof(link.info);
	int rc = bpf_obj_get_info_by_fd(link_fd, &link.info, &bytes);

	return rc ? rc : (int)link.head.ifindex;
}
