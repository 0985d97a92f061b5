/* SPDX-License-Identifier: Apache-2.0 */
/* Facts from the BTF of the running kernel: drop reasons, and the function names of programs. */
#ifndef BPFTOP_KERNEL_BTF_H
#define BPFTOP_KERNEL_BTF_H

#include <stdint.h>

/* Write lines "NUMBER NAME": first the number of arguments of the tracepoint kfree_skb and "kfree_skb", then all drop
 * reasons. `modules` has pairs of a module and its enum of drop reasons; modules that are not loaded are left out.
 * Return the bytes written or a negative errno: -ENOENT from kernels without drop reasons. */
int bpftop_drop_reasons(const char *const *modules, uint32_t module_count, char *out, uint32_t out_bytes);

/* Write the full name of the program's entry function, which bpf_prog_info cuts at 15 bytes. Return 0 or a negative
 * errno: -ENOENT for a program without BTF. */
int bpftop_entry_function(int prog_fd, char *out, uint32_t out_bytes);

#endif
