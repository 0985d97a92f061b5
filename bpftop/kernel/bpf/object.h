/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of libbpf's interface that need C: messages, constants of an opened object, and the device of a link. */
#ifndef BPFTOP_OBJECT_H
#define BPFTOP_OBJECT_H

#include <stdint.h>

struct bpf_object;

/* Set a `const volatile __u32` of an opened object. Return 0, or -ENOENT if the object has no such constant. */
int bpftop_set_constant(struct bpf_object *object, const char *name, uint64_t value);

/* Load only the programs with these names (none: all) of an opened object, and pin none of its maps. Return how many
 * programs that are, or a negative errno. One call instead of four for each program: Python gives its lock up for every
 * call, and may wait 5 ms to get it back from another thread. */
int bpftop_select_programs(struct bpf_object *object, const char **names, int count);

/* Start storing libbpf's messages of the calling thread, instead of printing them. */
void bpftop_messages_begin(void);

/* Return the messages of the calling thread since bpftop_messages_begin(), at most the last 64 KiB. */
const char *bpftop_messages(void);

/* Return the ifindex of the device of an XDP or TCX link, 0 once the device is gone, or a negative errno. Needs no
 * capability. */
int bpftop_link_ifindex(int link_fd);

#endif
