/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

/* The last 64 KiB, because the verifier's verdict comes last. */
static __thread char messages[1 << 16];
static __thread size_t messages_bytes;

static int store_message(enum libbpf_print_level level, const char *format, va_list arguments)
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
	libbpf_set_print(store_message);
	messages_bytes = 0;
	messages[0] = 0;
}

const char *bpftop_messages(void)
{
	return messages;
}

int bpftop_set_constant(struct bpf_object *object, const char *name, uint64_t value)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	const struct btf_type *section;
	const struct btf_var_secinfo *variable;
	size_t bytes;
	char *section_data;

	if (!map || id < 0)
		return -ENOENT;
	/* The cast drops the const of libbpf before 1.2; the memory may be written before loading. */
	section_data = (char *)bpf_map__initial_value(map, &bytes);
	section = btf__type_by_id(btf, (uint32_t)id);
	variable = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++, variable++) {
		const char *variable_name = btf__name_by_offset(btf, btf__type_by_id(btf, variable->type)->name_off);

		if (strcmp(variable_name, name) || variable->size > sizeof(value) ||
		    variable->offset + variable->size > bytes)
			continue;
		memcpy(section_data + variable->offset, &value, variable->size); /* objects are little-endian */
		return 0;
	}
	return -ENOENT;
}

static bool is_among(const char *name, const char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return count == 0;
}

int bpftop_select_programs(struct bpf_object *object, const char **names, int count)
{
	struct bpf_program *program;
	struct bpf_map *map;
	int selected = 0, rc;

	bpf_object__for_each_program(program, object) {
		bool is_wanted = is_among(bpf_program__name(program), names, count);

		rc = bpf_program__set_autoload(program, is_wanted);
		if (rc)
			return rc;
		selected += is_wanted;
	}
	bpf_object__for_each_map(map, object) {
		rc = bpf_map__set_pin_path(map, NULL);
		if (rc)
			return rc;
	}
	return selected;
}

int bpftop_link_ifindex(int link_fd)
{
	/* The build's linux/bpf.h may be older than TCX (6.6). The union of struct bpf_link_info begins at byte 16,
	 * with the ifindex for both link types. */
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
